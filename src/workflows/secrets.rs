//! Secrets in a diff: what must not leave the house, and what must not be committed.

use std::ops::Range;

use super::diff::{Change, Line, lines};
use crate::redact::rules::Kind;
use crate::redact::{Known, Unsearched};

/// A line that says this is let through.
const ALLOWED: &[u8] = b"keywheel:allow";
/// What stands in the place of a secret.
const MASK: &[u8] = b"[redacted]";

/// A secret that a change would add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line in the new file; 0 when the whole file could not be searched.
    pub line: usize,
    /// The rule's name.
    pub rule: String,
}

/// A secret's place in one line.
struct Spot {
    /// Which of the secrets found it is a part of.
    hit: usize,
    line: usize,
    range: Range<usize>,
    rule: &'static str,
    kind: Option<Kind>,
}

/// The secrets that a change adds. People's addresses and numbers are none: files hold many, on purpose.
pub fn added(known: &Known, change: &Change) -> Vec<Finding> {
    let path = change.name();
    let lines: Vec<Line<'_>> = lines(&change.hunks).collect();
    let Ok(spots) = spots(known, &lines, b'+') else {
        return vec![Finding { path, line: 0, rule: "too-much-to-search".to_owned() }];
    };
    let person = |spot: &Spot| matches!(spot.kind, Some(Kind::Person | Kind::National));
    let mut findings: Vec<Finding> = Vec::new();
    let mut told = None;
    for spot in spots.iter().filter(|spot| !person(spot)) {
        let line = &lines[spot.line];
        let allowed = memchr::memmem::find(line.text, ALLOWED).is_some();
        // a key of many lines is one finding, at the first that is new
        if line.mark == b'+' && !allowed && told != Some(spot.hit) {
            told = Some(spot.hit);
            findings.push(Finding { path: path.clone(), line: line.number, rule: spot.rule.to_owned() });
        }
    }
    findings.dedup();
    findings
}

/// Hunks without secrets, on either side, and how many there were. Hunks that cannot be searched are withheld.
pub fn cleaned(known: &Known, hunks: &[u8]) -> (Vec<u8>, usize) {
    let lines: Vec<Line<'_>> = lines(hunks).collect();
    let (Ok(mut marks), Ok(went)) = (spots(known, &lines, b'+'), spots(known, &lines, b'-')) else {
        return (b"[withheld: this file could not be searched for secrets]\n".to_vec(), 1);
    };
    marks.extend(went.into_iter().filter(|spot| lines[spot.line].mark != b' '));
    marks.sort_by_key(|spot| (spot.line, spot.range.start));
    let mut out = Vec::with_capacity(hunks.len());
    let mut marks = marks.iter().peekable();
    let mut count = 0;
    for (at, line) in lines.iter().enumerate() {
        out.push(line.mark);
        let mut done = 0;
        while let Some(spot) = marks.next_if(|spot| spot.line == at) {
            count += 1;
            if spot.range.start < done {
                done = done.max(spot.range.end);
                continue;
            }
            out.extend_from_slice(&line.text[done..spot.range.start]);
            out.extend_from_slice(MASK);
            done = spot.range.end;
        }
        out.extend_from_slice(&line.text[done.min(line.text.len())..]);
    }
    (out, count)
}

/// The secrets on one side of hunks, by line: the file as it was (`-`) or as it will be (`+`), so that a key of many
/// lines, or one whose name stands in the line before, is seen whole.
fn spots(known: &Known, lines: &[Line<'_>], side: u8) -> Result<Vec<Spot>, Unsearched> {
    let mut text = Vec::new();
    let mut places = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.mark == side || matches!(line.mark, b' ' | b'@') {
            places.push((text.len(), at));
            text.extend_from_slice(line.text);
        }
    }
    let mut spots = Vec::new();
    for (number, hit) in known.hits(&text)?.into_iter().enumerate() {
        let first = places.partition_point(|(start, _)| *start <= hit.start).saturating_sub(1);
        for (start, line) in places[first..].iter().take_while(|(start, _)| *start < hit.end) {
            let length = lines[*line].text.trim_ascii_end().len();
            let range = hit.start.saturating_sub(*start)..(hit.end - start).min(length);
            if range.start < range.end {
                let kind = hit.rule.map(|rule| rule.kind);
                spots.push(Spot { hit: number, line: *line, range, rule: hit.id(), kind });
            }
        }
    }
    Ok(spots)
}
