//! What a program that prints a secret may print: the secret alone, or JSON that also says how long it is good.
//!
//! The JSON is that of the clouds' own command lines and of Kubernetes' credential plugins.

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::kit::{Secret, Time};

/// Where the secret stands, in the order in which it is looked for.
const SECRETS: [&str; 4] = ["/access_token", "/accessToken", "/token", "/status/token"];
/// Where its end stands: an instant in RFC 3339 or seconds since 1970. An instant without a zone is not believed.
const ENDS: [&str; 5] =
    ["/expires_on", "/expires_at", "/expiresAt", "/expirationTimestamp", "/status/expirationTimestamp"];
/// It is fetched anew this long before its end, or after half of what is left where that is sooner.
const LEAD: Duration = Duration::from_secs(60);

/// A secret, and until when it is used.
pub(super) struct Printed {
    pub(super) secret: Secret,
    pub(super) until: Option<Time>,
}

/// Reads it; `None` when it is neither one word nor such JSON.
pub(super) fn read(text: &str, now: Time) -> Option<Printed> {
    let text = text.trim();
    if text.starts_with('{') {
        let json: Value = serde_json::from_str(text).ok()?;
        let word = SECRETS.iter().find_map(|at| json.pointer(at)?.as_str())?;
        return one_word(word).map(|secret| Printed { secret, until: until(&json, now) });
    }
    one_word(text).map(|secret| Printed { secret, until: None })
}

fn one_word(text: &str) -> Option<Secret> {
    let odd = text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control());
    (!odd).then(|| Secret::new(Zeroizing::new(text.to_owned()).as_str()))
}

fn until(json: &Value, now: Time) -> Option<Time> {
    let span = json.pointer("/expires_in").and_then(seconds).map(|life| now.after(life));
    let end = span.or_else(|| ENDS.iter().find_map(|at| instant(json.pointer(at)?)))?;
    let left = end.since(now);
    Some(now.after(left.saturating_sub(LEAD).max(left / 2)))
}

fn seconds(value: &Value) -> Option<Duration> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(Duration::from_secs(number))
}

fn instant(value: &Value) -> Option<Time> {
    if let Some(at) = seconds(value) {
        return Some(Time::default().after(at));
    }
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Time::from_micros(at.as_microsecond()))
}
