//! A server of the easy-going kind, such as vLLM: a key only if it was started with one, unknown fields ignored,
//! numbers as error codes. Sources: vLLM's documents (provider facts 1.1, 1.10). `sim/*` speaks this too.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{At, Place, Vendor, bearer, below, whole_seconds};
use crate::sim::answer::Answer;
use crate::sim::ask::Ask;
use crate::sim::refusal::Refusal;

/// See the module.
pub(super) struct Generic;

impl Vendor for Generic {
    fn models(&self) -> &'static [&'static str] {
        &[]
    }

    fn owner(&self) -> &'static str {
        "sim"
    }

    fn credential<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Refusal> {
        Ok(bearer(headers))
    }

    fn locate(&self, at: &At<'_>) -> Result<Place, Refusal> {
        below(at.path, &["/v1", ""])
    }

    fn check(&self, _ask: &Ask) -> Result<(), Refusal> {
        Ok(())
    }

    fn refuse(&self, refusal: &Refusal, at: &At<'_>) -> Answer {
        let (status, kind, message) = match refusal {
            Refusal::Own(status, body) => return Answer::json(*status, body),
            Refusal::NoKey | Refusal::BadKey(_) => {
                return Answer::json(StatusCode::UNAUTHORIZED, &json!({"error": "Unauthorized"}));
            }
            Refusal::NoPath => {
                let message = format!("nothing answers at {} {}", at.method, at.path);
                (StatusCode::NOT_FOUND, "NotFoundError", message)
            }
            Refusal::NoModel(name) => {
                (StatusCode::NOT_FOUND, "NotFoundError", format!("The model `{name}` does not exist."))
            }
            Refusal::Throttled(throttle) => {
                let message =
                    format!("over {} requests in 10 s; wait {} s", throttle.limit, whole_seconds(throttle.reset));
                (StatusCode::TOO_MANY_REQUESTS, "RateLimitError", message)
            }
            Refusal::Missing(field) => (StatusCode::BAD_REQUEST, "BadRequestError", format!("{field}: Field required")),
            Refusal::TooLong => {
                let message = "This model's maximum context length is 131072 tokens. However, you requested 200000 \
                               tokens in the messages. Please reduce the length of the messages.";
                (StatusCode::BAD_REQUEST, "BadRequestError", message.to_owned())
            }
            _ => (StatusCode::BAD_REQUEST, "BadRequestError", "the body is no JSON object".to_owned()),
        };
        let answer = Answer::json(status, &body(&message, kind, status));
        match refusal {
            Refusal::Throttled(throttle) => {
                self.limits(answer, throttle).header("retry-after", whole_seconds(throttle.reset))
            }
            _ => answer,
        }
    }

    fn filters(&self) -> bool {
        false
    }
}

fn body(message: &str, kind: &str, status: StatusCode) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": status.as_u16()}})
}
