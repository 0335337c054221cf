//! Every row of the rule table finds its example, alone and in company, and leaves its counter-example alone.

use std::collections::BTreeSet;

use keywheel::config::Nation;
use keywheel::redact::{Known, rules};

/// Draws characters, always the same ones for the same number.
fn drawn(set: &str, count: usize, seed: &mut u64) -> String {
    let set: Vec<char> = set.chars().collect();
    let mut one = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        set[(*seed >> 33) as usize % set.len()]
    };
    (0..count).map(|_| one()).collect()
}

/// Fills the holes of an example.
fn filled(example: &str, seed: u64) -> String {
    let (digits, lower, upper) = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    let (mut out, mut rest, mut seed) = (String::new(), example, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    while let Some((before, after)) = rest.split_once('{') {
        out += before;
        let hole = after.split_once('}').and_then(|(hole, after)| {
            let set = match hole.get(..1)? {
                "a" => [digits, lower, upper].concat(),
                "x" => "0123456789abcdef".to_owned(),
                "A" => [digits, upper].concat(),
                "z" => [digits, lower].concat(),
                "l" => [lower, upper].concat(),
                "d" => "123456789".to_owned(),
                "u" => [digits, lower, upper, "-_"].concat(),
                "b" => [digits, lower, upper, "+/"].concat(),
                _ => return None,
            };
            Some((drawn(&set, hole[1..].parse().ok()?, &mut seed), after))
        });
        match hole {
            Some((text, after)) => {
                out += &text;
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

fn known() -> Known {
    let known = Known::default();
    known.heed(&[Nation::Br, Nation::Ca, Nation::De, Nation::Es, Nation::Fr, Nation::Nl, Nation::Pl, Nation::Us]);
    known
}

fn hits(known: &Known, text: &str) -> Vec<(&'static str, String)> {
    let hits = known.hits(text.as_bytes()).expect("searched");
    hits.iter().map(|hit| (hit.id(), text[hit.start..hit.end].to_owned())).collect()
}

#[test]
fn every_rule_finds_its_example_and_not_its_counter_example() {
    let (known, mut names, mut wrong) = (known(), BTreeSet::new(), Vec::new());
    for rule in rules::anchored().chain(rules::personal()) {
        assert!(names.insert(rule.id), "{} stands twice", rule.id);
        let before = wrong.len();
        for seed in 0..50 {
            if wrong.len() > before {
                break;
            }
            let hit = filled(rule.hit, seed);
            for text in [hit.clone(), format!("a line before\n{hit}\nand after"), format!("\\n{hit}\\n")] {
                let found = hits(&known, &text);
                if !found.iter().any(|(id, _)| *id == rule.id) {
                    wrong.push(format!("{} misses {text:?}: {found:?}", rule.id));
                }
            }
            let miss = filled(rule.miss, seed);
            if hits(&known, &miss).iter().any(|(id, _)| *id == rule.id) {
                wrong.push(format!("{} takes {miss:?}", rule.id));
            }
        }
    }
    assert!(names.len() >= 100, "{} rules", names.len());
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}
