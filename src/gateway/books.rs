//! What every call is booked in: counted while it is under way, priced, charged and recorded when it ends.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::budgets::Budgets;
use super::purse::Purse;
use super::tally::Tally;
use super::till::Till;
use crate::history::Capture;
use crate::store::{Durable, Entry, Ledger};
use crate::telemetry::Telemetry;

/// The books of a gateway, one set for all its calls.
pub(super) struct Books {
    /// Where calls are recorded.
    pub(super) ledger: Arc<dyn Ledger>,
    /// What they cost.
    pub(super) till: Arc<Till>,
    /// What they may cost.
    pub(super) budgets: Arc<Budgets>,
    /// Where those go whose answer did not say what they consumed.
    pub(super) tally: Tally,
    /// Where their bodies are kept, where somebody wants them kept.
    pub(super) capture: Capture,
    /// What others are told of them.
    pub(super) telemetry: Arc<Telemetry>,
    /// How many are under way.
    pub(super) in_flight: AtomicUsize,
}

impl Books {
    /// Closes a call, see [`close`].
    pub(super) fn close(&self, entry: Entry, purse: &mut Purse) -> Durable {
        close(&*self.ledger, &self.budgets, entry, purse)
    }
}

/// Closes a call: what it set aside goes back, every budget is charged with what it cost, and its entry is queued.
pub(super) fn close(ledger: &dyn Ledger, budgets: &Budgets, entry: Entry, purse: &mut Purse) -> Durable {
    let (held, kept) = purse.empty();
    if !budgets.any() && held.is_empty() && !kept {
        return ledger.record(entry);
    }
    let record = |entry| if kept { ledger.settle(entry) } else { ledger.record(entry) };
    budgets.settle(entry, held, record)
}
