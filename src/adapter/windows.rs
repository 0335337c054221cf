//! What an answer's headers say about limits: every form that is in use, as one table. Pure; `now` is handed in.
//!
//! A value that cannot be read is as good as not said. A window without any number says nothing and is left out.

use http::HeaderMap;

use super::hint;
use crate::kit::Time;
use crate::kit::window::{Fills, Reach, Span, What, Window};

/// A family of headers: `limit`, `remaining` or `reset` stands between `before` and `after`.
struct Family(&'static str, &'static str, What, Span, Reach);

/// Every family. Longer names stand before those that they end like.
const FAMILIES: [Family; 21] = [
    Family("x-ratelimit-", "-requests", What::Requests, Span::Unsaid, Reach::Model),
    Family("x-ratelimit-", "-tokens", What::Tokens, Span::Unsaid, Reach::Model),
    Family("x-ratelimit-", "-requests-minute", What::Requests, Span::Minute, Reach::Model),
    Family("x-ratelimit-", "-requests-hour", What::Requests, Span::Hour, Reach::Model),
    Family("x-ratelimit-", "-requests-day", What::Requests, Span::Day, Reach::Model),
    Family("x-ratelimit-", "-tokens-minute", What::Tokens, Span::Minute, Reach::Model),
    Family("x-ratelimit-", "-tokens-hour", What::Tokens, Span::Hour, Reach::Model),
    Family("x-ratelimit-", "-tokens-day", What::Tokens, Span::Day, Reach::Model),
    Family("x-ratelimit-", "-req-minute", What::Requests, Span::Minute, Reach::Model),
    Family("x-ratelimit-", "", What::Requests, Span::Unsaid, Reach::Account),
    Family("x-tokenlimit-", "", What::Tokens, Span::Unsaid, Reach::Account),
    Family("x-ratelimitbysize-", "-minute", What::Tokens, Span::Minute, Reach::Model),
    Family("x-ratelimitbysize-", "-month", What::Tokens, Span::Month, Reach::Account),
    Family("ratelimitbysize-", "", What::Tokens, Span::Unsaid, Reach::Model),
    // the drafts of the IETF up to the sixth
    Family("ratelimit-", "", What::Requests, Span::Unsaid, Reach::Account),
    Family("anthropic-ratelimit-requests-", "", What::Requests, Span::Unsaid, Reach::Model),
    Family("anthropic-ratelimit-tokens-", "", What::Tokens, Span::Unsaid, Reach::Model),
    Family("anthropic-ratelimit-input-tokens-", "", What::InputTokens, Span::Unsaid, Reach::Model),
    Family("anthropic-ratelimit-output-tokens-", "", What::OutputTokens, Span::Unsaid, Reach::Model),
    Family("x-ratelimit-", "-input-tokens", What::InputTokens, Span::Unsaid, Reach::Model),
    Family("x-ratelimit-", "-output-tokens", What::OutputTokens, Span::Unsaid, Reach::Model),
];

/// Windows that only say whether they are used up (`allowed`, `rejected`), with the second of the epoch in which they
/// end: the part of the name, how long, and how far it reaches.
const UNIFIED: [(&str, Span, Reach); 4] = [
    ("", Span::Unsaid, Reach::Account),
    ("5h-", Span::FiveHours, Reach::Account),
    ("7d-", Span::Week, Reach::Account),
    ("7d_oi-", Span::Week, Reach::Model),
];

/// Every window that an answer tells of, good answer or refusal.
pub fn read(headers: &HeaderMap, now: Time) -> Vec<Window> {
    let mut windows = Vec::new();
    // most answers of local servers tell of none
    if !headers.keys().any(|name| name.as_str().contains("limit")) {
        return windows;
    }
    for (name, value) in headers {
        let (name, Ok(text)) = (name.as_str(), value.to_str()) else { continue };
        if let Some((at, part)) = family(name) {
            note(&mut windows, &FAMILIES[at], part, text, now);
        }
    }
    for window in &mut windows {
        // a minute that does not say when it ends is one of the wall clock
        if window.span == Span::Minute && window.reset.is_none() {
            window.reset = Some(next_minute(now));
        }
    }
    windows.extend(unified(headers, now));
    windows.extend(named(headers, now));
    windows.extend(structured(headers, now));
    windows.retain(|window| window.left.is_some() || window.limit.is_some());
    windows
}

/// The parts of a family's names.
#[derive(Clone, Copy)]
enum Part {
    Limit,
    Left,
    Reset,
}

/// Which family a header belongs to, and which part of it it is.
fn family(name: &str) -> Option<(usize, Part)> {
    FAMILIES.iter().enumerate().find_map(|(at, Family(before, after, ..))| {
        let part = match name.strip_prefix(before)?.strip_suffix(after)? {
            "limit" => Part::Limit,
            "remaining" => Part::Left,
            "reset" => Part::Reset,
            _ => return None,
        };
        Some((at, part))
    })
}

