//! xAI: flat error bodies, 400 for a wrong key, usage that leaves reasoning out, cost in ticks, an empty finish reason
//! beside tool calls. Sources: docs.x.ai debugging and rate limit pages, xai-proto (provider facts 1.4).

use http::StatusCode;
use serde_json::{Value, json};

use super::{At, Place, Vendor, below, counted};
use crate::sim::answer::Answer;
use crate::sim::ask::Ask;
use crate::sim::chat::Head;
use crate::sim::model::{Thinking, Usage};
use crate::sim::refusal::{Refusal, Throttle};
use crate::wire::Endpoint;

/// See the module.
pub(super) struct Xai;

const INVALID: &str = "Client specified an invalid argument";
const TEAM: &str = "00000000-0000-0000-0000-000000000000";
/// 1 USD = 10^10 ticks: 2 USD and 10 USD for a million tokens.
const TICKS_IN: usize = 20_000;
const TICKS_OUT: usize = 100_000;

impl Vendor for Xai {
    fn models(&self) -> &'static [&'static str] {
        &["grok-4.7", "grok-4.3", "grok-4.20-reasoning", "grok-4.20-non-reasoning", "grok-code-fast-1"]
    }

    fn owner(&self) -> &'static str {
        "xai"
    }

    fn locate(&self, at: &At<'_>) -> Result<Place, Refusal> {
        below(at.path, &["/v1"])
    }

    fn check(&self, ask: &Ask) -> Result<(), Refusal> {
        let sent = |field: &str| ask.body.get(field).is_some_and(|value| !value.is_null());
        if sent("search_parameters") {
            let words = "Live search is deprecated. Please switch to the Agent Tools API.";
            return Err(own(StatusCode::GONE, "Live search is deprecated", words));
        }
        if ask.model.starts_with("grok-") {
            let unfit = ["stop", "frequency_penalty", "presence_penalty"].into_iter().find(|field| sent(field));
            let fixed = ask.model.starts_with("grok-4.20") && sent("reasoning_effort");
            if let Some(field) = unfit.or(fixed.then_some("reasoning_effort")) {
                return Err(Refusal::Unsupported(camel(field), None));
            }
        }
        // the items of a response may be calls, which have a name and no content
        for (index, turn) in ask.turns().iter().enumerate().filter(|_| ask.endpoint == Endpoint::Chat) {
            let said = turn.get("content").is_some_and(|content| !content.is_null() && content != "");
            if turn["role"] == "assistant" && !said && turn.get("tool_calls").is_none() {
                return Err(bad("Each message must have at least one content element."));
            }
            if turn.get("name").is_some() {
                return Err(bad(&format!("messages[{index}].name is not supported.")));
            }
        }
        let strict =
            ask.body["tools"].as_array().into_iter().flatten().any(|tool| tool["function"].get("strict").is_some());
        if strict { Err(bad("tools[].function.strict is not supported.")) } else { Ok(()) }
    }

    fn refuse(&self, refusal: &Refusal, at: &At<'_>) -> Answer {
        let (status, code, words) = words(refusal, at);
        let answer = match refusal {
            Refusal::Own(status, body) => Answer::json(*status, body),
            _ => Answer::json(status, &json!({"code": code, "error": words})),
        };
        match refusal {
            Refusal::Throttled(throttle) => self.limits(answer, throttle),
            _ => answer,
        }
    }

    fn page(&self, path: &str) -> Option<Value> {
        (path == "api-key").then(|| {
            json!({"redacted_api_key": "xai-...lab", "name": "lab", "team_id": TEAM, "acls": ["api-key:model:*"],
                "api_key_blocked": false, "team_blocked": false, "api_key_disabled": false})
        })
    }

    fn thinking(&self, ask: &Ask) -> Thinking {
        let quiet = ask.model.ends_with("non-reasoning") || ask.body["reasoning_effort"] == "none";
        if ask.model.starts_with("grok-") && !quiet { Thinking::Shown } else { Thinking::No }
    }

    /// `completion_tokens` leaves reasoning out, `total_tokens` counts it.
    fn usage(&self, usage: Usage) -> Value {
        let ticks = usage.prompt * TICKS_IN + (usage.visible + usage.reasoning) * TICKS_OUT;
        json!({"prompt_tokens": usage.prompt, "completion_tokens": usage.visible,
            "total_tokens": usage.prompt + usage.visible + usage.reasoning,
            "prompt_tokens_details": {"text_tokens": usage.prompt, "audio_tokens": 0, "image_tokens": 0,
                "cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
            "num_sources_used": 0, "cost_in_usd_ticks": ticks})
    }

    fn dress(&self, _ask: &Ask, _head: &Head, chunks: &mut Vec<Value>) {
        chunks.iter_mut().for_each(blank_finish);
    }

    fn dress_whole(&self, whole: &mut Value) {
        blank_finish(whole);
    }

    /// How long a window lasts is not told.
    fn limits(&self, answer: Answer, throttle: &Throttle) -> Answer {
        counted(answer, throttle)
    }
}

