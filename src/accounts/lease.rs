//! The right to use one account for one attempt; given back on every path, also when the client leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::choice::Chosen;
use super::learned::{Mark, Need};
use super::pool::{Pool, spread};
use super::seat::Seat;
use super::wanted::Wanted;
use crate::config::{Account, Strategy};
use crate::kit::window::Window;
use crate::kit::{Fault, Time};
use crate::store::Choice;

/// An account taken for one attempt. Dropping it gives the account back.
#[must_use = "a lease that is dropped at once gives the account back"]
pub struct Lease {
    pub(super) seat: Arc<Seat>,
    pub(super) pool: Arc<Pool>,
    pub(super) model: Box<str>,
    pub(super) taken: Time,
    pub(super) token: u64,
    pub(super) affinity: Option<u64>,
    /// The model's name as a number.
    pub(super) hash: u64,
    /// What was charged for the call.
    pub(super) need: Need,
    /// What had been taken of the provider's windows by then.
    pub(super) mark: Mark,
    /// Whether the charge is what was consumed, or was given back.
    pub(super) settled: AtomicBool,
    pub(super) choice: Option<Box<Chosen>>,
}

impl Lease {
    /// The account.
    pub fn account(&self) -> &Arc<Account> {
        &self.seat.account
    }

    /// What the choice of this account was made from, for the record; `None` where there was nothing to choose and no
    /// account was kept away.
    /// `routes` are the names of those that were asked for, from the first on.
    pub fn choice(&self, routes: impl Fn(usize) -> String) -> Option<Choice> {
        self.choice.as_ref().map(|chosen| chosen.record(&routes))
    }

    /// The provider's answer, good or bad, told of these limits.
    pub fn learned(&self, windows: &[Window]) {
        if !windows.is_empty() {
            let now = self.pool.clock.now();
            self.seat.group.windows.learn(&self.model, self.hash, windows, self.mark, now);
        }
    }

    /// The first byte of the answer came after so long.
    pub fn began(&self, took: Duration) {
        self.seat.state.speed.note(took, self.pool.clock.now());
    }

    /// The answer reported so many tokens of both directions: the estimate is corrected.
    pub fn used(&self, tokens: u64) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            let now = self.pool.clock.now();
            let [used, charged] = [tokens, self.need.total()].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
            self.seat.paces().for_each(|pace| pace.correct(used.saturating_sub(charged), now));
        }
    }

    /// The call never went out: nothing of it was used.
    pub(super) fn unsent(&self) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            let now = self.pool.clock.now();
            self.seat.paces().for_each(|pace| pace.give_back(self.need.total(), now));
        }
    }

    /// The provider refused the call: it counts as a request, but took no tokens.
    pub(super) fn refused(&self) {
        self.used(0);
    }

    /// A good answer has begun; what becomes of its provider is known only at its end.
    pub fn answered(&self) {
        self.pool.answered(self);
    }

    /// The provider answered as it should.
    pub fn succeeded(&self) {
        self.pool.succeeded(self);
    }

    /// Gives the account back and takes it once more, for another try of the same call; `None` when something stands in
    /// the way by now.
    pub fn again(self) -> Option<Self> {
        let (pool, seat) = (Arc::clone(&self.pool), Arc::clone(&self.seat));
        let (model, affinity, need) = (self.model.clone(), self.affinity, self.need);
        drop(self);
        let provider = seat.account.provider.as_str();
        let strategy = Strategy::FillFirst;
        let wanted = Wanted { provider, model: &model, strategy, affinity, need, ..Wanted::default() };
        pool.again(&seat, &wanted)
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
        self.seat.paces().for_each(super::pace::Pace::leave);
        self.seat.group.crowd.leave();
        self.pool.release(self);
    }
}
