//! From an error answer to a fault: the order of the questions, and the general table of what statuses and codes mean.
//!
//! Two guards stand behind the order. 401, 402 and 429 are about the account whatever type the body claims, and words
//! are compared only where a client's own text, echoed in the message, could not turn its mistake into the account's.

use http::header;

use super::{Answer, hint, rules, sentence};
use crate::catalog::Provider;
use crate::kit::fault::Scope;
use crate::kit::{Fault, Kind, Time};

/// What an answer means, with the code for the client where it differs from the upstream's.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// The kind of failure.
    pub kind: Kind,
    /// A code of the dialect that is clearer than the upstream's.
    pub code: Option<&'static str>,
}

impl From<Kind> for Verdict {
    fn from(kind: Kind) -> Self {
        Self { kind, code: None }
    }
}

/// Codes of a content filter. Asked before everything else: no other rule may turn a refusal into a second try.
const FILTER: [&str; 5] =
    ["content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "cyber_policy", "SAFETY"];

/// Codes for money spent, in use at OpenAI and its likes.
const SPENT: [&str; 7] = [
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
];

/// Of these, the one that leaves the other projects of an organisation alone.
const OWN_BUDGET: &str = "project_spend_limit_exceeded";

const RATE: [&str; 2] = ["rate_limit_exceeded", "slow_down"];

const MISSING: [&str; 4] = ["model_not_found", "DeploymentNotFound", "unknown_model", "model_not_available"];

/// A Responses session that another account holds.
const SESSION: [&str; 2] = ["previous_response_not_found", "invalid_encrypted_content"];

/// What services say of a prompt that is too long (facts of nine vendors).
const TOO_LONG: [&str; 9] = [
    "maximum context length",
    "maximum prompt length",
    "prompt is too long",
    "exceed context limit",
    "exceeds the available context size",
    "current length is",
    "exceeds the maximum number of tokens allowed",
    "`inputs` tokens + `max_new_tokens`",
    "too large to process",
];

const TOO_LONG_CODES: [&str; 2] = ["context_length_exceeded", "exceed_context_size_error"];

/// The key is right, but not from here.
const PLACE: [&str; 8] = [
    "country, region",
    "unsupported_country",
    "ip not authorized",
    "ip is not authorized",
    "ip allowlist",
    "virtual network",
    "firewall",
    "private endpoint",
];

/// The account is on hold.
const HELD: [&str; 5] = ["temporarily blocked", "has been blocked", "on hold", "suspended", "has been disabled"];

/// The whole way from answer to fault. `vendor` is asked after the provider's rows.
pub(super) fn fault(
    provider: &Provider,
    answer: &Answer,
    now: Time,
    vendor: impl FnOnce() -> Option<Verdict>,
) -> Fault {
    let verdict = filtered(answer)
        .or_else(|| rules::first(provider, answer, now))
        .or_else(vendor)
        .unwrap_or_else(|| general(answer, now));
    sentence::fault(provider, answer, verdict)
}

fn filtered(answer: &Answer) -> Option<Verdict> {
    let words = &answer.words;
    let deep = words.json.pointer("/error/metadata/error_type").and_then(|value| value.as_str());
    let stopped = [Some(words.code.as_str()), Some(words.kind.as_str()), deep];
    stopped.into_iter().flatten().any(|code| FILTER.contains(&code)).then(|| Kind::Filtered.into())
}

fn general(answer: &Answer, now: Time) -> Verdict {
    let words = &answer.words;
    let is = |codes: &[&str]| codes.contains(&words.code.as_str()) || codes.contains(&words.kind.as_str());
    let text = words.message.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|word| text.contains(word));
    let kind = match answer.status {
        _ if page_of_another(answer) => Kind::Unreachable,
        401 if says(&PLACE) => Kind::Blocked,
        401 => Kind::KeyRejected,
        400 | 403 | 413 | 422 | 500 if too_long(answer) => return refusal(answer),
        400 | 403 | 429 if is(&[OWN_BUDGET]) => Kind::OverBudget(hint::resets_at(words, now)),
        400 | 403 | 429 if spent(answer) => Kind::OutOfCredit(hint::resets_at(words, now)),
        402 => Kind::OutOfCredit(hint::resets_at(words, now)),
        429 if says(&["request too large"]) => return refusal(answer),
        429 if is(&["slow_down", "ramp_limit_exceeded"]) => Kind::Throttled(hint::wait(answer, now), Scope::Ramp),
        429 if says(&["concurren"]) => Kind::Throttled(hint::wait(answer, now), Scope::Concurrency),
        429 => Kind::Throttled(hint::wait(answer, now), Scope::Model),
        400 | 404 if is(&SESSION) => Kind::Invalid(answer.status),
        400 | 403 | 404 if is(&MISSING) => Kind::ModelMissing,
        403 if is(&["unsupported_country_region_territory"]) || says(&PLACE) || says(&HELD) => Kind::Blocked,
        403 => Kind::ModelMissing,
        404 if says(&["model", "deployment"]) => Kind::ModelMissing,
        503 | 529 => Kind::Overloaded(hint::wait(answer, now)),
        500.. if is(&["overloaded_error", "server_is_overloaded"]) => Kind::Overloaded(hint::wait(answer, now)),
        408 | 500.. => Kind::Upstream(answer.status),
        400..500 => Kind::Invalid(answer.status),
        // a redirect or another answer that is none: whoever stands at the base URL is not the service
        _ => Kind::Upstream(answer.status),
    };
    kind.into()
}

/// The client's mistake, with the status and code that a client understands. Some services hide it behind a status that
/// SDKs retry or that asks their users for another key.
pub(super) fn refusal(answer: &Answer) -> Verdict {
    match answer.status {
        _ if too_long(answer) => Verdict { kind: Kind::Invalid(400), code: Some("context_length_exceeded") },
        429 => Verdict { kind: Kind::Invalid(413), code: Some("request_too_large") },
        401 | 403 | 408 | 500.. => Kind::Invalid(400).into(),
        status => Kind::Invalid(status).into(),
    }
}

/// The code decides; the type, which may still be an old one, only where the code is no rate limit's.
fn spent(answer: &Answer) -> bool {
    let words = &answer.words;
    SPENT.contains(&words.code.as_str()) || SPENT.contains(&words.kind.as_str()) && !RATE.contains(&words.code.as_str())
}

fn too_long(answer: &Answer) -> bool {
    let words = &answer.words;
    let text = words.message.to_lowercase();
    TOO_LONG_CODES.iter().any(|code| words.code == *code || words.kind == *code)
        || TOO_LONG.iter().any(|part| text.contains(part))
}

/// A page of whoever stands in front of the service: it says nothing of the account. A bad gateway's page does: the
/// service behind it failed.
fn page_of_another(answer: &Answer) -> bool {
    let challenged = answer.headers.get("cf-mitigated").is_some_and(|value| value == "challenge");
    let html = answer.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
        || answer.body.trim_ascii_start().starts_with(b"<");
    let puzzle = || memchr::memmem::find(&answer.body, b"challenge").is_some();
    challenged || html && (matches!(answer.status, 403 | 429) || answer.status == 503 && puzzle())
}
