//! Every path the gateway answers, and what is done there.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, UPGRADE};

use super::door::Standing;
use super::front::{Front, Visit};
use super::inflow::Inflow;
use super::intake::{self, Intake};
use super::refuse::{self, Refused};
use super::target::{self, RESOURCE, Target};
use super::{metrics, models, outflow};
use crate::kit::{Fault, fault::Kind};
use crate::operator::{Ask, Refusal};
use crate::telemetry::exposition;
use crate::wire::{Call, Endpoint};

/// The largest question to the operator in bytes.
const ASK_LIMIT: u64 = 64 * 1024;

/// What handlers share: the front desk, and how long a body may be silent.
#[derive(Clone)]
struct Desk {
    front: Arc<Front>,
    patience: Duration,
}

/// The routes.
pub(super) fn router(front: Arc<Front>, patience: Duration) -> Router {
    let resource = |path: &str| format!("{RESOURCE}{path}");
    Router::new()
        .route("/healthz", get("ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/models", get(list_models))
        .route("/v1/models/{*id}", get(show_model))
        .route(&resource("/models"), get(list_models))
        .route(&resource("/v1/models"), get(list_models))
        .route(&resource("/v1/models/{*id}"), get(show_model))
        .route("/v1/{*path}", any(call))
        .route(&resource("/{*path}"), any(call))
        .route("/keywheel/ask", post(ask))
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown)
        .with_state(Desk { front, patience })
}

async fn ready(State(desk): State<Desk>) -> Response {
    if desk.front.gate.ready() {
        return "ready\n".into_response();
    }
    let words = "no account can take a call now; see: keywheel status\n";
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

async fn metrics(State(desk): State<Desk>, Extension(visit): Extension<Visit>, request: Request) -> Response {
    match metrics::page(&desk.front, &visit, request.headers()) {
        Ok(page) => ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], page).into_response(),
        Err(fault) => refuse::dismiss(request, &fault),
    }
}

async fn list_models(State(desk): State<Desk>, Extension(visit): Extension<Visit>, request: Request) -> Response {
    match desk.front.admit(&visit, request.headers()) {
        Ok(caller) => Json(models::list(&desk.front.gate.models(&caller))).into_response(),
        Err(fault) => refuse::dismiss(request, &fault),
    }
}

async fn show_model(State(desk): State<Desk>, Extension(visit): Extension<Visit>, request: Request) -> Response {
    let shown = desk.front.admit(&visit, request.headers()).and_then(|caller| {
        let path = request.uri().path();
        let id = path.split_once("/models/").and_then(|(_, id)| target::decode(id));
        models::one(&desk.front.gate.models(&caller), &id.ok_or_else(|| nothing_at(path))?)
    });
    match shown {
        Ok(model) => Json(model).into_response(),
        Err(fault) => refuse::dismiss(request, &fault),
    }
}

/// The main road: a call to a provider.
async fn call(
    State(desk): State<Desk>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let body = Inflow::new(&parts.headers, body, desk.patience);
    let target = Target::of(parts.uri.path()).ok_or_else(|| nothing_at(parts.uri.path()))?;
    let caller = desk.front.admit(&visit, &parts.headers)?;
    if target.endpoint == Endpoint::Responses && parts.headers.contains_key(UPGRADE) {
        let words = "responses are not served over WebSocket; use POST /v1/responses";
        return Err(Fault::new(Kind::Invalid(426), words).into());
    }
    if let Err(fault) = intake::allowed(&target.endpoint, &parts.method) {
        return Ok(with_allow(refuse::answer(&fault)));
    }
    let (method, version) = (parts.method.clone(), parts.version);
    let intake = intake::read(parts, body, &target, &desk.front.live.now()).await?;
    let Intake { headers, query, model, stream, patience, payload } = intake;
    let endpoint = target.endpoint;
    let (id, at) = (visit.id, visit.at);
    let call = Call { id, at, endpoint, method, query, headers, model, stream, caller, patience, payload };
    let answer = desk.front.gate.call(call).await;
    Ok(outflow::respond(answer, version, visit.visitor.cut))
}

/// The operator's questions, from the owner of the socket alone; for everyone else there is nothing here.
async fn ask(
    State(desk): State<Desk>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Result<Response, Refused> {
    if !matches!(visit.visitor.standing, Standing::Owner) {
        return Ok(unknown(request).await);
    }
    let (parts, body) = request.into_parts();
    let mut body = Inflow::new(&parts.headers, body, desk.patience);
    body.limit(ASK_LIMIT)?;
    let bytes = body.whole().await?;
    let answer = match serde_json::from_slice::<Ask>(&bytes) {
        Ok(ask) => desk.front.operator.ask(ask).await,
        Err(error) => {
            Err(Refusal::new(format!("this gateway does not know the question ({error}); is it of another version?")))
        }
    };
    Ok(Json(answer).into_response())
}

async fn wrong_method(request: Request) -> Response {
    let words = format!("{} does not take {}", short(request.uri().path()), request.method());
    refuse::dismiss(request, &Fault::new(Kind::Invalid(405), words).code("method_not_allowed"))
}

async fn unknown(request: Request) -> Response {
    let fault = nothing_at(request.uri().path());
    refuse::dismiss(request, &fault)
}

fn nothing_at(path: &str) -> Fault {
    let words = format!(
        "there is nothing at {}; a base URL ends in /v1, and below it are POST chat/completions, completions, embeddings \
         and responses, GET models and models/ID, and what providers serve besides",
        short(path)
    );
    Fault::new(Kind::NotFound, words).code("unknown_endpoint")
}

/// A path as it is repeated in an error.
fn short(path: &str) -> &str {
    path.get(..200).unwrap_or(path)
}

fn with_allow(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}
