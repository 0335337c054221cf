//! Finds an error that came as an answer: in the first frame of a stream, or in the body of a 200.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::Answer;
use crate::redact::Known;
use crate::wire::error::Words;
use crate::wire::sse;

/// Names of errors and the status that they would have had.
const STATUS: [(&str, u16); 41] = [
    ("authentication_error", 401),
    ("authentication", 401),
    ("invalid_api_key", 401),
    ("billing_error", 402),
    ("payment_required", 402),
    ("insufficient_quota", 429),
    ("permission_error", 403),
    ("permission_denied", 403),
    ("not_found_error", 404),
    ("not_found", 404),
    ("model_not_found", 404),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("slow_down", 429),
    ("overloaded_error", 529),
    ("server_is_overloaded", 503),
    ("service_unavailable_error", 503),
    ("provider_overloaded", 503),
    ("provider_unavailable", 502),
    ("timeout_error", 504),
    ("payload_too_large", 413),
    ("request_too_large", 413),
    ("unprocessable", 422),
    ("server_error", 500),
    ("ip_not_authorized", 401),
    ("unsupported_country_region_territory", 403),
    ("billing_hard_limit_reached", 429),
    // Azure's platform
    ("Unauthorized", 401),
    ("PermissionDenied", 401),
    ("AccessDenied", 403),
    ("DeploymentNotFound", 404),
    ("ServiceUnavailable", 503),
    // gRPC's codes in words, as xAI writes them
    ("Client specified an invalid argument", 400),
    ("The request does not have valid authentication credentials for the operation", 401),
    ("The caller does not have permission to execute the specified operation", 403),
    ("Some requested entity was not found", 404),
    ("Some resource has been exhausted", 429),
    ("Internal error", 500),
    ("The service is currently unavailable", 503),
    ("Deadline expired before operation could complete", 504),
    ("The operation was aborted", 503),
];

/// The error in a frame or body, as the answer it should have been.
pub(super) fn error_in(frame: &[u8], known: &Known) -> Option<Answer> {
    let data = sse::data(frame).unwrap_or(frame).trim_ascii();
    // most first frames end here, without being decoded
    memchr::memmem::find(data, b"error")?;
    let body = match serde_json::from_slice::<Value>(data).ok()? {
        // the Responses dialect wraps the failed response into an event
        Value::Object(mut event) if event.get("type").is_some_and(|kind| kind == "response.failed") => {
            Bytes::from(event.remove("response")?.to_string())
        }
        _ => Bytes::copy_from_slice(data),
    };
    let mut answer = Answer::new(0, HeaderMap::new(), body, known);
    answer.status = status(&answer.words);
    is_error(&answer.words.json).then_some(answer)
}

fn is_error(json: &Value) -> bool {
    let stated = match json.get("error") {
        Some(Value::Object(error)) => !error.is_empty(),
        Some(Value::String(error)) => !error.is_empty(),
        _ => json.get("type").is_some_and(|kind| kind == "error") || json.get("object").is_some_and(|is| is == "error"),
    };
    // a response that failed half-way still holds what was paid for
    let output = json.get("output").and_then(Value::as_array).is_some_and(|items| !items.is_empty());
    stated && !output
}

/// The status that the error would have had: its own number, else the one its name stands for, else 500.
fn status(words: &Words) -> u16 {
    let numbers = [words.json.pointer("/error/code"), words.json.pointer("/error/status"), words.json.get("status")];
    let number = numbers.into_iter().flatten().find_map(|number| match number {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let deep = words.json.pointer("/error/metadata/error_type").and_then(Value::as_str).unwrap_or_default();
    let named = || {
        [words.code.as_str(), deep, words.kind.as_str()]
            .into_iter()
            .find_map(|name| STATUS.iter().find(|(known, _)| *known == name).map(|(_, status)| *status))
    };
    let invalid = || {
        let names = [words.code.as_str(), deep, words.kind.as_str()];
        names.iter().any(|name| name.starts_with("invalid_") || name.contains("exceeded")).then_some(400)
    };
    number.filter(|number| (400..600).contains(number)).or_else(named).or_else(invalid).unwrap_or(500)
}
