//! A call as spans, in the GenAI conventions of OpenTelemetry as they stood in September 2026 (still in development;
//! repository semantic-conventions-genai). When they change, this is the file that changes with them.
//!
//! One span says what the client asked of the gateway (`http.server`), and one below it for each attempt what the gateway
//! asked of a provider. What was said is in none of them.

use sha2::{Digest, Sha256};

use super::proto::{CLIENT, ERROR, KeyValue, SERVER, Span, Status};
use super::told::{Asked, Ended};
use super::trace::hex;
use crate::config::Settings;
use crate::kit::Time;
use crate::store::{Attempt, Entry, Outcome};

/// What these conventions are called in the scope of the spans.
pub(super) const SCOPE: &str = "keywheel.gen_ai.2026-09";

/// The spans of a call.
pub(super) fn spans(ended: &Ended, settings: &Settings) -> Vec<Span> {
    let Ended { entry, .. } = ended;
    let attempts = (0..entry.attempts.len()).map(|at| client(ended, at, settings));
    std::iter::once(server(ended)).chain(attempts).collect()
}

fn server(ended: &Ended) -> Span {
    let Ended { entry, told } = ended;
    let route = match operation(entry) {
        Operation::Known(_) => format!("/v1/{}", entry.endpoint),
        Operation::Other(_) => "/v1/{path}".to_owned(),
    };
    let mut with = vec![
        KeyValue::new("http.request.method", told.method.as_str()),
        KeyValue::new("http.route", route.as_str()),
        KeyValue::new("url.path", format!("/v1/{}", entry.endpoint)),
        KeyValue::new("url.scheme", "http"),
        KeyValue::new("http.response.status_code", u64::from(entry.status)),
        KeyValue::new("keywheel.request.id", entry.id.to_string()),
        KeyValue::new("keywheel.attempts", entry.attempts.len() as u64),
        KeyValue::new("keywheel.parked_ms", entry.parked_us / 1000),
    ];
    let broken = matches!(entry.outcome, Outcome::Broken | Outcome::Left);
    let error = match entry.attempts.last().and_then(|attempt| attempt.fault.as_deref()) {
        _ if entry.outcome == Outcome::Completed => None,
        _ if entry.outcome == Outcome::Left => Some("client_left".to_owned()),
        Some(fault) => Some(fault.to_owned()),
        None => Some(entry.status.to_string()),
    };
    with.extend(error.as_deref().map(|error| KeyValue::new("error.type", error)));
    // what the client did wrong is no error of the server
    let failed = broken || entry.status >= 500;
    Span {
        parent_span_id: told.trace.parent.map(Vec::from).unwrap_or_default(),
        span_id: told.trace.span().into(),
        name: format!("{} {route}", told.method),
        kind: SERVER,
        end_time_unix_nano: nanos(entry.at, entry.total_us),
        attributes: with,
        status: error.filter(|_| failed).map(status),
        ..blank(ended, 0)
    }
}

fn client(ended: &Ended, at: usize, settings: &Settings) -> Span {
    let Ended { entry, told } = ended;
    let attempt = &entry.attempts[at];
    let provider = settings.providers.get(&attempt.provider);
    let name = provider.map_or(attempt.provider.as_str(), |provider| provider.otel_name.as_str());
    let (Operation::Known(operation) | Operation::Other(operation)) = operation(entry);
    let mut with = vec![
        KeyValue::new("gen_ai.operation.name", operation),
        KeyValue::new("gen_ai.provider.name", name),
        KeyValue::new("gen_ai.request.model", attempt.model.as_str()),
        KeyValue::new("gen_ai.request.stream", entry.stream),
        KeyValue::new("keywheel.account.id", pseudonym(&attempt.account)),
        KeyValue::new("keywheel.attempt", at as u64 + 1),
    ];
    with.extend(told.asked.iter().map(|(asked, number)| asked_for(*asked, *number)));
    let encoding = told.encoding.as_ref().map(std::slice::from_ref);
    with.extend(encoding.map(|formats| KeyValue::new("gen_ai.request.encoding_formats", formats)));
    with.extend(address(attempt, settings));
    with.extend(attempt.status.map(|status| KeyValue::new("http.response.status_code", u64::from(status))));
    let before = at.checked_sub(1).and_then(|before| entry.attempts[before].fault.as_deref());
    with.extend(before.map(|fault| KeyValue::new("keywheel.rotation.reason", fault)));
    let error =
        attempt.fault.as_deref().or((entry.outcome == Outcome::Left && is_last(entry, at)).then_some("client_left"));
    with.extend(error.map(|error| KeyValue::new("error.type", error)));
    if is_last(entry, at) && entry.outcome != Outcome::Failed {
        answered(ended, attempt, &mut with);
    }
    let end = match entry.attempts.get(at + 1) {
        Some(next) => attempt.head_us.map_or(next.start_us, |head| attempt.start_us + head),
        None => entry.total_us,
    };
    Span {
        parent_span_id: told.trace.span().into(),
        span_id: told.trace.attempt(at + 1).into(),
        name: format!("{operation} {}", attempt.model).trim_end().to_owned(),
        kind: CLIENT,
        end_time_unix_nano: nanos(entry.at, end),
        attributes: with,
        status: error.map(|error| status(error.to_owned())),
        ..blank(ended, attempt.start_us)
    }
}

