//! What the adapter tests share: the shipped providers as the loader hands them out, and calls to try them with.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keywheel::catalog::{Provider, Stanza, Timeouts};
use keywheel::config::Redact;
use keywheel::kit::{CallId, Time};
use keywheel::redact::{self, Known, Redacted};
use keywheel::wire::{Call, Caller, Endpoint, Json, Payload};

/// 2026-11-20T10:00:17Z: seventeen seconds into a minute.
pub const NOW: Time = Time::from_micros(1_795_168_817_000_000);

pub fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("providers")
}

pub fn shipped(id: &str) -> Provider {
    let path = folder().join(format!("{id}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    provider(id, &text)
}

pub fn provider(id: &str, text: &str) -> Provider {
    let stanza: Stanza = toml::from_str(text).unwrap_or_else(|error| panic!("{id}: {error}"));
    stanza.provider(id, Timeouts::default(), &folder()).unwrap_or_else(|flaws| panic!("{id}: {flaws:?}"))
}

pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"));
    }
    map
}

/// A call that passed redaction.
pub fn call(endpoint: Endpoint, sent: &[(&str, &str)], body: &'static str) -> Redacted {
    let bytes = Bytes::from_static(body.as_bytes());
    let payload = match Json::parse(bytes.clone()) {
        Ok(json) => Payload::Json(json),
        Err(_) => Payload::Raw(bytes),
    };
    let call = Call {
        id: CallId::new(),
        at: NOW,
        endpoint,
        method: Method::POST,
        query: None,
        headers: headers(sent),
        model: None,
        stream: false,
        caller: Arc::new(Caller { name: "test".into(), models: Vec::new(), hide_account: false }),
        patience: None,
        payload,
    };
    redact::pass(call, Redact::Off, &Known::default()).expect("nothing is looked for")
}
