//! One account with its state, and whether it could take a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use wildmatch::WildMatch;

use super::breaker::Breaker;
use super::choose::Candidate;
use super::health::{Gate, Health};
use super::verdict::Stop;
use super::wanted::Wanted;
use crate::config::Account;
use crate::kit::{Kind, Time};

/// An account with its state, which outlives a reload.
pub(super) struct Seat {
    pub(super) account: Arc<Account>,
    pub(super) state: Arc<State>,
    pub(super) group: Arc<Health>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) models: Vec<WildMatch>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) busy: AtomicU32,
    pub(super) health: Health,
}

impl Seat {
    /// Whether this account could take the call.
    pub(super) fn stands(&self, wanted: &Wanted<'_>, now: Time) -> Result<Candidate, Stop> {
        let account = &self.account;
        if account.disabled {
            return Err(Stop::Never("switched off".to_owned()));
        }
        if !self.models.is_empty() && !self.models.iter().any(|glob| glob.matches(wanted.model)) {
            return Err(Stop::Never("not for this model".to_owned()));
        }
        if wanted.tried.iter().any(|tried| tried.id == account.id) {
            return Err(Stop::Never("already tried".to_owned()));
        }
        for health in [&self.state.health, &*self.group] {
            match health.gate(wanted.model, now) {
                Gate::Open | Gate::Probe => {}
                Gate::Probing(why) => return Err(Stop::Busy(format!("a probe is under way after: {why}"))),
                Gate::Until(Time::MAX, why, kind) => return Err(Stop::Person(why.into_owned(), kind)),
                Gate::Until(at, why, kind) => return Err(Stop::Until(at, why.into_owned(), kind)),
            }
        }
        if let Some(until) = self.breaker.open(now) {
            return Err(Stop::Until(until, "the provider keeps failing".to_owned(), Kind::Overloaded(None)));
        }
        let busy = self.state.busy.load(Ordering::Acquire);
        if account.limits.concurrency.is_some_and(|most| busy >= most) {
            return Err(Stop::Busy(format!("{busy} calls at once, its limit")));
        }
        Ok(Candidate { seat: 0, busy, weight: account.weight.max(1), priority: account.priority })
    }
}