/// What the answer said of itself.
fn answered(ended: &Ended, attempt: &Attempt, with: &mut Vec<KeyValue>) {
    let Ended { entry, told } = ended;
    let spend = &entry.spend;
    with.extend(told.answer.as_deref().map(|id| KeyValue::new("gen_ai.response.id", id)));
    let model = spend.answered.as_deref().unwrap_or(&attempt.model);
    with.push(KeyValue::new("gen_ai.response.model", model));
    if !told.finish.is_empty() {
        with.push(KeyValue::new("gen_ai.response.finish_reasons", told.finish.as_slice()));
    }
    if let Some(first) = entry.first_byte_us.filter(|_| entry.stream) {
        let seconds = first.saturating_sub(attempt.start_us) as f64 / 1e6;
        with.push(KeyValue::new("gen_ai.response.time_to_first_chunk", seconds));
    }
    with.extend(spend.service_tier.as_deref().map(|tier| KeyValue::new("openai.response.service_tier", tier)));
    if let Some(usage) = &spend.usage {
        let [_, read, written, _, reasoning] = usage.sums();
        // the totals include their parts here, unlike in the ledger
        with.push(KeyValue::new("gen_ai.usage.input_tokens", usage.total_input()));
        with.push(KeyValue::new("gen_ai.usage.output_tokens", usage.total_output()));
        with.push(KeyValue::new("gen_ai.usage.cache_read.input_tokens", read));
        with.push(KeyValue::new("gen_ai.usage.cache_creation.input_tokens", written));
        with.push(KeyValue::new("gen_ai.usage.reasoning.output_tokens", reasoning));
    }
    // a text: no digit of an amount is lost
    with.extend(spend.cost.map(|cost| KeyValue::new("keywheel.cost.usd", cost.exact())));
    if spend.estimated {
        with.push(KeyValue::new("keywheel.cost.estimated", true));
    }
}

fn asked_for(asked: Asked, number: f64) -> KeyValue {
    // what the conventions count in whole numbers
    let whole = |key| KeyValue::new(key, number as i64);
    match asked {
        Asked::MaxTokens => whole("gen_ai.request.max_tokens"),
        Asked::Temperature => KeyValue::new("gen_ai.request.temperature", number),
        Asked::TopP => KeyValue::new("gen_ai.request.top_p", number),
        Asked::TopK => KeyValue::new("gen_ai.request.top_k", number),
        Asked::FrequencyPenalty => KeyValue::new("gen_ai.request.frequency_penalty", number),
        Asked::PresencePenalty => KeyValue::new("gen_ai.request.presence_penalty", number),
        Asked::Seed => whole("gen_ai.request.seed"),
        Asked::Choices => whole("gen_ai.request.choice.count"),
    }
}

/// What an endpoint does, in the words of the conventions.
enum Operation<'a> {
    Known(&'static str),
    /// The first part of its path: the rest may be an id.
    Other(&'a str),
}

fn operation(entry: &Entry) -> Operation<'_> {
    match entry.endpoint.as_str() {
        "chat/completions" | "responses" => Operation::Known("chat"),
        "completions" => Operation::Known("text_completion"),
        "embeddings" => Operation::Known("embeddings"),
        other => Operation::Other(other.split('/').next().unwrap_or_default()),
    }
}

/// `server.address` and `server.port` of an attempt.
fn address(attempt: &Attempt, settings: &Settings) -> Vec<KeyValue> {
    let own = settings.account(&attempt.account).and_then(|account| account.base_url.as_deref());
    let shared = settings.providers.get(&attempt.provider).map(|provider| provider.base_url.as_str());
    let url = own.or(shared).and_then(|url| url::Url::parse(url).ok());
    let Some((host, port)) = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)))
    else {
        return Vec::new();
    };
    vec![KeyValue::new("server.address", host), KeyValue::new("server.port", u64::from(port))]
}

/// An account's name is its owner's affair; its hash still tells accounts apart.
fn pseudonym(account: &str) -> String {
    hex(&Sha256::digest(account.as_bytes())[..8])
}

fn is_last(entry: &Entry, at: usize) -> bool {
    at + 1 == entry.attempts.len()
}

fn blank(ended: &Ended, start_us: u64) -> Span {
    let trace = &ended.told.trace;
    Span {
        trace_id: trace.id.into(),
        trace_state: trace.state.clone().unwrap_or_default(),
        start_time_unix_nano: nanos(ended.entry.at, start_us),
        ..Span::default()
    }
}

/// The fault's code: its sentence may repeat what a client wrote.
const fn status(error: String) -> Status {
    Status { message: error, code: ERROR }
}

fn nanos(at: Time, after_us: u64) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(0).saturating_add(after_us).saturating_mul(1000)
}