fn note(windows: &mut Vec<Window>, family: &Family, part: Part, text: &str, now: Time) {
    let &Family(_, _, what, span, reach) = family;
    let blank = Window { what, span, reach, limit: None, left: None, reset: None, fills: Fills::AtOnce };
    let at = windows.iter().position(|window| window.is_same(&blank)).unwrap_or_else(|| {
        windows.push(blank);
        windows.len() - 1
    });
    let window = &mut windows[at];
    match part {
        Part::Limit => window.limit = window.limit.or_else(|| number(text)),
        Part::Left => window.left = window.left.or_else(|| number(text)),
        Part::Reset => {
            let Some(wait) = hint::moment(text, now) else { return };
            window.reset = Some(now.after(wait.min(hint::LONGEST)));
            // a duration with units, and an instant in words, tell when the bucket is full; a bare number when it begins anew
            let bare = text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            window.fills = if bare { Fills::AtOnce } else { Fills::Evenly };
        }
    }
}

/// A whole number; `10, 10;w=60` of the older drafts begins with one.
fn number(text: &str) -> Option<u64> {
    let first = text.split([',', ';']).next()?.trim();
    first.bytes().all(|byte| byte.is_ascii_digit()).then(|| first.parse().ok()).flatten()
}

fn next_minute(now: Time) -> Time {
    Time::from_micros((now.as_secs().div_euclid(60) + 1) * 60_000_000)
}

/// Windows of which only the state is told.
fn unified(headers: &HeaderMap, now: Time) -> Vec<Window> {
    let text = |part: &str, end: &str| {
        headers.get(format!("anthropic-ratelimit-unified-{part}{end}"))?.to_str().ok().map(str::trim)
    };
    let window = |&(part, span, reach): &(&str, Span, Reach)| {
        // how much there is of an allowed one is not told
        text(part, "status").filter(|status| *status == "rejected")?;
        let reset = hint::moment(text(part, "reset")?, now).map(|wait| now.after(wait.min(hint::LONGEST)));
        let (what, fills) = (What::Requests, Fills::AtOnce);
        Some(Window { what, span, reach, limit: None, left: Some(0), reset, fills })
    };
    UNIFIED.iter().filter_map(window).collect()
}

/// A refusal that names the limit it met by its kind: `UserByMinute`, `UserByDay`. One of calls at once is no window.
fn named(headers: &HeaderMap, now: Time) -> Option<Window> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let kind = text("x-ratelimit-type")?;
    let span = match kind {
        _ if kind.ends_with("ByMinute") => Span::Minute,
        _ if kind.ends_with("ByDay") => Span::Day,
        _ => return None,
    };
    let wait = hint::moment(text("x-ratelimit-timeremaining")?, now).filter(|wait| !wait.is_zero())?;
    let reset = Some(now.after(wait.min(hint::LONGEST)));
    let (what, reach, fills) = (What::Requests, Reach::Model, Fills::AtOnce);
    Some(Window { what, span, reach, limit: None, left: Some(0), reset, fills })
}

/// The structured fields of the IETF: `RateLimit: "name";r=5;t=30` with `RateLimit-Policy: "name";q=10;w=60`, and the
/// seventh draft's `limit=10, remaining=5, reset=30`.
fn structured(headers: &HeaderMap, now: Time) -> Vec<Window> {
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let policies: Vec<Item<'_>> = items(field("ratelimit-policy"));
    let said = items(field("ratelimit"));
    let reset = |seconds: Option<&str>| {
        let wait = std::time::Duration::from_secs(number(seconds?)?);
        Some(now.after(wait.min(hint::LONGEST)))
    };
    let (reach, fills) = (Reach::Account, Fills::AtOnce);
    let blank = Window { what: What::Requests, span: Span::Unsaid, reach, limit: None, left: None, reset: None, fills };
    let bare = |name: &str| said.iter().find(|item| item.name == name).and_then(|item| item.value);
    if let Some(left) = bare("remaining") {
        let limit = bare("limit").and_then(number);
        return vec![Window { limit, left: number(left), reset: reset(bare("reset")), ..blank }];
    }
    let window = |item: &Item<'_>| {
        let left = number(item.parameter("r")?)?;
        let policy = policies.iter().find(|policy| policy.name == item.name);
        let of_policy = |name: &str| policy.and_then(|policy| policy.parameter(name));
        let unit = of_policy("qu").unwrap_or("requests").trim_matches('"');
        let what = match (unit, item.name.contains("token")) {
            ("requests", false) => What::Requests,
            ("requests" | "tokens", _) => What::Tokens,
            // bytes of content, and calls at once, are no windows of ours
            _ => return None,
        };
        let span = of_policy("w").and_then(number).map_or(Span::Unsaid, Span::of);
        let limit = of_policy("q").and_then(number);
        Some(Window { what, span, limit, left: Some(left), reset: reset(item.parameter("t")), ..blank })
    };
    said.iter().filter_map(window).collect()
}

/// A member of a structured field.
struct Item<'a> {
    name: &'a str,
    /// What stands behind its `=`, where it is a member of a dictionary.
    value: Option<&'a str>,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Item<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(own, _)| *own == name).map(|&(_, value)| value)
    }
}

/// The members of a list or dictionary of RFC 9651, as far as limits need them: names without commas or semicolons.
fn items(text: &str) -> Vec<Item<'_>> {
    text.split(',').filter_map(item).collect()
}

fn item(text: &str) -> Option<Item<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let first = parts.next().filter(|first| !first.is_empty())?;
    let (name, value) = first.split_once('=').map_or((first, None), |(name, value)| (name, Some(value)));
    let parameters = parts.filter_map(|part| part.split_once('=')).collect();
    Some(Item { name: name.trim_matches('"'), value, parameters })
}
