//! Turns a request into a `Call`: reads what routing needs out of the body and leaves the rest as it came.

use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method};

use super::auth::KEY_HEADERS;
use super::inflow::Inflow;
use super::target::Target;
use super::{multipart, target};
use crate::config::Settings;
use crate::kit::{Fault, fault::Kind};
use crate::wire::call::Upload;
use crate::wire::{Endpoint, Json, Payload};

/// Where a model's name may stand when the body cannot carry one.
const MODEL_HEADER: &str = "x-keywheel-model";
/// Bodies that are no JSON and not larger than this are held in memory, so that they can be sent again.
const SMALL: u64 = 64 * 1024;
/// The longest name of a model in bytes; it is kept in ledger and cooldowns.
const LONGEST_NAME: usize = 512;
/// How far into an upload its model is looked for.
const PEEK: usize = 64 * 1024;
/// How long a client that states nothing waits for a whole answer: Node's and Bun's limit of 300 s, with room.
const WHOLE_ANSWER: Duration = Duration::from_secs(280);
/// The headers in which SDKs state their timeout, in seconds.
const TIMEOUT_HEADERS: [&str; 2] = ["x-stainless-read-timeout", "x-stainless-timeout"];

/// What was read out of a request.
pub(super) struct Intake {
    pub(super) headers: HeaderMap,
    pub(super) query: Option<String>,
    pub(super) model: Option<String>,
    pub(super) stream: bool,
    pub(super) patience: Option<Duration>,
    pub(super) payload: Payload,
}

/// Reads a request whose caller is known.
pub(super) async fn read(parts: Parts, body: Inflow, target: &Target, settings: &Settings) -> Result<Intake, Fault> {
    let mut headers = parts.headers;
    let (payload, in_body) = payload(&headers, body, &target.endpoint, settings).await?;
    let stream = match &payload {
        Payload::Json(json) => stream(json)?,
        _ => false,
    };
    let in_header = headers.get(MODEL_HEADER).and_then(|model| model.to_str().ok()).map(str::to_owned);
    let model = target.deployment.clone().or(in_body).or(in_header).filter(|model| !model.is_empty());
    if model.is_none() && is_typed(&target.endpoint) {
        let words = "the request names no model; put \"model\" into the body, and see GET /v1/models for what there is";
        return Err(Fault::new(Kind::Invalid(400), words).code("model_missing").param("model"));
    }
    if model.as_ref().is_some_and(|name| name.len() > LONGEST_NAME || name.contains(char::is_control)) {
        let words = format!("\"model\" must be a name of at most {LONGEST_NAME} bytes, without control characters");
        return Err(Fault::new(Kind::Invalid(400), words).code("invalid_value").param("model"));
    }
    let patience = patience(&headers, &payload, stream);
    if is_typed(&target.endpoint) {
        // curl calls JSON a form unless told otherwise
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    strip(&mut headers);
    Ok(Intake { headers, query: parts.uri.query().and_then(target::query), model, stream, patience, payload })
}

/// Whether the endpoint takes a JSON object that names a model; others are passed through as they are.
pub(super) const fn is_typed(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Chat | Endpoint::Completions | Endpoint::Embeddings | Endpoint::Responses => true,
        Endpoint::Other(_) => false,
    }
}

/// The body, and the model that it names.
async fn payload(
    headers: &HeaderMap,
    mut body: Inflow,
    endpoint: &Endpoint,
    settings: &Settings,
) -> Result<(Payload, Option<String>), Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multipart::boundary(kind);
    if is_typed(endpoint) || is_json(kind) {
        if boundary.is_some() {
            return Err(Fault::new(Kind::Invalid(415), "this endpoint takes JSON; send application/json"));
        }
        return json(headers, body, endpoint, settings).await;
    }
    if body.is_empty() {
        return Ok((Payload::Empty, None));
    }
    let model = |seen: &[u8]| boundary.and_then(|boundary| multipart::field(seen, boundary, "model"));
    if body.stated.is_some_and(|stated| stated <= SMALL) {
        body.limit(SMALL)?;
        let bytes = body.whole().await?;
        let model = model(&bytes);
        return Ok((Payload::Raw(bytes), model));
    }
    body.limit(settings.upload_limit)?;
    let model = if boundary.is_some() { body.peek(PEEK, model).await? } else { None };
    let length = body.stated;
    Ok((Payload::Upload(Upload { bytes: Box::pin(body), length }), model))
}

async fn json(
    headers: &HeaderMap,
    mut body: Inflow,
    endpoint: &Endpoint,
    settings: &Settings,
) -> Result<(Payload, Option<String>), Fault> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Fault::new(Kind::Invalid(415), "the body is compressed; send it without content-encoding"));
    }
    body.limit(settings.body_limit as u64)?;
    let bytes = body.whole().await?;
    if bytes.is_empty() {
        // SDKs post an empty body, called JSON, to paths such as batches/ID/cancel
        return match endpoint {
            Endpoint::Other(_) => Ok((Payload::Empty, None)),
            _ => Err(Fault::new(Kind::Invalid(400), "the body is empty; send a JSON object")),
        };
    }
    let json =
        Json::parse(bytes).map_err(|error| Fault::new(Kind::Invalid(400), error.to_string()).code("invalid_json"))?;
    let model = match json.get("model") {
        None | Some("null") => None,
        Some(text) if text.starts_with('"') => json.str("model"),
        Some(_) => return Err(wrong_type("model", "a string")),
    };
    Ok((Payload::Json(json), model))
}

fn stream(json: &Json) -> Result<bool, Fault> {
    match json.get("stream") {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(wrong_type("stream", "true or false")),
    }
}

fn wrong_type(field: &'static str, kind: &str) -> Fault {
    Fault::new(Kind::Invalid(400), format!("{field:?} must be {kind}")).code("invalid_type").param(field)
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// How long the client waits: what it says; otherwise a stream is kept alive, and a whole answer has its usual limit.
fn patience(headers: &HeaderMap, payload: &Payload, stream: bool) -> Option<Duration> {
    let seconds = |name| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let stated = TIMEOUT_HEADERS.into_iter().find_map(seconds);
    let stated = stated.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).filter(|wait| !wait.is_zero());
    let usual = (matches!(payload, Payload::Json(_)) && !stream).then_some(WHOLE_ANSWER);
    stated.or(usual)
}

/// Takes out what belongs to this hop, to this gateway, or to nobody but the client.
fn strip(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> =
        named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    for name in named {
        headers.remove(name);
    }
    const HOP: [HeaderName; 12] = [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::EXPECT,
        header::HOST,
        header::CONTENT_LENGTH,
        header::AUTHORIZATION,
        header::COOKIE,
    ];
    for name in &HOP {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", MODEL_HEADER].into_iter().chain(KEY_HEADERS) {
        headers.remove(name);
    }
}

/// Which methods an endpoint takes; `None` when any will do.
pub(super) fn allowed(endpoint: &Endpoint, method: &Method) -> Result<(), Fault> {
    if !is_typed(endpoint) || method == Method::POST {
        return Ok(());
    }
    let words = format!("{} takes POST, not {method}", endpoint.path());
    Err(Fault::new(Kind::Invalid(405), words).code("method_not_allowed"))
}
