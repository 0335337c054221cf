//! The identity provider's door: forms in, JSON out, and the login page's redirect.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tokio::net::TcpListener;

use super::book::{Reply, Sender};
use super::{Room, Stage};
use crate::kit::{Clock, Time};

const MOST: usize = 64 << 10;

/// A form's fields.
pub(super) type Form = BTreeMap<String, String>;

pub(super) async fn serve(listener: TcpListener, room: Arc<Room>) {
    let router = Router::new().fallback(answer).with_state(room);
    // it ends with its runtime
    drop(axum::serve(listener, router).await);
}

async fn answer(State(room): State<Arc<Room>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MOST).await.unwrap_or_default();
    let query = form(parts.uri.query().unwrap_or_default().as_bytes());
    let now = Clock::system().now();
    let reply = match (parts.method.as_str(), parts.uri.path()) {
        ("POST", "/token") => {
            let (fields, sender) = (posted(&parts.headers, &body), sender(&parts.headers));
            room.book().arrived(&fields);
            room.gate.pass(Stage::Arrived).await;
            let reply = match fields {
                Some(fields) => {
                    let mut book = room.book();
                    let reply = book.token(&fields, &sender, Clock::system().now());
                    if book.echoes() { reply.repeating(&fields) } else { reply }
                }
                None => Reply::error(400, "invalid_request", "The body must be a form."),
            };
            room.gate.pass(Stage::Answered).await;
            reply
        }
        ("POST", "/device") => match posted(&parts.headers, &body) {
            Some(fields) => room.book().device(&fields),
            None => Reply::error(400, "invalid_request", "The body must be a form."),
        },
        ("GET", "/authorize") => room.book().authorize(&query, now),
        ("GET", "/metadata/identity/oauth2/token") => room.book().machine(&parts.headers, &query, now),
        _ => Reply::error(404, "not_found", "No such page."),
    };
    let plain = parts.headers.get(header::ACCEPT).is_none_or(|accept| accept != "application/json");
    let skew = room.book().skew();
    write(reply, plain, now, skew, room.book().errors_in_200())
}

fn write(reply: Reply, plain: bool, now: Time, skew: i64, errors_in_200: bool) -> Response {
    let mut response = Response::new(Body::empty());
    if let Some(to) = reply.redirect.as_deref().and_then(|to| to.parse().ok()) {
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().insert(header::LOCATION, to);
        return response;
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.status_mut() = if errors_in_200 && reply.body.get("error").is_some() { StatusCode::OK } else { status };
    // some answer with a form unless JSON is asked for by name
    let (kind, text) = match (&reply.body, plain) {
        (Value::Object(fields), true) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in fields {
                form.append_pair(name, value.as_str().unwrap_or(&value.to_string()));
            }
            ("application/x-www-form-urlencoded", form.finish())
        }
        (body, _) => ("application/json; charset=utf-8", body.to_string()),
    };
    *response.body_mut() = Body::from(text);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    let date = jiff::Timestamp::from_second(now.as_secs() + skew).unwrap_or_default();
    if let Ok(date) = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string().parse() {
        headers.insert(header::DATE, date);
    }
    response
}

fn posted(headers: &HeaderMap, body: &[u8]) -> Option<Form> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    kind.starts_with("application/x-www-form-urlencoded").then(|| form(body))
}

fn form(text: &[u8]) -> Form {
    url::form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Who asks by HTTP Basic; both words are form-encoded.
fn sender(headers: &HeaderMap) -> Sender {
    let read = || {
        let word = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(word).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        let plain = |text: &str| form(format!("x={text}").as_bytes()).remove("x");
        Some((plain(id)?, plain(secret)?))
    };
    Sender(read())
}
