//! Why a persona does not answer. Each vendor has its own words for each of these.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// The vendor's auth header is missing or has another form.
    NoKey,
    /// The key that was sent is not one of ours.
    BadKey(String),
    /// No such path.
    NoPath,
    /// The body is not a JSON object.
    NotJson,
    /// A required field is missing.
    Missing(&'static str),
    /// A field holds the wrong JSON type; the second is what was expected.
    WrongType(String, &'static str),
    /// A field that the vendor does not know.
    Unknown(String),
    /// A field that this model does not take, and what to send instead.
    Unsupported(String, Option<&'static str>),
    /// A value, as JSON, that this model does not take for a field.
    Unfit(&'static str, Value),
    /// No such model or deployment.
    NoModel(String),
    /// The content filter hit.
    Filtered,
    /// More context than the model has.
    TooLong,
    /// Over the limit of the model `limited`.
    Throttled(Throttle),
    /// The vendor's own words for something that only it refuses.
    Own(StatusCode, Value),
}

/// Where a caller stands in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttle {
    /// Requests in one window.
    pub limit: u32,
    /// Requests left in this one.
    pub remaining: u32,
    /// Until the next window begins.
    pub reset: Duration,
}
