//! OpenAI: Bearer key, four-member errors, unknown fields refused, `max_tokens` refused by its reasoning models.
//! Sources: OpenAI's API specification and error guide (provider facts 1.2).

use http::StatusCode;
use serde_json::{Value, json};

use super::{At, Place, Vendor, below, error, fields, go_duration, whole_seconds};
use crate::sim::answer::Answer;
use crate::sim::ask::Ask;
use crate::sim::chat::Head;
use crate::sim::model::Thinking;
use crate::sim::refusal::{Refusal, Throttle};
use crate::wire::Endpoint;

/// See the module.
pub(super) struct Openai;

const MINE: &str = "invalid_request_error";

impl Vendor for Openai {
    fn models(&self) -> &'static [&'static str] {
        &["gpt-4o-mini", "gpt-4.1", "gpt-5-mini", "gpt-6.1-sol", "o3", "text-embedding-3-small"]
    }

    fn owner(&self) -> &'static str {
        "openai"
    }

    fn locate(&self, at: &At<'_>) -> Result<Place, Refusal> {
        below(at.path, &["/v1"])
    }

    fn check(&self, ask: &Ask) -> Result<(), Refusal> {
        check(ask)
    }

    fn refuse(&self, refusal: &Refusal, at: &At<'_>) -> Answer {
        let (status, body) = words(refusal, at);
        let answer = self.sign(Answer::json(status, &body));
        match refusal {
            Refusal::Throttled(throttle) => {
                self.limits(answer, throttle).header("retry-after", whole_seconds(throttle.reset))
            }
            _ => answer,
        }
    }

    fn thinking(&self, ask: &Ask) -> Thinking {
        if reasons(&ask.model) { Thinking::Hidden } else { Thinking::No }
    }

    fn dress(&self, ask: &Ask, _head: &Head, chunks: &mut Vec<Value>) {
        for chunk in chunks {
            chunk["service_tier"] = json!("default");
            chunk["system_fingerprint"] = Value::Null;
            if ask.body["stream_options"]["include_obfuscation"] != false {
                chunk["obfuscation"] = json!("padding");
            }
        }
    }

    fn dress_whole(&self, whole: &mut Value) {
        whole["service_tier"] = json!("default");
        whole["system_fingerprint"] = Value::Null;
    }

    fn sign(&self, answer: Answer) -> Answer {
        answer
            .header("x-request-id", "req_sim")
            .header("openai-organization", "org-lab")
            .header("openai-processing-ms", 1)
            .header("openai-version", "2020-10-01")
    }
}

/// Whether a model of this name is a reasoning model.
fn reasons(model: &str) -> bool {
    ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|family| model.starts_with(family))
}

/// What the specification does not allow; Azure checks the same.
pub(super) fn check(ask: &Ask) -> Result<(), Refusal> {
    let known = fields::known(&ask.endpoint);
    let mut sent = ask.body.as_object().into_iter().flat_map(|body| body.keys());
    if let Some(unknown) = sent.find(|field| known.is_some_and(|known| !known.contains(&field.as_str()))) {
        return Err(Refusal::Unknown(unknown.clone()));
    }
    if ask.endpoint == Endpoint::Chat && !ask.body["messages"].is_array() {
        return Err(Refusal::WrongType("messages".to_owned(), "an array of objects"));
    }
    if ask.endpoint != Endpoint::Chat || !reasons(&ask.model) {
        return Ok(());
    }
    if ask.body.get("max_tokens").is_some_and(|limit| !limit.is_null()) {
        return Err(Refusal::Unsupported("max_tokens".to_owned(), Some("max_completion_tokens")));
    }
    for field in ["presence_penalty", "frequency_penalty", "stop", "logit_bias"] {
        if ask.body.get(field).is_some_and(|value| !value.is_null()) {
            return Err(Refusal::Unsupported(field.to_owned(), None));
        }
    }
    // the sampling fields come back to life when the model does not reason
    let sampling = if ask.body["reasoning_effort"] == "none" { &[][..] } else { &["temperature", "top_p"] };
    for &field in sampling {
        if let Some(value) = ask.body[field].as_f64().filter(|value| (value - 1.0).abs() > f64::EPSILON) {
            return Err(Refusal::Unfit(field, json!(value)));
        }
    }
    Ok(())
}

