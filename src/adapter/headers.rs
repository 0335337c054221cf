//! Which of a client's headers reach the provider.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::catalog::Provider;
use crate::redact::Redacted;
use crate::wire::Payload;

/// Headers that pass. No `accept-encoding`: answers are relayed as they are, and their frames must stay readable.
const PASS: [&str; 6] =
    ["content-type", "accept", "idempotency-key", "x-client-request-id", "traceparent", "tracestate"];

/// Families that pass.
const PASS_PREFIX: &str = "openai-";

/// These two name an account's organisation, so they belong to the account and not to the client.
const ACCOUNT: [&str; 2] = ["openai-organization", "openai-project"];

/// The client's headers that pass, less those the provider drops, then the provider's own. `more` are header families
/// that the dialect knows besides.
pub(super) fn passed(provider: &Provider, call: &Redacted, more: &[&str]) -> HeaderMap {
    let passes = |name: &HeaderName| {
        let text = name.as_str();
        let known = PASS.contains(&text)
            || text.starts_with(PASS_PREFIX) && !ACCOUNT.contains(&text)
            || more.iter().any(|family| text.starts_with(family));
        known && !provider.drop_headers.contains(name)
    };
    let mut out = HeaderMap::new();
    for (name, value) in call.headers.iter().filter(|(name, _)| passes(name)) {
        out.append(name.clone(), value.clone());
    }
    if matches!(call.payload, Payload::Json(_)) && !out.contains_key(header::CONTENT_TYPE) {
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &provider.headers {
        out.insert(name.clone(), value.clone());
    }
    out
}
