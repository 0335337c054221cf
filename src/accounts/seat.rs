//! One account with its state, and whether it could take a call.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use wildmatch::WildMatch;

use super::breaker::Breaker;
use super::choice::pico;
use super::choose::Candidate;
use super::group::Group;
use super::health::{Gate, Health};
use super::lack::Lacks;
use super::learned::Share;
use super::pace::Pace;
use super::speed::Speed;
use super::verdict::{Owner, Stop};
use super::wanted::Wanted;
use crate::config::{Account, Strategy};
use crate::kit::{Kind, Time};

/// An account with its state, which outlives a reload. What every choice reads comes first, in one cache line, so that a
/// look at a hundred accounts does not go to each one's settings.
#[repr(C, align(64))]
pub(super) struct Seat {
    pub(super) state: Arc<State>,
    pub(super) group: Arc<Group>,
    /// The limits that a person set for it.
    pub(super) pace: Arc<Pace>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) models: Box<[WildMatch]>,
    pub(super) weight: u32,
    pub(super) priority: i32,
    pub(super) disabled: bool,
    /// The limits that a person set for its provider.
    pub(super) provider_pace: Option<Arc<Pace>>,
    pub(super) account: Arc<Account>,
}

/// What is an account's own. What every choice reads comes first, in one cache line.
#[derive(Default)]
#[repr(C, align(64))]
pub(super) struct State {
    pub(super) busy: Arc<AtomicU32>,
    pub(super) speed: Speed,
    /// When it was last taken, in microseconds since the epoch; 0 for never.
    pub(super) used: AtomicI64,
    /// Whether its secret is to be had.
    pub(super) lacks: Lacks,
    pub(super) health: Health,
}

impl Seat {
    /// Whether nothing at all stands in the call's way, told by a few plain reads, as it is for most accounts at most
    /// times. What the seats of one provider share is the caller's to ask.
    pub(super) fn is_clear(&self, wanted: &Wanted<'_>, now: Time) -> bool {
        !self.disabled
            && self.models.is_empty()
            && wanted.tried.is_empty()
            && self.state.lacks.is_none()
            && self.state.health.is_well()
            && self.pace.is_clear(now)
            && self.group.is_clear(wanted.need, now)
    }

    /// What its provider shares among its accounts lets any call through.
    pub(super) fn is_provider_clear(&self, now: Time) -> bool {
        self.breaker.is_well() && self.provider_pace.as_ref().is_none_or(|pace| pace.is_clear(now))
    }

    /// Whether this account could take the call.
    pub(super) fn stands(&self, wanted: &Wanted<'_>, now: Time) -> Result<(), Stop> {
        if self.disabled {
            return Err(Stop::Never("switched off"));
        }
        if !self.models.is_empty() && !self.models.iter().any(|glob| glob.matches(wanted.model)) {
            return Err(Stop::Never("not for this model"));
        }
        if wanted.tried.iter().any(|tried| tried.id == self.account.id) {
            return Err(Stop::Never("already tried"));
        }
        if let Some(stop) = self.state.lacks.stop(now) {
            return Err(stop);
        }
        for health in [&self.state.health, &self.group.health] {
            match health.gate(wanted.model, now) {
                Gate::Open | Gate::Probe => {}
                Gate::Probing(why) => return Err(Stop::Probing(why)),
                Gate::Until(Time::MAX, why, kind) => return Err(Stop::Person(why, kind)),
                Gate::Until(at, why, kind) => return Err(Stop::Until(at, why, kind)),
            }
        }
        if let Some(until) = self.breaker.open(now) {
            let why = Cow::Borrowed("the provider keeps failing");
            return Err(Stop::Until(until, why, Kind::Overloaded(None)));
        }
        self.room(wanted, now)
    }

    /// Whether the limits, learned and set, leave room for the call.
    fn room(&self, wanted: &Wanted<'_>, now: Time) -> Result<(), Stop> {
        let tokens = wanted.need.total();
        self.pace.look(tokens, now).map_err(|full| Stop::Full(Owner::Account, full))?;
        if let Some(pace) = &self.provider_pace {
            pace.look(tokens, now).map_err(|full| Stop::Full(Owner::Provider, full))?;
        }
        let Group { windows, crowd, ramp, .. } = &*self.group;
        if let Some((at, what, span)) = windows.short(wanted.model, wanted.need, now) {
            return Err(Stop::Short(at, what, span));
        }
        if let Some(most) = crowd.is_full(now) {
            return Err(Stop::Crowded(most));
        }
        ramp.full(now).map_or(Ok(()), |at| Err(Stop::Ramp(at)))
    }

    /// What a choice weighs of an account that could take the call: only what its strategy asks for is looked up.
    #[inline]
    pub(super) fn terms(&self, (route, seat): (u32, u32), wanted: &Wanted<'_>, hash: u64, now: Time) -> Candidate {
        use Strategy::{Hybrid, Latency, QuotaOptimized};
        let (quota, speed) =
            (matches!(wanted.strategy, QuotaOptimized | Hybrid), matches!(wanted.strategy, Latency | Hybrid));
        Candidate {
            seat,
            route,
            busy: self.state.busy.load(Ordering::Acquire),
            weight: self.weight,
            priority: self.priority,
            share: if quota { self.group.windows.share(wanted.model, hash, now) } else { Share::UNKNOWN },
            first_byte: if speed { self.state.speed.micros(now) } else { None },
            price: wanted.price.map(pico),
        }
    }

    /// The limits that a call here counts against.
    pub(super) fn paces(&self) -> impl Iterator<Item = &Pace> {
        [Some(&*self.pace), self.provider_pace.as_deref()].into_iter().flatten()
    }
}
