//! DeepSeek: comments and blank lines while it thinks, `reasoning_content` that must come back, plain text for a
//! malformed key, 402 and 422. Sources: api-docs.deepseek.com errors, rate limits, thinking (provider facts 1.5).

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::{At, Place, Vendor, below, error};
use crate::sim::answer::Answer;
use crate::sim::ask::Ask;
use crate::sim::chat;
use crate::sim::model::{Thinking, Usage};
use crate::sim::refusal::{Refusal, Throttle};
use crate::wire::Endpoint;

/// See the module.
pub(super) struct Deepseek;

const MINE: &str = "invalid_request_error";
const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

impl Vendor for Deepseek {
    fn models(&self) -> &'static [&'static str] {
        &["deepseek-flash", "deepseek-v4-pro"]
    }

    fn owner(&self) -> &'static str {
        "deepseek"
    }

    fn locate(&self, at: &At<'_>) -> Result<Place, Refusal> {
        let beta = at.path.starts_with("/beta/");
        let place = below(at.path, &["/v1", "/beta", ""])?;
        match place.endpoint {
            Endpoint::Embeddings => Err(Refusal::NoPath),
            Endpoint::Completions if !beta => Err(Refusal::NoPath),
            _ => Ok(place),
        }
    }

    fn check(&self, ask: &Ask) -> Result<(), Refusal> {
        for (field, expected) in [("temperature", "f32"), ("top_p", "f32"), ("max_tokens", "u32")] {
            if ask.body.get(field).is_some_and(|value| !value.is_null() && !value.is_number()) {
                return Err(Refusal::WrongType(field.to_owned(), expected));
            }
        }
        if ask.endpoint == Endpoint::Chat && !ask.body["messages"].is_array() {
            return Err(Refusal::WrongType("messages".to_owned(), "a sequence"));
        }
        for tool in ask.body["tools"].as_array().into_iter().flatten() {
            let kind = tool["type"].as_str().unwrap_or_default();
            if ask.endpoint == Endpoint::Chat && kind != "function" {
                return Err(bad(
                    StatusCode::BAD_REQUEST,
                    &unreadable(&format!("tools[0].type: {}", variant(kind, "`function`"))),
                ));
            }
        }
        for (index, turn) in ask.turns().iter().enumerate().filter(|_| ask.endpoint == Endpoint::Chat) {
            let role = turn["role"].as_str().unwrap_or_default();
            if !ROLES.contains(&role) {
                let expected = format!("one of {}", ROLES.map(|role| format!("`{role}`")).join(", "));
                let words = unreadable(&format!("messages[{index}].role: {}", variant(role, &expected)));
                return Err(bad(StatusCode::UNPROCESSABLE_ENTITY, &words));
            }
            let kept = turn["reasoning_content"].as_str().is_some_and(|text| !text.is_empty());
            if turn.get("tool_calls").is_some() && !kept && self.thinking(ask) == Thinking::Shown {
                let words = "The reasoning_content in the thinking mode must be passed back to the API.";
                return Err(bad(StatusCode::BAD_REQUEST, words));
            }
        }
        Ok(())
    }

    fn refuse(&self, refusal: &Refusal, _at: &At<'_>) -> Answer {
        match refusal {
            Refusal::Own(status, body) => return Answer::json(*status, body),
            Refusal::NoPath => return Answer::new(StatusCode::NOT_FOUND, "text/plain", "Not Found"),
            Refusal::NoKey => return governor(),
            Refusal::BadKey(key) if !key.starts_with("sk-") => return governor(),
            Refusal::BadKey(key) => {
                let tail: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
                let message = format!("Authentication Fails, Your api key: ****{tail} is invalid");
                let body = error(&message, "authentication_error", None, Some(MINE));
                return Answer::json(StatusCode::UNAUTHORIZED, &body);
            }
            Refusal::Throttled(_) => {
                let body = error("Rate Limit Reached", "rate_limit_error", None, Some("rate_limit_error"));
                return Answer::json(StatusCode::TOO_MANY_REQUESTS, &body);
            }
            _ => {}
        }
        let (status, message) = words(refusal);
        Answer::json(status, &mine(&message))
    }

    fn takes(&self, _path: &str) -> bool {
        false
    }

    fn page(&self, path: &str) -> Option<Value> {
        let purse = json!({"currency": "USD", "total_balance": "110.00", "granted_balance": "10.00",
            "topped_up_balance": "100.00"});
        (path == "user/balance").then(|| json!({"is_available": true, "balance_infos": [purse]}))
    }

    /// On unless switched off.
    fn thinking(&self, ask: &Ask) -> Thinking {
        if ask.body["thinking"]["type"] == "disabled" { Thinking::No } else { Thinking::Shown }
    }

    fn limit_fields(&self) -> &'static [&'static str] {
        &["max_tokens"]
    }

    fn usage(&self, usage: Usage) -> Value {
        let mut counts = chat::usage(usage);
        counts["prompt_cache_hit_tokens"] = json!(0);
        counts["prompt_cache_miss_tokens"] = json!(usage.prompt);
        counts
    }

    fn waiting(&self, stream: bool) -> Vec<Bytes> {
        let sign: &[u8] = if stream { b": keep-alive\n\n" } else { b"\n" };
        vec![Bytes::from_static(sign); 2]
    }

    /// Nothing is told about limits.
    fn limits(&self, answer: Answer, _throttle: &Throttle) -> Answer {
        answer
    }
}

fn governor() -> Answer {
    Answer::new(StatusCode::UNAUTHORIZED, "text/plain", "Authentication Fails (governor)")
}

fn mine(message: &str) -> Value {
    error(message, MINE, None, Some(MINE))
}

fn bad(status: StatusCode, message: &str) -> Refusal {
    Refusal::Own(status, mine(message))
}

fn unreadable(words: &str) -> String {
    format!("Failed to deserialize the JSON body into the target type: {words}")
}

fn variant(found: &str, expected: &str) -> String {
    format!("unknown variant `{found}`, expected {expected}")
}

fn words(refusal: &Refusal) -> (StatusCode, String) {
    let bad = |words: &str| (StatusCode::BAD_REQUEST, words.to_owned());
    let unreadable = |words: String| (StatusCode::UNPROCESSABLE_ENTITY, unreadable(&words));
    match refusal {
        Refusal::NoModel(_) => bad("Model Not Exist"),
        Refusal::Filtered => bad("Content Exists Risk"),
        Refusal::TooLong => bad(
            "This model's maximum context length is 1048576 tokens. However, you requested 2000000 tokens (2000000 in \
             the messages, 0 in the completion). Please reduce the length of the messages or completion.",
        ),
        Refusal::Missing(field) => unreadable(format!("missing field `{field}`")),
        Refusal::WrongType(field, expected) => unreadable(format!("{field}: invalid type, expected {expected}")),
        _ => bad("Failed to parse the request body as JSON"),
    }
}
