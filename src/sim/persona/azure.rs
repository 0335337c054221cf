//! Azure OpenAI: the v1 path and the classic deployments path, `api-key`, filter results around every answer.
//! Sources: Microsoft's API lifecycle, troubleshooting, quota and content streaming pages (provider facts 1.3).

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{At, Place, Vendor, bearer, below, counted, openai, whole_seconds};
use crate::sim::answer::Answer;
use crate::sim::ask::Ask;
use crate::sim::chat::Head;
use crate::sim::model::Thinking;
use crate::sim::refusal::{Refusal, Throttle};
use crate::wire::Endpoint;

/// See the module.
pub(super) struct Azure;

impl Vendor for Azure {
    fn models(&self) -> &'static [&'static str] {
        openai::Openai.models()
    }

    fn owner(&self) -> &'static str {
        "system"
    }

    /// `api-key`, or a Bearer token of Entra, which is a JWT; a resource's key as Bearer is refused.
    fn credential<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Refusal> {
        if let Some(key) = headers.get("api-key").and_then(|key| key.to_str().ok()) {
            return Ok(Some(key));
        }
        match bearer(headers) {
            Some(token) if token.starts_with("eyJ") => Ok(Some(token)),
            Some(_) => Err(Refusal::Own(StatusCode::UNAUTHORIZED, words("Unauthorized", BAD_TOKEN))),
            None => Err(Refusal::NoKey),
        }
    }

    fn locate(&self, at: &At<'_>) -> Result<Place, Refusal> {
        let version = at.query("api-version");
        if let Some(rest) = at.path.strip_prefix("/openai/deployments/") {
            version.filter(|version| is_date(version)).ok_or(Refusal::NoPath)?;
            let (deployment, rest) = rest.split_once('/').ok_or(Refusal::NoPath)?;
            // the responses dialect is not deployment-scoped
            if rest == "responses" {
                return Err(Refusal::NoPath);
            }
            let place = below(&format!("/{rest}"), &[""])?;
            return Ok(Place { model: Some(deployment.to_owned()), ..place });
        }
        match version {
            None | Some("preview" | "latest" | "v1") => below(at.path, &["/openai/v1"]),
            Some(_) if at.path.starts_with("/openai/v1/") => {
                let body = words("BadRequest", "API version not supported");
                Err(Refusal::Own(StatusCode::BAD_REQUEST, body))
            }
            // with a version, what belongs to no deployment stands beside them, and Foundry has one path for all models
            Some(_) => match below(at.path, &["/openai"]) {
                Ok(place) if !of_deployment(&place.endpoint) => Ok(place),
                _ => below(at.path, &["/models"]),
            },
        }
    }

    fn check(&self, ask: &Ask) -> Result<(), Refusal> {
        openai::check(ask)
    }

    fn refuse(&self, refusal: &Refusal, at: &At<'_>) -> Answer {
        let (status, body) = match refusal {
            Refusal::NoKey | Refusal::BadKey(_) => (StatusCode::UNAUTHORIZED, words("401", BAD_KEY)),
            Refusal::NoPath => (StatusCode::NOT_FOUND, words("404", "Resource not found")),
            Refusal::NoModel(_) => (StatusCode::NOT_FOUND, words("DeploymentNotFound", NO_DEPLOYMENT)),
            Refusal::Filtered => (StatusCode::BAD_REQUEST, filtered()),
            Refusal::Throttled(throttle) => {
                let wait = whole_seconds(throttle.reset);
                let message = format!("Rate limit is exceeded. Try again in {wait} seconds.");
                (StatusCode::TOO_MANY_REQUESTS, words("429", &message))
            }
            _ => openai::words(refusal, at),
        };
        let answer = self.sign(Answer::json(status, &body));
        match refusal {
            Refusal::Throttled(throttle) => self
                .limits(answer, throttle)
                .header("retry-after", whole_seconds(throttle.reset))
                .header("retry-after-ms", throttle.reset.as_millis()),
            _ => answer,
        }
    }

    fn thinking(&self, ask: &Ask) -> Thinking {
        openai::Openai.thinking(ask)
    }

    /// The prompt's filter results come before the first chunk, with nothing else in it; those of the asynchronous
    /// filter come after the finish reason, in a choice without `delta`.
    fn dress(&self, _ask: &Ask, head: &Head, chunks: &mut Vec<Value>) {
        let first = json!({"id": "", "object": "", "created": 0, "model": "", "choices": [],
            "prompt_filter_results": prompt_results()});
        let offsets = json!({"check_offset": 0, "start_offset": 0, "end_offset": 0});
        let last = head.chunk(json!([{"index": 0, "finish_reason": null, "content_filter_results": safe(),
            "content_filter_offsets": offsets}]));
        for chunk in chunks.iter_mut() {
            chunk["choices"][0]["content_filter_results"] = json!({});
        }
        chunks.insert(0, first);
        chunks.push(last);
    }

    fn dress_whole(&self, whole: &mut Value) {
        whole["prompt_filter_results"] = prompt_results();
        whole["choices"][0]["content_filter_results"] = safe();
    }

    fn sign(&self, answer: Answer) -> Answer {
        answer.header("apim-request-id", "00000000-0000-0000-0000-000000000000").header("x-ms-region", "Sweden Central")
    }

    fn limits(&self, answer: Answer, throttle: &Throttle) -> Answer {
        counted(answer, throttle)
            .header("x-ratelimit-reset-requests", whole_seconds(throttle.reset))
            .header("x-ratelimit-reset-tokens", whole_seconds(throttle.reset))
    }
}

const BAD_KEY: &str = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a \
                       valid key for an active subscription and use a correct regional API endpoint for your resource.";
const BAD_TOKEN: &str = "Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have \
                         expired.";
const NO_DEPLOYMENT: &str = "The API deployment for this resource does not exist. If you created the deployment within \
                             the last 5 minutes, please wait a moment and try again.";
const FILTER: &str = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. \
                      Please modify your prompt and retry. To learn more about our content filtering policies please \
                      read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766";

/// The shape of errors that come from the platform and not from the model.
fn words(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

/// Whether the classic path of an endpoint names a deployment (openai-python `lib/azure.py`).
fn of_deployment(endpoint: &Endpoint) -> bool {
    let path = endpoint.path();
    !matches!(endpoint, Endpoint::Responses | Endpoint::Other(_))
        || path.starts_with("audio/")
        || path.starts_with("images/")
}

/// `2024-10-21` or `2025-04-01-preview`.
fn is_date(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    date.len() == 10
        && date.bytes().enumerate().all(
            |(at, byte)| {
                if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() }
            },
        )
}

fn filtered() -> Value {
    let mut results = safe();
    results["violence"] = json!({"filtered": true, "severity": "medium"});
    results["jailbreak"] = json!({"filtered": false, "detected": false});
    json!({"error": {"message": FILTER, "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": results}}})
}

fn safe() -> Value {
    let safe = json!({"filtered": false, "severity": "safe"});
    json!({"hate": safe, "self_harm": safe, "sexual": safe, "violence": safe})
}

fn prompt_results() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": safe()}])
}
