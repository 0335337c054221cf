//! What is searched, masked and restored takes time in proportion to its length, however it is made.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keywheel::config::Redact;
use keywheel::redact::{Flow, Known, Restorer, pass, rules};
use keywheel::wire::{Call, Json, Payload};
use serde_json::json;

/// A megabyte takes a tenth of a second here, without optimisation; what grows with the square takes minutes.
const LONGEST: Duration = Duration::from_secs(20);
const MEGABYTE: usize = 1 << 20;

fn check(what: &str, run: impl FnOnce()) {
    let began = Instant::now();
    run();
    let took = began.elapsed();
    eprintln!("{what}: {took:?}");
    assert!(took < LONGEST, "{what}: {took:?}");
}

fn call(body: &str) -> Call {
    let payload = Payload::Json(Json::parse(Bytes::from(body.to_owned())).expect("an object"));
    Call { payload, ..crate::redact::plain() }
}

fn mails(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        write!(text, "\"jane.{at}@example.org\",").expect("a text");
        text
    })
}

/// Bodies of about a megabyte.
fn bodies() -> Vec<(&'static str, String)> {
    let deep = MEGABYTE / 4;
    let strings = "\"x\",".repeat(MEGABYTE / 8);
    let nested = |open: &str, inside: &str, close: &str| {
        format!("{{\"a\":{}{inside}0{}}}", open.repeat(deep), close.repeat(deep))
    };
    vec![
        ("lists in lists", nested("[", &strings, "]")),
        ("objects in objects", nested("{\"a\":", "", "}").replace(":0", ":\"jane@example.org\"")),
        ("mails in lists in lists", nested("[", &mails(20_000), "]")),
        ("a wide list", format!("{{\"a\":[{strings}0]}}")),
        ("a wide list of mails", format!("{{\"input\":[{}0]}}", mails(40_000))),
        ("mails beside placeholders", format!("{{\"input\":[\"[email-1] [email-7] [email-\",{}0]}}", mails(40_000))),
        ("a key with a megabyte", format!("{{\"{}\":\"jane@example.org\"}}", "token".repeat(MEGABYTE / 5))),
        ("a text full of brackets", format!("{{\"input\":\"{} jane@example.org\"}}", "[".repeat(MEGABYTE))),
        ("escapes", format!("{{\"input\":\"{} jane@example.org\"}}", "\\u005b\\n".repeat(MEGABYTE / 8))),
    ]
}

#[test]
fn a_megabyte_of_any_shape_is_masked_and_refused_in_time() {
    for (what, body) in bodies() {
        let secrets = body.contains('@');
        check(&format!("mask: {what}"), || {
            let call = pass(call(&body), Redact::Mask, &Known::default()).expect("masked");
            let sent = call.splice(&[]).joined();
            assert!(memchr::memchr(b'@', &sent).is_none() && call.masks().is_some() == secrets);
        });
        check(&format!("block: {what}"), || {
            let fault = pass(call(&body), Redact::Block, &Known::default()).err();
            assert_eq!(fault.is_some(), secrets);
            assert!(fault.is_none_or(|fault| fault.message.len() < 2000), "a place is told in few words");
        });
    }
}

#[test]
fn a_megabyte_of_any_shape_is_restored_in_time() {
    let asked = json!({"input": "jane@example.org"}).to_string();
    let masks = || pass(call(&asked), Redact::Mask, &Known::default()).expect("masked").masks().expect("masks");
    for (what, body) in bodies() {
        check(&format!("whole: {what}"), || {
            let mut restorer = Restorer::whole(masks());
            let out = [restorer.push(body.as_bytes()), restorer.end()].concat();
            assert!(out.len() >= body.len());
        });
        check(&format!("events: {what}"), || {
            let mut restorer = Restorer::events(masks());
            let frame = format!("data: {body}\n\n");
            let out = [restorer.push(frame.as_bytes()), restorer.end()].concat();
            assert!(out.len() >= frame.len());
        });
    }
}

#[test]
fn many_times_each_rules_example_and_its_beginning_is_searched_in_time() {
    let known = Known::default();
    let began = Instant::now();
    let mut slowest = (Duration::ZERO, String::new());
    for rule in rules::anchored().chain(rules::personal()) {
        for length in [6, 12, 24, usize::MAX] {
            let unit = &rule.hit[..rule.hit.floor_char_boundary(length)];
            let text = unit.repeat((64 << 10) / unit.len().max(1));
            let start = Instant::now();
            // too much of it is refused, which is an answer too
            drop(known.clean(text.as_bytes()));
            let took = start.elapsed();
            if took > slowest.0 {
                slowest = (took, format!("{}: {unit:?}", rule.id));
            }
        }
    }
    eprintln!("all in {:?}, the slowest in {:?}: {}", began.elapsed(), slowest.0, slowest.1);
    assert!(slowest.0 < LONGEST, "{slowest:?}");
}

#[test]
fn a_flow_of_small_chunks_is_searched_in_time() {
    let known = Known::default();
    check("a megabyte in chunks of 16 bytes", || {
        let (text, mut flow, mut out) = ("some words of a log, ".repeat(MEGABYTE / 21), Flow::new(known.clone()), 0);
        text.as_bytes().chunks(16).for_each(|chunk| out += flow.push(chunk).len());
        assert_eq!(out + flow.end().len(), text.len());
    });
}
