//! Faults as HTTP answers in the client's dialect.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};

use super::inflow::Inflow;
use crate::kit::{Fault, fault::Kind};
use crate::wire::error;

/// The answer for a fault of this room.
pub(super) fn answer(fault: &Fault) -> Response<Body> {
    let mut response = Response::new(Body::from(error::body(fault)));
    *response.status_mut() = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match fault.kind {
        Kind::ClientLimit(wait) | Kind::Overloaded(Some(wait)) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        Kind::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// The answer for a request that is not read any further.
pub(super) fn dismiss(request: Request<Body>, fault: &Fault) -> Response<Body> {
    drop(Inflow::of(request));
    answer(fault)
}

/// Agents give up when they are told to wait for more than 60 seconds, and hammer at less than one.
fn whole_seconds(wait: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + up).clamp(1, 60)
}

/// A fault as a handler returns it.
pub(super) struct Refused(pub(super) Fault);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        answer(&self.0)
    }
}
