//! The page of counters as a door shows it: to the owner of the socket, to the holder of a client key, and without one
//! only where the settings say so.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;

use super::door::Standing;
use super::front::{Front, Visit};
use crate::gateway::Accounts;
use crate::kit::Fault;
use crate::telemetry::exposition::Kind;

/// The page for this visitor.
pub(super) fn page(front: &Front, visit: &Visit, headers: &HeaderMap) -> Result<String, Fault> {
    let mut page = front.gate.metrics(accounts(front, visit, headers)?);
    let connections = front.connections.load(Ordering::Relaxed) as u64;
    page.single("keywheel_connections", Kind::Gauge, "Connections that are open.", connections);
    Ok(page.finish())
}

/// Whether the visitor may see accounts by name; a fault where it may see nothing.
fn accounts(front: &Front, visit: &Visit, headers: &HeaderMap) -> Result<Accounts, Fault> {
    match front.admit(visit, headers) {
        Ok(caller) if caller.hide_account => Ok(Accounts::Hidden),
        Ok(_) => Ok(Accounts::Shown),
        Err(fault) if matches!(visit.visitor.standing, Standing::Barred(_)) => Err(fault),
        Err(_) if front.live.now().metrics_public => Ok(Accounts::Hidden),
        Err(fault) => Err(fault),
    }
}

/// One of those that are open, until it is dropped.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    /// One more.
    pub(super) fn new(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
