//! The redaction corpus: secrets drawn by the formats that their issuers document, in every place where they turn up, and
//! five megabytes in which there are none. Written from those documents, and not from the rule table.

mod formats;
mod innocent;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use formats::{Class, Draw, formats};
use keywheel::kit::Secret;
use keywheel::redact::{Flow, Known};

/// Where a secret may stand.
fn placements(name: &str, secret: &str) -> Vec<String> {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let inner = format!("{{\"{name}\": {}, \"n\": 1}}", json(secret));
    vec![
        format!("{name}={secret}\n"),
        format!("export {name}=\"{secret}\"\n# and more\n"),
        format!("{name}: {secret}\nother: value\n"),
        inner.clone(),
        format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{}}}]}}", json(&format!("{name}={secret}\nthanks"))),
        format!("{{\"arguments\":{}}}", json(&inner)),
        format!("const {name} = '{secret}';\nfetch(url)"),
        format!("https://api.example.com/v1/things?page=2&{name}={secret}&limit=10"),
        format!("POST /v1 HTTP/1.1\r\nhost: x\r\n{}: {secret}\r\naccept: */*\r\n", name.replace('_', "-")),
        format!("curl -H '{name}: {secret}' https://api.example.com/"),
        format!("the {name} is {secret}, do not tell"),
        format!("| {name} | `{name}={secret}` |"),
    ]
}

struct Score {
    found: usize,
    of: usize,
    lost: Vec<String>,
}

/// How much of each class is found in all placements.
fn scores() -> (usize, usize, BTreeMap<Class, Score>) {
    let (mut kinds, mut count, mut scores) = (0, 0, BTreeMap::new());
    for (number, format) in formats().into_iter().enumerate() {
        kinds += 1;
        let mut draw = Draw::new(number as u64 + 1);
        let known = Known::default();
        for _ in 0..8 {
            let secret = (format.make)(&mut draw);
            if format.class == Class::Vault {
                known.learn(&Secret::new(&*secret));
            }
            let core = format.core.map_or(secret.clone(), |core| core(&secret));
            for text in placements(format.name, &secret) {
                count += 1;
                let score = scores.entry(format.class).or_insert(Score { found: 0, of: 0, lost: Vec::new() });
                score.of += 1;
                let out = String::from_utf8(known.clean(text.as_bytes()).into_owned()).expect("UTF-8");
                let hidden = !out.contains(&core) && out.contains("[redacted]");
                if hidden {
                    score.found += 1;
                } else {
                    score.lost.push(format!("{}: {text:?} → {out:?}", format.id));
                }
            }
        }
    }
    (kinds, count, scores)
}

#[test]
fn what_is_secret_is_found_wherever_it_stands() {
    let (kinds, count, scores) = scores();
    assert!(kinds >= 40 && count >= 4_000, "{kinds} formats, {count} placements");
    for (class, score) in scores {
        let least = match class {
            Class::Vault | Class::Marked => score.of,
            Class::Summed => (score.of * 98).div_ceil(100),
            Class::Random => (score.of * 90).div_ceil(100),
        };
        let share = score.found as f64 * 100.0 / score.of as f64;
        eprintln!("{class:?}: {} of {} ({share:.2} %)", score.found, score.of);
        let lost: Vec<_> = score.lost.iter().take(30).collect();
        assert!(score.found >= least, "{class:?}: {} of {}, lost {lost:#?}", score.found, score.of);
    }
}

#[test]
fn a_vault_secret_is_found_in_every_encoding() {
    let mut draw = Draw::new(99);
    for _ in 0..20 {
        let secret = format!("{}/{}+&\"{}", draw.of("abcXYZ019", 9), draw.of("abcXYZ019", 9), draw.of("<>=~", 4));
        let known = Known::default();
        known.learn(&Secret::new(&*secret));
        let once: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::Value::from(&*secret).to_string();
        let base64 = (0..3).map(|lead| STANDARD.encode(format!("{}{secret}--", "u".repeat(lead))));
        for form in [secret.clone(), json[1..json.len() - 1].to_owned(), once].into_iter().chain(base64) {
            let text = format!("before {form} after");
            let out = known.clean(text.as_bytes());
            assert!(String::from_utf8_lossy(&out).contains("[redacted]"), "{text} of {secret}");
        }
    }
}