/// OpenAI's words.
pub(super) fn words(refusal: &Refusal, at: &At<'_>) -> (StatusCode, Value) {
    match refusal {
        Refusal::NoKey | Refusal::BadKey(_) => return (StatusCode::UNAUTHORIZED, key_words(refusal)),
        Refusal::Throttled(throttle) => return (StatusCode::TOO_MANY_REQUESTS, limit_words(throttle)),
        Refusal::Own(status, body) => return (*status, body.clone()),
        _ => {}
    }
    let mine = |message: &str, param, code| (StatusCode::BAD_REQUEST, error(message, MINE, param, code));
    match refusal {
        Refusal::NoPath => {
            let message = format!("Invalid URL ({} {})", at.method, at.path);
            (StatusCode::NOT_FOUND, error(&message, MINE, None, None))
        }
        Refusal::NoModel(name) => {
            let message = format!("The model `{name}` does not exist or you do not have access to it.");
            (StatusCode::NOT_FOUND, error(&message, MINE, None, Some("model_not_found")))
        }
        Refusal::Missing("model") => mine("you must provide a model parameter", None, None),
        Refusal::Missing(field) => {
            let message = format!("Missing required parameter: '{field}'.");
            mine(&message, Some(field), Some("missing_required_parameter"))
        }
        Refusal::WrongType(field, expected) => {
            let message = format!("Invalid type for '{field}': expected {expected}.");
            mine(&message, Some(field), Some("invalid_type"))
        }
        Refusal::Unknown(field) if at.path.ends_with("/responses") => {
            mine(&format!("Unknown parameter: '{field}'."), Some(field), Some("unknown_parameter"))
        }
        Refusal::Unknown(field) => mine(&format!("Unrecognized request argument supplied: {field}"), None, None),
        Refusal::Unsupported(field, instead) => {
            let instead = instead.map_or_else(String::new, |other| format!(" Use '{other}' instead."));
            let message = format!("Unsupported parameter: '{field}' is not supported with this model.{instead}");
            mine(&message, Some(field), Some("unsupported_parameter"))
        }
        Refusal::Unfit(field, value) => {
            let message = format!(
                "Unsupported value: '{field}' does not support {value} with this model. Only the default (1) value is \
                 supported."
            );
            mine(&message, Some(field), Some("unsupported_value"))
        }
        Refusal::Filtered => mine(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with \
             a different prompt.",
            None,
            Some("invalid_prompt"),
        ),
        Refusal::TooLong => mine(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens. \
             Please reduce the length of the messages.",
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        _ => mine(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP \
             library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
            None,
            None,
        ),
    }
}

fn key_words(refusal: &Refusal) -> Value {
    let Refusal::BadKey(key) = refusal else {
        let message = "You didn't provide an API key. You need to provide your API key in an Authorization header \
                       using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from \
                       https://platform.openai.com/account/api-keys.";
        return error(message, MINE, None, None);
    };
    let shown: String = key.chars().take(8).collect();
    let message = format!(
        "Incorrect API key provided: {shown}***. You can find your API key at \
         https://platform.openai.com/account/api-keys."
    );
    error(&message, MINE, None, Some("invalid_api_key"))
}

fn limit_words(throttle: &Throttle) -> Value {
    let message = format!(
        "Rate limit reached for limited in organization org-lab on requests per min (RPM): Limit {limit}, Used \
         {limit}, Requested 1. Please try again in {wait}. Visit https://platform.openai.com/account/rate-limits to \
         learn more.",
        limit = throttle.limit,
        wait = go_duration(throttle.reset),
    );
    error(&message, "requests", None, Some("rate_limit_exceeded"))
}
