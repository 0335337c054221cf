//! One connection from its first byte to its last: HTTP/1.1 or HTTP/2, bounded in time and size.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout};

use super::door::{Arrival, Standing};
use super::doors::{self, Bounds};
use super::front::{Front, Visitor};
use super::metrics;
use super::sniff::{Speaks, sniff};

/// The most bytes of a request's head.
const HEAD_BYTES: u32 = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// A peer that left without a word is noticed by an HTTP/2 ping this often.
const PING: Duration = Duration::from_secs(30);
/// Who only hears a refusal has this long to hear it.
const REFUSAL: Duration = Duration::from_secs(5);

/// All that every connection needs.
pub(super) struct Attendant {
    front: Arc<Front>,
    router: Router,
    bounds: Bounds,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Attendant {
    pub(super) fn new(front: Front, bounds: Bounds) -> Self {
        let front = Arc::new(front);
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_header_size(HEAD_BYTES as usize);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES)
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let router = super::routes::router(Arc::clone(&front), bounds.body);
        Self { front, router, bounds, http1, http2 }
    }
}

/// Serves one connection until either side ends it.
pub(super) async fn attend(
    arrival: Arrival,
    standing: Standing,
    _seat: OwnedSemaphorePermit,
    attendant: Arc<Attendant>,
    mut closing: Receiver<Option<Instant>>,
) {
    let _counted = metrics::Counted::new(&attendant.front.connections);
    let barred = matches!(standing, Standing::Barred(_));
    let visitor = Visitor { standing, cut: arrival.cut };
    let served = async {
        let hello = async {
            let wire = arrival.opening.await.ok()?;
            timeout(attendant.bounds.head, sniff(wire)).await.ok()?.ok()
        };
        let hello = tokio::select! {
            hello = hello => hello,
            _ = doors::told(&mut closing) => None,
        };
        let Some((speaks, wire)) = hello else { return };
        let service = service_fn(|request| {
            let (attendant, visitor) = (Arc::clone(&attendant), visitor.clone());
            async move { Ok::<_, Infallible>(attendant.front.receive(&attendant.router, visitor, request).await) }
        });
        let io = TokioIo::new(wire);
        match speaks {
            Speaks::Http1 => run(attendant.http1.serve_connection(io, service), closing).await,
            Speaks::Http2 => run(attendant.http2.serve_connection(io, service), closing).await,
        }
    };
    if barred {
        let _ = timeout(REFUSAL, served).await;
    } else {
        served.await;
    }
}

/// Runs a connection; when the doors close it finishes the answers under way and takes no more requests.
async fn run<C: GracefulConnection>(connection: C, mut closing: Receiver<Option<Instant>>)
where
    C::Error: std::fmt::Display,
{
    let mut connection = pin!(connection);
    // the set polls its future only when that was woken; polled beside each chunk, it would take a lock that all
    // connections share
    let mut told: FuturesUnordered<_> = std::iter::once(doors::told(&mut closing)).collect();
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        _ = told.next() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}
