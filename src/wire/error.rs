//! Error bodies: ours in the client's dialect, and what can be read out of anybody's.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Endpoint;
use crate::kit::Fault;

/// The error body of the OpenAI dialect for a fault. An upstream's own body is used where it blamed the client or
/// failed itself and has the dialect's shape; SDKs stumble over a flat string or a `detail`.
pub fn body(fault: &Fault) -> Bytes {
    #[derive(serde::Deserialize)]
    struct Shape {
        #[serde(rename = "error")]
        _error: serde_json::Map<String, Value>,
    }
    let shaped = |body: &Bytes| serde_json::from_slice::<Shape>(body).is_ok();
    let said = fault.said.as_ref().filter(|said| said.status == fault.status() && shaped(&said.body));
    if let Some(said) = said {
        return said.body.clone();
    }
    let error = json!({"error": inner(fault)});
    error.to_string().into()
}

/// The frame that tells a streaming client of a fault after the first byte.
pub fn event(endpoint: &Endpoint, fault: &Fault) -> Bytes {
    let error = inner(fault);
    match endpoint {
        Endpoint::Responses => {
            let event = json!({"type": "error", "code": error["code"], "message": error["message"],
                "param": error["param"], "sequence_number": 0, "error": error});
            format!("event: error\ndata: {event}\n\n").into()
        }
        _ => format!("data: {}\n\n", json!({"error": error})).into(),
    }
}

fn inner(fault: &Fault) -> Value {
    let kind = match fault.status() {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        503 => "service_unavailable_error",
        _ => "server_error",
    };
    let code = fault.code.as_deref().unwrap_or_else(|| fault.kind.code());
    json!({"message": fault.message, "type": kind, "param": fault.param, "code": code})
}

/// What an error body says, whatever its shape: an object, one in an array, a flat string, FastAPI's `detail`, plain
/// text, HTML. Rules 1.11.3 of the provider facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The sentence for people; the whole text where nothing could be told apart.
    pub message: String,
    /// `error.code` or `code`, numbers as text.
    pub code: String,
    /// `error.type` or `type`.
    pub kind: String,
    /// `error.param` or `param`.
    pub param: String,
    /// The whole body as JSON, `null` where it is none.
    pub json: Value,
}

impl Words {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Self {
        let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
            let message = String::from_utf8_lossy(body).trim().to_owned();
            return Self { message, ..Self::default() };
        };
        if let Value::Array(list) = json {
            json = list.into_iter().next().unwrap_or_default();
        }
        let inner = json.get("error").filter(|inner| inner.is_object()).unwrap_or(&json);
        let text = |key: &str| match inner.get(key).or_else(|| json.get(key)) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let message = match (inner.get("message"), json.get("error"), json.get("detail")) {
            (Some(Value::String(text)), ..) | (_, Some(Value::String(text)), _) | (_, _, Some(Value::String(text))) => {
                text.clone()
            }
            (_, _, Some(detail)) => detail.to_string(),
            _ => json.to_string(),
        };
        Self { message, code: text("code"), kind: text("type"), param: text("param"), json }
    }
}