#[test]
fn a_secret_is_found_wherever_two_chunks_are_cut() {
    // a flow gives on what came in parts of its own, so the cut that matters is where it does: 48 KiB in
    let (mut cuts, known) = (0, Known::default());
    known.learn(&Secret::new("vault secret of a few words"));
    for (number, format) in formats().into_iter().enumerate().filter(|(number, _)| number % 4 == 0) {
        let secret = (format.make)(&mut Draw::new(number as u64 + 7));
        let text = format!("{}={secret} ", format.name);
        for cut in (0..=text.len()).step_by(3) {
            let pad = " .\n".repeat((48 << 10) / 3);
            let whole = format!("{}{text}vault secret of a few words{}", &pad[cut..], " .\n".repeat(8 << 10));
            let mut flow = Flow::new(known.clone());
            let (head, tail) = whole.as_bytes().split_at((48 << 10) + (cut * 7) % 300);
            let mut out = flow.push(head);
            out.extend(flow.push(tail));
            out.extend(flow.end());
            assert!(out == *known.clean(whole.as_bytes()), "{} cut at {cut}", format.id);
            cuts += 1;
        }
    }
    assert!(cuts > 150, "{cuts}");
}

#[test]
fn every_placement_is_cleaned_the_same_wherever_it_is_split_over_two_chunks() {
    let (mut splits, mut placed, mut wrong) = (0, 0, Vec::new());
    for (number, format) in formats().into_iter().enumerate() {
        let (secret, known) = ((format.make)(&mut Draw::new(number as u64 + 31)), Known::default());
        if format.class == Class::Vault {
            known.learn(&Secret::new(&*secret));
        }
        for text in placements(format.name, &secret) {
            placed += 1;
            let clean = known.clean(text.as_bytes()).into_owned();
            for split in 0..=text.len() {
                // the network's cut
                let (head, tail) = text.as_bytes().split_at(split);
                let mut flow = Flow::new(known.clone());
                let out = [flow.push(head), flow.push(tail), flow.end()].concat();
                splits += 1;
                if out != clean {
                    wrong.push(format!("{} split at {split} of {text:?}", format.id));
                }
            }
        }
    }
    eprintln!("{placed} placements, {splits} splits, {} wrong", wrong.len());
    assert!(
        splits > 50_000 && wrong.is_empty(),
        "{splits} splits, {} wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
}

#[test]
fn a_secret_of_each_format_is_found_wherever_a_flow_gives_its_part_on() {
    let (mut lines, mut wrong) = (0, Vec::new());
    let (before, after) = (" .\n".repeat((48 << 10) / 3), " .\n".repeat((24 << 10) / 3));
    for (number, format) in formats().into_iter().enumerate() {
        let (secret, known) = ((format.make)(&mut Draw::new(number as u64 + 57)), Known::default());
        if format.class == Class::Vault {
            known.learn(&Secret::new(&*secret));
        }
        let text = format!("{}={secret} ", format.name);
        let whole = format!("{before}{text}{after}");
        let clean = known.clean(whole.as_bytes()).into_owned();
        // what is given on ends 16 KiB before the end of the chunk, once 64 KiB are there: at each byte of the secret
        for byte in 0..=text.len() {
            let (head, tail) = whole.as_bytes().split_at((64 << 10) + byte);
            let mut flow = Flow::new(known.clone());
            let out = [flow.push(head), flow.push(tail), flow.end()].concat();
            lines += 1;
            if out != clean {
                wrong.push(format!("{} given on at {byte}", format.id));
            }
        }
    }
    eprintln!("{lines} lines, {} wrong", wrong.len());
    assert!(lines > 3_000 && wrong.is_empty(), "{lines} lines, wrong: {wrong:#?}");
}

#[test]
fn ordinary_text_holds_no_secrets() {
    let known = Known::default();
    let (mut bytes, mut found) = (0, Vec::new());
    for (name, text) in innocent::texts() {
        bytes += text.len();
        for hit in known.hits(text.as_bytes()).expect("searched") {
            let line = text[..hit.start].lines().count();
            found.push(format!("{name}:{line}: {} {:?}", hit.id(), &text[hit.start..hit.end.min(hit.start + 60)]));
        }
    }
    eprintln!("{} false hits in {bytes} bytes:\n{}", found.len(), found.join("\n"));
    assert!(bytes >= 5_000_000, "{bytes}");
    assert!(found.len() <= 10, "{} false hits:\n{}", found.len(), found.join("\n"));
}
