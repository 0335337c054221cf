//! The right to use one account for one attempt; given back on every path, also when the client leaves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::pool::{Pool, spread};
use super::seat::Seat;
use crate::config::Account;
use crate::kit::{Fault, Time};

/// An account taken for one attempt. Dropping it gives the account back.
#[must_use = "a lease that is dropped at once gives the account back"]
pub struct Lease {
    pub(super) seat: Arc<Seat>,
    pub(super) pool: Arc<Pool>,
    pub(super) model: Box<str>,
    pub(super) taken: Time,
    pub(super) token: u64,
    pub(super) affinity: Option<u64>,
}

impl Lease {
    /// The account.
    pub fn account(&self) -> &Arc<Account> {
        &self.seat.account
    }

    /// The provider answered as it should.
    pub fn succeeded(&self) {
        self.pool.succeeded(self);
    }

    /// Gives the account back and takes it once more, for another try of the same call; `None` when something stands in
    /// the way by now.
    pub fn again(self) -> Option<Self> {
        let (pool, seat) = (Arc::clone(&self.pool), Arc::clone(&self.seat));
        let (model, affinity) = (self.model.clone(), self.affinity);
        drop(self);
        pool.again(&seat, &model, affinity)
    }

    /// A wait between half of this one and one and a half times it, so that calls that failed together do not come back
    /// together.
    pub fn spread(&self, wait: Duration) -> Duration {
        wait / 2 + wait * spread(self.token) / 1023
    }

    /// The attempt failed: whoever is to blame cools down.
    pub fn failed(&self, fault: &Fault) {
        self.pool.failed(self, fault);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.seat.state.busy.fetch_sub(1, Ordering::AcqRel);
        self.pool.release(self);
    }
}
