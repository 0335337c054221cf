//! What an identity provider's answer means. Errors also come with status 200, and bodies also as forms.

use std::time::Duration;

use bytes::Bytes;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::accounts::refresh::{Device, Refusal, Tokens, Why};
use crate::kit::{Secret, Time};

/// Clocks that are further apart than this are worth a word.
const SKEW: Duration = Duration::from_secs(60);
/// More of a description is not shown.
const WORDS: usize = 300;

/// An answer as it came; without `Debug`, since its body holds tokens.
#[derive(Clone)]
pub struct Heard {
    /// The HTTP status.
    pub status: u16,
    /// The header `content-type`.
    pub content_type: String,
    /// The header `date`.
    pub date: Option<String>,
    /// The header `retry-after`.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Bytes,
    /// When it came, by our own clock.
    pub now: Time,
}

/// The tokens that an answer holds.
pub fn tokens(heard: &Heard) -> Result<Tokens, Refusal> {
    let fields = fields(heard)?;
    let Some(access) = text(&fields, "access_token").filter(|token| !token.is_empty()) else {
        return Err(unusable(heard, "the identity provider's answer holds no access_token"));
    };
    // none is no life at all: the token is used until it is refused
    let life = number(&fields, "expires_in").filter(|seconds| *seconds > 0);
    let life = life.map(|seconds| heard.now.after(Duration::from_secs(seconds)));
    let stated = number(&fields, "expires_on").map(|at| Time::default().after(Duration::from_secs(at)));
    // a span by our own clock cannot be wrong by the clocks' difference; an instant can
    let expires_at = life.or(stated);
    if expires_at.is_some_and(|end| end <= heard.now) {
        let said = apart(heard).unwrap_or_else(|| "; set this machine's clock".to_owned());
        return Err(Refusal::new(Why::Clock, format!("the new token has expired by this machine's clock{said}")));
    }
    let refresh = text(&fields, "refresh_token").filter(|token| !token.is_empty()).map(Secret::new);
    Ok(Tokens { access: Secret::new(access), refresh, came: heard.now, expires_at })
}

/// The login by device code that an answer begins.
pub fn device(heard: &Heard) -> Result<Device, Refusal> {
    let fields = fields(heard)?;
    let url = text(&fields, "verification_uri").or_else(|| text(&fields, "verification_url"));
    let (Some(code), Some(user_code), Some(url)) = (text(&fields, "device_code"), text(&fields, "user_code"), url)
    else {
        return Err(unusable(heard, "the identity provider's answer holds no device_code"));
    };
    let seconds = |name, usual| Duration::from_secs(number(&fields, name).unwrap_or(usual));
    Ok(Device {
        code: Secret::new(code),
        user_code: user_code.to_owned(),
        url: url.to_owned(),
        complete_url: text(&fields, "verification_uri_complete").map(str::to_owned),
        interval: seconds("interval", 5).max(Duration::from_secs(1)),
        expires_at: heard.now.after(seconds("expires_in", 900)),
    })
}

/// The fields of a good answer.
fn fields(heard: &Heard) -> Result<Map<String, Value>, Refusal> {
    let fields = read(heard);
    let error = fields.as_ref().and_then(error);
    match (error, fields) {
        (Some((code, description)), fields) => {
            let interval = fields.and_then(|fields| number(&fields, "interval")).map(Duration::from_secs);
            Err(refusal(heard, code, description, interval))
        }
        (None, Some(fields)) if (200..300).contains(&heard.status) => Ok(fields),
        (None, _) => Err(unusable(heard, "the identity provider's answer is no JSON")),
    }
}

fn read(heard: &Heard) -> Option<Map<String, Value>> {
    if heard.content_type.starts_with("application/x-www-form-urlencoded") {
        let pairs = url::form_urlencoded::parse(&heard.body);
        return Some(pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect());
    }
    serde_json::from_slice(&heard.body).ok()
}

/// `error` and `error_description`, also where a cloud nests them.
fn error(fields: &Map<String, Value>) -> Option<(String, String)> {
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(WORDS).collect::<String>();
    let description = |fields: &Map<String, Value>| {
        let found = ["error_description", "message"].iter().find_map(|name| text(fields, name).map(short));
        found.unwrap_or_default()
    };
    match fields.get("error")? {
        Value::String(code) => Some((short(code), description(fields))),
        Value::Object(inner) => {
            let code = text(inner, "code").or_else(|| text(inner, "status")).unwrap_or("error");
            Some((short(code), description(inner)))
        }
        _ => None,
    }
}

fn refusal(heard: &Heard, code: String, description: String, interval: Option<Duration>) -> Refusal {
    let clock = apart(heard);
    let why = match code.as_str() {
        "invalid_grant" if about_time(&description) => Why::Clock,
        "invalid_grant"
        | "refresh_token_expired"
        | "refresh_token_revoked"
        | "refresh_token_reused"
        | "bad_verification_code" => Why::Grant,
        "authorization_pending" => Why::Pending,
        "slow_down" => Why::SlowDown(interval),
        "access_denied" | "authorization_declined" | "expired_token" => Why::Declined,
        "temporarily_unavailable" | "server_error" => Why::Busy(after(heard)),
        _ => by_status(heard),
    };
    let said = if description.is_empty() { String::new() } else { format!(": {}", description.trim_end_matches('.')) };
    let clock = clock.unwrap_or_default();
    Refusal::new(why, format!("the identity provider says {code}{said}{clock}"))
}

/// An answer that says nothing of its own.
fn unusable(heard: &Heard, what: &str) -> Refusal {
    let why = if (200..300).contains(&heard.status) { Why::Lost } else { by_status(heard) };
    Refusal::new(why, format!("{what} (status {}){}", heard.status, apart(heard).unwrap_or_default()))
}

fn by_status(heard: &Heard) -> Why {
    match heard.status {
        429 | 503 => Why::Busy(after(heard)),
        500..=599 => Why::Lost,
        _ => Why::Client,
    }
}

/// Identity providers refuse a signed request with a wrong time by the same code as a wrong key.
fn about_time(description: &str) -> bool {
    let text = description.to_lowercase();
    ["iat", "reasonable timeframe", "not yet valid", "clock", "in the future"].iter().any(|word| text.contains(word))
}

/// In words how far the clocks are apart, where that is much.
fn apart(heard: &Heard) -> Option<String> {
    let date = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", heard.date.as_deref()?.trim()).ok()?;
    let theirs = Time::from_micros(TimeZone::UTC.to_timestamp(date).ok()?.as_microsecond());
    let (behind, ahead) = (theirs.since(heard.now), heard.now.since(theirs));
    let (by, how) = if behind > ahead { (behind, "behind") } else { (ahead, "ahead of") };
    (by > SKEW).then(|| {
        format!("; this machine's clock is {} s {how} the identity provider's: set this machine's clock", by.as_secs())
    })
}

fn after(heard: &Heard) -> Option<Duration> {
    crate::adapter::hint::retry_after(heard.retry_after.as_deref()?, heard.now)
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str()
}

/// A whole number, also where it is written as a text.
fn number(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    match fields.get(name)? {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds as u64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
