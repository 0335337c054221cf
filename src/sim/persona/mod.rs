//! The manners of a vendor: what it checks, how it refuses, what only it sends. Written from the vendors' documents,
//! never from what the gateway does.

mod azure;
mod deepseek;
mod fields;
mod generic;
mod openai;
mod xai;

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::chat::{self, Head};
use super::model::{Thinking, Usage};
use super::refusal::{Refusal, Throttle};
use crate::wire::Endpoint;

/// The vendors whose manners are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    /// OpenAI.
    Openai,
    /// Azure OpenAI: v1 path, and classic deployments path with `api-version`.
    Azure,
    /// xAI.
    Xai,
    /// DeepSeek.
    Deepseek,
    /// An easy-going server such as vLLM: a key is optional, unknown fields are ignored.
    Generic,
}

impl Persona {
    /// All of them, with the names by which people choose them.
    pub const ALL: [(&'static str, Self); 5] = [
        ("openai", Self::Openai),
        ("azure", Self::Azure),
        ("xai", Self::Xai),
        ("deepseek", Self::Deepseek),
        ("generic", Self::Generic),
    ];

    /// The path that a base URL for this vendor ends in.
    pub const fn base_path(self) -> &'static str {
        match self {
            Self::Azure => "/openai/v1",
            Self::Deepseek => "",
            Self::Openai | Self::Xai | Self::Generic => "/v1",
        }
    }

    pub(crate) fn vendor(self) -> &'static dyn Vendor {
        match self {
            Self::Openai => &openai::Openai,
            Self::Azure => &azure::Azure,
            Self::Xai => &xai::Xai,
            Self::Deepseek => &deepseek::Deepseek,
            Self::Generic => &generic::Generic,
        }
    }
}

impl FromStr for Persona {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, persona)| *persona).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("no persona is named {name:?}; take one of {names}")
        })
    }
}

/// The line of a request.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
}

impl At<'_> {
    /// A value in the query string.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        let pairs = self.query?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

/// What a path names.
pub(crate) struct Place {
    /// The endpoint below the vendor's base path.
    pub endpoint: Endpoint,
    /// The model, where it stands in the path.
    pub model: Option<String>,
}

/// A vendor's manners. What is the same for all stands here.
pub(crate) trait Vendor: Send + Sync {
    /// Its own models beside those of the offline provider.
    fn models(&self) -> &'static [&'static str];
    /// Who owns its models, as the model list says.
    fn owner(&self) -> &'static str;
    /// The key in the headers; `None` where none was sent and none is needed.
    fn credential<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Refusal> {
        bearer(headers).map(Some).ok_or(Refusal::NoKey)
    }
    /// What a path means.
    fn locate(&self, at: &At<'_>) -> Result<Place, Refusal>;
    /// What is wrong with a question, beside key, path, model and length.
    fn check(&self, ask: &Ask) -> Result<(), Refusal>;
    /// Its words for a refusal.
    fn refuse(&self, refusal: &Refusal, at: &At<'_>) -> Answer;
    /// Whether it takes uploads and other calls at this path.
    fn takes(&self, path: &str) -> bool {
        let first = path.split('/').next().unwrap_or_default();
        ["audio", "batches", "files", "images", "moderations", "rerank"].contains(&first)
    }
    /// A page of its own that can be read.
    fn page(&self, _path: &str) -> Option<Value> {
        None
    }
    /// Whether it has a content filter.
    fn filters(&self) -> bool {
        true
    }
    /// Whether its model thinks.
    fn thinking(&self, _ask: &Ask) -> Thinking {
        Thinking::No
    }
    /// The fields by which a client limits an answer, first match first.
    fn limit_fields(&self) -> &'static [&'static str] {
        &["max_completion_tokens", "max_tokens"]
    }
    /// Its way of counting.
    fn usage(&self, usage: Usage) -> Value {
        chat::usage(usage)
    }
    /// What it sends while a client waits for the first word.
    fn waiting(&self, _stream: bool) -> Vec<Bytes> {
        Vec::new()
    }
    /// What it adds to the chunks of a chat.
    fn dress(&self, _ask: &Ask, _head: &Head, _chunks: &mut Vec<Value>) {}
    /// What it adds to a whole chat completion.
    fn dress_whole(&self, _whole: &mut Value) {}
    /// Headers on every answer.
    fn sign(&self, answer: Answer) -> Answer {
        answer.header("x-request-id", "req_sim")
    }
    /// Headers that tell where a caller stands in its window.
    fn limits(&self, answer: Answer, throttle: &Throttle) -> Answer {
        counted(answer, throttle)
            .header("x-ratelimit-reset-requests", go_duration(throttle.reset))
            .header("x-ratelimit-reset-tokens", go_duration(throttle.reset))
    }
}

/// `Authorization: Bearer KEY`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::trim).filter(|key| !key.is_empty())
}

/// The endpoint at a path below one of these roots.
fn below(path: &str, roots: &[&str]) -> Result<Place, Refusal> {
    let rest = roots.iter().find_map(|root| path.strip_prefix(root)?.strip_prefix('/'));
    let endpoint = Endpoint::from_path(rest.ok_or(Refusal::NoPath)?.trim_end_matches('/'));
    Ok(Place { endpoint, model: None })
}

/// An error body in OpenAI's shape: all four members are always there.
fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// The four headers that all vendors with limits share.
fn counted(answer: Answer, throttle: &Throttle) -> Answer {
    answer
        .header("x-ratelimit-limit-requests", throttle.limit)
        .header("x-ratelimit-remaining-requests", throttle.remaining)
        .header("x-ratelimit-limit-tokens", 30_000)
        .header("x-ratelimit-remaining-tokens", 30_000)
}

/// A wait in whole seconds, rounded up, at least one.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

/// A duration as Go prints it: `12ms`, `7.66s`, `6m0s`, `1h2m3s`.
pub(crate) fn go_duration(time: Duration) -> String {
    let millis = time.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (seconds, fraction) = (millis / 1000, format!("{:03}", millis % 1000));
    let dot = if fraction == "000" { "" } else { "." };
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let head = match (hours, minutes) {
        (0, 0) => String::new(),
        (0, _) => format!("{minutes}m"),
        _ => format!("{hours}h{minutes}m"),
    };
    format!("{head}{rest}{dot}{}s", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_prints_them() {
        let cases = [(12, "12ms"), (1000, "1s"), (7660, "7.66s"), (360_000, "6m0s"), (3_723_500, "1h2m3.5s")];
        for (millis, text) in cases {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }
}
