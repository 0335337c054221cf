//! Finds what the rules and the known secrets describe: one automaton over all anchors, a look at digits and signs, and
//! a check by hand only where one of them stands.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::rules::{self, Nation, Rule};

/// More secrets than this in one text are no accident, and no text to be shown.
const MOST: usize = 50_000;

/// A secret in a text.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it is; `None` is a secret that this process knows.
    pub rule: Option<&'static Rule>,
}

impl Hit {
    /// The rule's name.
    pub fn id(&self) -> &'static str {
        self.rule.map_or("known-secret", |rule| rule.id)
    }

    /// The word for its placeholder.
    pub(super) fn word(&self) -> &'static str {
        self.rule.map_or("secret", |rule| rule.word)
    }
}

/// A text could not be searched, so nothing of it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text holds too much that looks like a secret")]
pub struct Unsearched;

/// Every anchor, and the rules that stand behind each.
struct Anchors {
    automaton: AhoCorasick,
    rules: Vec<Vec<&'static Rule>>,
}

static ANCHORS: LazyLock<Option<Anchors>> = LazyLock::new(|| {
    let mut words: Vec<String> = Vec::new();
    let mut behind: Vec<Vec<&'static Rule>> = Vec::new();
    for rule in rules::anchored().chain([&rules::EMAIL]) {
        for anchor in rule.anchors {
            let word = anchor.to_ascii_lowercase();
            match words.iter().position(|other| *other == word) {
                Some(at) => behind[at].push(rule),
                None => {
                    words.push(word);
                    behind.push(vec![rule]);
                }
            }
        }
    }
    let automaton =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(&words).ok()?;
    Some(Anchors { automaton, rules: behind })
});

/// What the rules find, in any order; hits may overlap.
pub(super) fn rules(text: &[u8], nations: &[Nation], hits: &mut Vec<Hit>) -> Result<(), Unsearched> {
    let anchors = ANCHORS.as_ref().ok_or(Unsearched)?;
    for found in anchors.automaton.find_overlapping_iter(text) {
        let place = found.start()..found.end();
        note(hits, text, place, &anchors.rules[found.pattern().as_usize()])?;
    }
    for at in memchr::memchr2_iter(b'@', b'+', text) {
        let rule: &'static Rule = if text[at] == b'@' { &rules::EMAIL } else { &rules::PHONE };
        note(hits, text, at..at + 1, &[rule])?;
    }
    digits(text, hits)?;
    for nation in nations {
        national(text, rules::national(*nation), hits)?;
    }
    Ok(())
}

fn note(
    hits: &mut Vec<Hit>,
    text: &[u8],
    place: std::ops::Range<usize>,
    rules: &[&'static Rule],
) -> Result<(), Unsearched> {
    for rule in rules {
        if let Some(found) = rule.at(text, place.clone()) {
            hits.push(Hit { start: found.start, end: found.end, rule: Some(rule) });
        }
    }
    if hits.len() > MOST { Err(Unsearched) } else { Ok(()) }
}

/// Looks at every run of four digits and more; of such a run every fourth byte meets one.
fn digits(text: &[u8], hits: &mut Vec<Hit>) -> Result<(), Unsearched> {
    let mut at = 3;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 4;
            continue;
        }
        let start = at - text[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let end = at + text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if end - start >= 4 {
            note(hits, text, start..end, &[&rules::CARD, &rules::IBAN, &rules::PHONE])?;
        }
        at = end + 4;
    }
    Ok(())
}

fn national(text: &[u8], rule: &'static Rule, hits: &mut Vec<Hit>) -> Result<(), Unsearched> {
    let mut within = false;
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.is_ascii_digit();
        if digit && !within {
            note(hits, text, at..at + 1, &[rule])?;
        }
        within = digit;
    }
    Ok(())
}

/// Hits in order, each text once: where several meet, one stands for all, named by the most certain of them.
pub(super) fn settle(hits: &mut Vec<Hit>) {
    let certain = |hit: &Hit| hit.rule.map(|rule| rule.kind);
    // of two marks that begin alike, the longer one was found later, and says more
    hits.reverse();
    hits.sort_by_key(|hit| (hit.start, certain(hit), std::cmp::Reverse(hit.end)));
    let mut kept = 0;
    for at in 1..hits.len() {
        let next = hits[at];
        let last = &mut hits[kept];
        if next.start < last.end {
            if certain(&next) < certain(last) {
                last.rule = next.rule;
            }
            last.end = last.end.max(next.end);
        } else {
            kept += 1;
            hits[kept] = next;
        }
    }
    hits.truncate(if hits.is_empty() { 0 } else { kept + 1 });
}
