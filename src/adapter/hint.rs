//! How long to wait, in every form in which providers say it. Pure functions of an answer and the time it came.
//!
//! What cannot be read is as good as not said: the next form is tried, and without any the caller has its own ladder.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Answer;
use crate::kit::Time;
use crate::wire::error::Words;

/// No quota is longer than a month; what says more is cut to it.
pub(super) const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// The wait that an answer asks for, the most exact source first. A wait of zero is no hint: providers send it with
/// limits that are not over.
pub fn wait(answer: &Answer, now: Time) -> Option<Duration> {
    let header = |name: &str| answer.headers.get(name)?.to_str().ok();
    let from_ms = || header("retry-after-ms").and_then(|text| seconds(text).map(|wait| wait / 1000));
    let after = || header("retry-after").and_then(|text| retry_after(text, now));
    let left = || header("x-ratelimit-timeremaining").and_then(seconds);
    let found = from_ms().filter(long_enough).or_else(|| after().filter(long_enough));
    let found = found.or_else(|| left().filter(long_enough)).or_else(|| daily_quota(&answer.words.json, now));
    let found = found.or_else(|| retry_info(&answer.words.json));
    let found = found.or_else(|| prose(&answer.words.message)).or_else(|| reset(&answer.headers, now));
    found.map(|wait| wait.min(LONGEST))
}

/// When money is there again, where the body states it (OpenRouter's budgets).
pub fn resets_at(words: &Words, now: Time) -> Option<Time> {
    let stated = ["/error/metadata/resets_at", "/error/resets_at"].iter().find_map(|at| words.json.pointer(at))?;
    let wait = match stated {
        Value::String(text) => moment(text, now)?,
        Value::Number(number) => moment(&number.to_string(), now)?,
        _ => return None,
    };
    Some(now.after(wait.min(LONGEST)))
}

/// `Retry-After`: whole or broken seconds, or an HTTP date in any of the three forms of RFC 9110.
pub fn retry_after(text: &str, now: Time) -> Option<Duration> {
    seconds(text).or_else(|| {
        let formats = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
        let date = formats.iter().find_map(|format| DateTime::strptime(format, text.trim()).ok())?;
        until(TimeZone::UTC.to_timestamp(date).ok()?, now)
    })
}

/// A reset header: a Go duration, seconds, epoch seconds, epoch milliseconds, or an RFC 3339 instant.
pub fn moment(text: &str, now: Time) -> Option<Duration> {
    let text = text.trim();
    if let Some(wait) = seconds(text) {
        return match wait.as_secs() {
            0..=1_000_000_000 => Some(wait),
            1_000_000_001..=1_000_000_000_000 => Some(Time::default().after(wait).since(now)),
            _ => Some(Time::default().after(wait / 1000).since(now)),
        };
    }
    match go_duration(text) {
        Some((wait, "")) => Some(wait),
        _ => until(text.parse().ok()?, now),
    }
}

/// A wait in a sentence: `try again in 8.5s`, `retry after 26 seconds`, `wait 1m30s`.
pub fn prose(text: &str) -> Option<Duration> {
    let text = text.to_lowercase();
    ["try again in ", "retry after ", "retry in ", "wait ", "reset after "].iter().find_map(|mark| {
        text.match_indices(mark).find_map(|(at, _)| {
            let (wait, _) = go_duration(&text[at + mark.len()..])?;
            long_enough(&wait).then_some(wait)
        })
    })
}

/// Google's `QuotaFailure` of a day's quota: until midnight on the Pacific coast, whatever its `RetryInfo` says.
fn daily_quota(json: &Value, now: Time) -> Option<Duration> {
    let details = json.pointer("/error/details")?.as_array()?;
    let mut violations = details.iter().filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    violations.find(|violation| violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay")))?;
    // the rule itself: a machine may lack the time zones' files
    let pacific = TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").ok()?;
    let here = Timestamp::from_microsecond(now.as_micros()).ok()?.to_zoned(pacific.clone());
    let midnight = here.date().tomorrow().ok()?.to_zoned(pacific).ok()?;
    until(midnight.timestamp(), now)
}

/// Google's `RetryInfo`, else the reset that its `ErrorInfo` names.
fn retry_info(json: &Value) -> Option<Duration> {
    let details = json.pointer("/error/details")?.as_array()?;
    ["/retryDelay", "/metadata/quotaResetDelay"].iter().find_map(|at| {
        let text = details.iter().find_map(|detail| detail.pointer(at)?.as_str())?;
        let (wait, rest) = go_duration(text)?;
        (rest.is_empty() && long_enough(&wait)).then_some(wait)
    })
}

/// The latest reset among the buckets that are empty. A bucket that still holds something is not what limits, and one
/// of a day or a month says when it is *full* again, which is no wait.
fn reset(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let empty = |name: &str| {
        let remaining = headers.get(name.replacen("reset", "remaining", 1));
        remaining.is_none_or(|left| left.to_str().is_ok_and(|left| left.trim() == "0"))
    };
    let waits = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str();
        let bucket = name.contains("ratelimit") && name.contains("reset") && empty(name);
        let short = !name.contains("day") && !name.contains("month");
        (bucket && short).then(|| moment(value.to_str().ok()?, now)).flatten()
    });
    waits.filter(long_enough).max()
}

fn long_enough(wait: &Duration) -> bool {
    !wait.is_zero()
}

/// A plain decimal number of seconds; no sign, no exponent, no `inf`.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain { None } else { Duration::try_from_secs_f64(text.parse().ok()?).ok() }
}

/// `1h2m3.5s`, `12ms`, `2 minutes`: number and unit, repeated; and what follows it.
fn go_duration(text: &str) -> Option<(Duration, &str)> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    let mut read = false;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.strip_prefix(' ').unwrap_or(after);
        let word = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (word, after) = after.split_at(word);
        let Some(part) = number.parse::<f64>().ok().and_then(|n| Duration::try_from_secs_f64(n * unit(word)?).ok())
        else {
            return read.then_some((total, rest));
        };
        total = total.saturating_add(part);
        (read, rest) = (true, after);
    }
}

/// Seconds in a unit.
fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

fn until(at: Timestamp, now: Time) -> Option<Duration> {
    Some(Time::from_micros(at.as_microsecond()).since(now))
}
