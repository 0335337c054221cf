//! What every call is booked in: counted while it is under way, priced and recorded when it ends.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::till::Till;
use crate::store::Ledger;
use crate::telemetry::Telemetry;

/// The books of a gateway, one set for all its calls.
pub(super) struct Books {
    /// Where calls are recorded.
    pub(super) ledger: Arc<dyn Ledger>,
    /// What they cost.
    pub(super) till: Till,
    /// What others are told of them.
    pub(super) telemetry: Arc<Telemetry>,
    /// How many are under way.
    pub(super) in_flight: AtomicUsize,
}
