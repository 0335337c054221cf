//! What the gateway gives back to a door: always an answer in the client's dialect, also for faults.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::dispatch::{Failed, Started};
use super::relay::{Line, Relay};
use crate::kit::{CallId, Clock, Kind, Time};
use crate::wire::error;

/// An answer for a client.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, the `x-keywheel-*` ones among them.
    pub headers: HeaderMap,
    /// Its body. An `Err` means that the connection must be reset: the answer is not whole.
    pub body: Bytestream,
}

/// The body of an answer.
pub type Bytestream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// How a call went so far, for headers and ledger.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The provider asked last.
    pub provider: Option<String>,
    /// The account used last.
    pub account: Option<String>,
    /// The model asked for last.
    pub model: Option<String>,
    /// How many upstream tries were made.
    pub attempts: usize,
    /// Microseconds spent waiting for an account.
    pub parked_us: u64,
    /// Budgets that are spent and let it go on, in words.
    pub budget: Option<String>,
    /// The limit that was put on its answer.
    pub max_tokens: Option<u64>,
    /// How hard the model was told to think, and what was changed for it.
    pub reasoning: Option<String>,
}

/// Writes the heads of answers.
pub(super) struct Head {
    pub(super) id: CallId,
    pub(super) hide_account: bool,
    pub(super) clock: Clock,
}

impl Head {
    /// The head and body of an answer that has begun.
    pub(super) async fn good(&self, mut started: Started, line: Line) -> Answer {
        let status = started.opened.status;
        let mut headers = std::mem::take(&mut started.opened.headers);
        // the relay counts the body by its stated length
        if let Some(length) = headers.get(CONTENT_LENGTH) {
            started.opened.headers.insert(CONTENT_LENGTH, length.clone());
        }
        self.describe(&started.journal.trace(), &mut headers);
        let mut relay = Relay::new(line, started.opened, started.lease, started.journal);
        // an answer that is all there leaves in one piece: sent ahead, its head would be a write and a packet of its own
        let body: Bytestream = match if relay.is_whole() { relay.next().await } else { None } {
            Some(all) => Box::pin(stream::iter([all]).chain(relay.into_stream())),
            None => Box::pin(relay.into_stream()),
        };
        Answer { status, headers, body }
    }

    /// The head and body of a failure.
    pub(super) fn bad(&self, failed: &Failed) -> Answer {
        let fault = &failed.fault;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.describe(&failed.trace, &mut headers);
        if let Some(wait) = self.wait(fault.kind, failed.reset, &mut headers) {
            // whole seconds between 1 and 60: longer ones make some clients give up and others ignore it
            headers.insert(
                RETRY_AFTER,
                wait.as_millis()
                    .div_ceil(1000)
                    .clamp(1, 60)
                    .to_string()
                    .parse()
                    .unwrap_or(HeaderValue::from_static("60")),
            );
        }
        let body = error::body(fault);
        let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer { status, headers, body: Box::pin(stream::iter([Ok(body)])) }
    }

    /// How long the client should wait, for failures that waiting mends; the exact instant goes into a header.
    fn wait(&self, kind: Kind, reset: Option<Time>, headers: &mut HeaderMap) -> Option<Duration> {
        let now = self.clock.now();
        let hint = match kind {
            Kind::Throttled(hint, _) | Kind::Overloaded(hint) => hint.or(Some(Duration::from_secs(1))),
            Kind::ClientLimit(hint) => Some(hint),
            Kind::Exhausted(_) | Kind::LedgerLag => Some(Duration::from_secs(1)),
            Kind::BudgetSpent(..) => None,
            // a provider that keeps failing is left alone for a while, whose end is known
            Kind::Upstream(_) | Kind::Unreachable if reset.is_some() => None,
            _ => return None,
        };
        let told = if let Kind::Exhausted(at) | Kind::BudgetSpent(at, _) = kind { at } else { None };
        let reset = reset.or(told);
        if let Some(value) = reset.and_then(|at| HeaderValue::from_str(&at.to_string()).ok()) {
            headers.insert(HeaderName::from_static("x-keywheel-reset-at"), value);
        }
        match kind {
            // nobody shall ask again by itself
            Kind::BudgetSpent(..) => None,
            _ => reset.map(|at| at.since(now)).or(hint),
        }
    }

    /// The headers that tell which way the call went.
    pub(super) fn describe(&self, trace: &Trace, headers: &mut HeaderMap) {
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-keywheel-request-id", &self.id.to_string());
        if let Some(provider) = &trace.provider {
            put("x-keywheel-provider", provider);
        }
        if let Some(account) = trace.account.as_ref().filter(|_| !self.hide_account) {
            put("x-keywheel-account", account);
        }
        if let Some(model) = &trace.model {
            put("x-keywheel-model", model);
        }
        if trace.attempts > 0 {
            put("x-keywheel-attempts", &trace.attempts.to_string());
        }
        if let Some(budget) = &trace.budget {
            put("x-keywheel-budget", budget);
        }
        if let Some(limit) = trace.max_tokens {
            put("x-keywheel-max-tokens", &limit.to_string());
        }
        if let Some(reasoning) = &trace.reasoning {
            put("x-keywheel-reasoning", reasoning);
        }
        if trace.parked_us > 0 {
            put("x-keywheel-parked-ms", &(trace.parked_us / 1000).to_string());
        }
    }
}