fn own(status: StatusCode, code: &str, words: &str) -> Refusal {
    Refusal::Own(status, json!({"code": code, "error": words}))
}

fn bad(words: &str) -> Refusal {
    own(StatusCode::BAD_REQUEST, INVALID, words)
}

fn blank_finish(answer: &mut Value) {
    let finish = &mut answer["choices"][0]["finish_reason"];
    if *finish == "tool_calls" {
        *finish = json!("");
    }
}

/// Fields are named in errors as xAI names them inside: `presencePenalty`.
fn camel(field: &str) -> String {
    let mut parts = field.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}

fn words(refusal: &Refusal, at: &At<'_>) -> (StatusCode, &'static str, String) {
    let invalid = |words: String| (StatusCode::BAD_REQUEST, INVALID, words);
    let unreadable = |words: String| {
        let words = format!("Failed to deserialize the JSON body into the target type: {words}");
        (StatusCode::UNPROCESSABLE_ENTITY, INVALID, words)
    };
    let missing = "Some requested entity was not found";
    let forbidden = "The caller does not have permission to execute the specified operation";
    match refusal {
        Refusal::NoKey => (
            StatusCode::UNAUTHORIZED,
            "The request does not have valid authentication credentials for the operation",
            "No authorization header or an invalid authorization token is provided.".to_owned(),
        ),
        Refusal::BadKey(key) => {
            let chars: Vec<char> = key.chars().collect();
            let (first, last) = (&chars[..chars.len().min(2)], &chars[chars.len().saturating_sub(2)..]);
            let shown: String = first.iter().chain(&['*', '*', '*']).chain(last).collect();
            invalid(format!(
                "Incorrect API key provided: {shown}. You can obtain an API key from https://console.x.ai."
            ))
        }
        Refusal::NoPath => (StatusCode::NOT_FOUND, missing, format!("No route for {} {}", at.method, at.path)),
        Refusal::NoModel(name) => {
            let words = format!(
                "The model {name} does not exist or your team {TEAM} does not have access to it. Please ensure you're \
                 using the correct API key. If you believe this is a mistake, please contact support and quote your \
                 team ID and the model name."
            );
            (StatusCode::NOT_FOUND, missing, words)
        }
        Refusal::Missing(field) => unreadable(format!("missing field `{field}`")),
        Refusal::WrongType(field, expected) => unreadable(format!("{field}: invalid type, expected {expected}")),
        Refusal::Unsupported(field, _) => invalid(format!("Argument not supported on this model: {field}")),
        Refusal::TooLong => {
            invalid("This model's maximum prompt length is 131072 but the request contains 200000 tokens.".to_owned())
        }
        Refusal::Filtered => {
            let words = format!("Content violates usage guidelines. Team: {TEAM}, Failed check: SAFETY_CHECK_TYPE_LAB");
            (StatusCode::FORBIDDEN, forbidden, words)
        }
        Refusal::Throttled(throttle) => {
            let words = format!(
                "Too many requests for team {TEAM} and model limited. Your team's rate limit is — Requests per Minute \
                 (actual/limit): {}/{}. You can view your team rate limits at https://console.x.ai.",
                throttle.limit + 1,
                throttle.limit
            );
            (StatusCode::TOO_MANY_REQUESTS, "Some resource has been exhausted", words)
        }
        Refusal::NotJson | Refusal::Unknown(_) | Refusal::Unfit(..) | Refusal::Own(..) => {
            invalid("Failed to parse the request body as JSON".to_owned())
        }
    }
}
