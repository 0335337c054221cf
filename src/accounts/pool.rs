//! All accounts with their state: hands out leases and takes in what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::Lease;
use super::choose::{Candidate, Dice, choose};
use super::health::Gate;
use super::roster::Roster;
use super::row::Row;
use super::seat::Seat;
use super::verdict::NotBefore;
use super::wanted::Wanted;
use crate::config::{Account, Settings, Strategy};
use crate::kit::{Clock, Time};

/// All accounts. Readers work on a snapshot of the roster; each account's state is its own small lock.
pub struct Pool {
    pub(super) clock: Clock,
    roster: ArcSwap<Roster>,
    pub(super) sessions: super::affinity::Sessions,
    tokens: AtomicU64,
    /// Wakes whoever waits for an account: a lease came back, or a person changed something.
    pub(super) changed: Notify,
}

impl Pool {
    /// A pool without accounts; `apply` brings them.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            roster: ArcSwap::default(),
            sessions: super::affinity::Sessions::default(),
            tokens: AtomicU64::new(1),
            changed: Notify::new(),
        })
    }

    /// Takes over the accounts of new settings; those that stay keep their state.
    pub fn apply(&self, settings: &Settings) {
        self.roster.store(Arc::new(self.roster.load().renewed(settings)));
        self.changed.notify_waiters();
    }

    /// Takes an account for one attempt, or says when one could be taken and why none can now.
    pub fn try_lease(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Lease, NotBefore> {
        let now = self.clock.now();
        let roster = self.roster.load();
        let seats = roster.by_provider.get(wanted.provider).map_or(&[][..], Vec::as_slice);
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let mut lost = Vec::new();
        loop {
            let mut not = NotBefore::default();
            let mut candidates = Vec::with_capacity(seats.len());
            for &at in seats.iter().filter(|at| !lost.contains(*at)) {
                match roster.seats[at].stands(&wanted, now) {
                    Ok(candidate) => candidates.push(Candidate { seat: at, ..candidate }),
                    Err(stop) => not.note(&roster.seats[at].account.id, stop),
                }
            }
            let bound = wanted
                .affinity
                .filter(|_| wanted.strategy == Strategy::Sticky)
                .and_then(|key| self.sessions.get(key, now));
            let dice = Dice { turn: token, seed: mix(token), affinity: wanted.affinity };
            let home =
                candidates.iter().find(|c| bound.as_deref() == Some(&*roster.seats[c.seat].account.id)).map(|c| c.seat);
            let Some(at) = home.or_else(|| choose(wanted.strategy, &candidates, dice)) else { return Err(not) };
            match self.take(&roster.seats[at], wanted, token, now) {
                Ok(lease) => return Ok(lease),
                // another call was quicker with the last place or the probe
                Err(Taken) => lost.push(at),
            }
        }
    }

    /// An account that could take a call now, and is not taken: for a question that is no call, such as that for the
    /// provider's models, which must not keep a call waiting.
    pub fn able(&self, wanted: Wanted<'_>) -> Option<Arc<Account>> {
        let (now, roster) = (self.clock.now(), self.roster.load());
        let mut seats = roster.by_provider.get(wanted.provider)?.iter().map(|&at| &roster.seats[at]);
        seats.find(|seat| seat.stands(&wanted, now).is_ok()).map(|seat| Arc::clone(&seat.account))
    }

    /// Takes the account of a lease that was just given back once more, where nothing stands in its way by now.
    pub(super) fn again(self: &Arc<Self>, seat: &Arc<Seat>, model: &str, affinity: Option<u64>) -> Option<Lease> {
        let now = self.clock.now();
        let provider = seat.account.provider.as_str();
        let wanted = Wanted { provider, model, strategy: Strategy::FillFirst, affinity, tried: &[] };
        seat.stands(&wanted, now).ok()?;
        self.take(seat, wanted, self.tokens.fetch_add(1, Ordering::Relaxed), now).ok()
    }

    fn take(self: &Arc<Self>, seat: &Arc<Seat>, wanted: Wanted<'_>, token: u64, now: Time) -> Result<Lease, Taken> {
        let busy = seat.state.busy.fetch_add(1, Ordering::AcqRel);
        // from here on the drop gives everything back
        let lease = Lease {
            seat: Arc::clone(seat),
            pool: Arc::clone(self),
            model: wanted.model.into(),
            taken: now,
            token,
            affinity: wanted.affinity,
        };
        if seat.account.limits.concurrency.is_some_and(|most| busy >= most) || seat.breaker.admit(token, now).is_err() {
            return Err(Taken);
        }
        for health in [&seat.state.health, &*seat.group] {
            match health.gate(wanted.model, now) {
                Gate::Open => {}
                Gate::Probe if health.take_probe(wanted.model, token, now) => {}
                _ => return Err(Taken),
            }
        }
        Ok(lease)
    }

    /// Resolves when a lease has come back or the accounts have changed. Take it before looking, so that nothing is
    /// missed in between.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Whether a provider has any account that no person switched off.
    pub fn serves(&self, provider: &str) -> bool {
        let roster = self.roster.load();
        let mut seats = roster.by_provider.get(provider).into_iter().flatten();
        seats.any(|&at| !roster.seats[at].account.disabled)
    }

    /// Ends an account's cooldowns on a person's word; false when there is no such account.
    pub fn heal(&self, id: &str) -> bool {
        let roster = self.roster.load();
        let Some(seat) = roster.seats.iter().find(|seat| seat.account.id == id) else { return false };
        seat.state.health.clear();
        seat.group.clear();
        self.changed.notify_waiters();
        true
    }

    /// Every account and its state, in the order of the configuration.
    pub fn rows(&self) -> Vec<Row> {
        let now = self.clock.now();
        self.roster.load().seats.iter().map(|seat| seat.row(now)).collect()
    }
}

/// Another call was quicker.
struct Taken;

/// A number from 0 to 1023 that no two attempts in a row share, for jitter.
pub(super) const fn spread(token: u64) -> u32 {
    (mix(token) % 1024) as u32
}

/// Spreads a counter over all bits (the finaliser of SplitMix64), so that ties and jitter need no random source.
const fn mix(counter: u64) -> u64 {
    let mut x = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
