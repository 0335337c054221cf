//! The front desk: every request passes here on its way in, and its answer on the way out.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::body::Body;
use http::header::HeaderValue;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::door::{Cut, Standing};
use super::keys::Keys;
use super::{refuse, screen};
use crate::config::Live;
use crate::gateway::Gate;
use crate::kit::{CallId, Clock, Time};
use crate::operator::Operator;
use crate::wire::Caller;

/// All that the routes need. Made once and shared by all doors.
pub struct Front {
    pub(super) gate: Arc<dyn Gate>,
    pub(super) operator: Arc<dyn Operator>,
    pub(super) keys: Arc<Keys>,
    pub(super) live: Live,
    pub(super) clock: Clock,
    /// Who calls from the owner's side of the socket.
    pub(super) owner: Arc<Caller>,
    /// Connections that are open.
    pub(super) connections: AtomicUsize,
}

/// Who sent a request, by where its connection came in.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) standing: Standing,
    pub(super) cut: Cut,
}

/// A request's name and time, for the routes.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) id: CallId,
    pub(super) at: Time,
    pub(super) visitor: Visitor,
}

impl Front {
    /// A front desk for these rooms.
    pub fn new(gate: Arc<dyn Gate>, operator: Arc<dyn Operator>, keys: Arc<Keys>, live: Live, clock: Clock) -> Self {
        let owner = Arc::new(Caller::owner());
        Self { gate, operator, keys, live, clock, owner, connections: AtomicUsize::new(0) }
    }

    /// Answers a request; the answer carries its id, whoever made it.
    pub(super) async fn receive(
        &self,
        router: &Router,
        visitor: Visitor,
        mut request: Request<Incoming>,
    ) -> Response<Body> {
        let id = CallId::new();
        let mut response = match self.screen(&visitor.standing, &request) {
            Ok(()) => {
                request.extensions_mut().insert(Visit { id, at: self.clock.now(), visitor });
                match router.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            Err(fault) => refuse::dismiss(request.map(Body::new), &fault),
        };
        if let Ok(id) = HeaderValue::try_from(id.to_string()) {
            response.headers_mut().entry("x-keywheel-request-id").or_insert(id);
        }
        response
    }

    fn screen(&self, standing: &Standing, request: &Request<Incoming>) -> Result<(), crate::kit::Fault> {
        match standing {
            Standing::Owner | Standing::Local => Ok(()),
            Standing::Network => screen::check(request, &self.live),
            Standing::Barred(fault) => Err(fault.as_ref().clone()),
        }
    }
}
