//! All accounts with their state: hands out leases and takes in what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::Lease;
use super::choice::Chosen;
use super::choose::{Candidate, Dice, choose, keeps_sessions};
use super::health::Gate;
use super::learned;
use super::roster::Roster;
use super::row::Row;
use super::seat::Seat;
use super::verdict::{NotBefore, Owner, Stop};
use super::wanted::Wanted;
use crate::config::{Account, Settings, Strategy};
use crate::kit::window::Window;
use crate::kit::{Clock, Time};

/// All accounts. Readers work on a snapshot of the roster; each account's state is its own small lock.
pub struct Pool {
    pub(super) clock: Clock,
    pub(super) roster: ArcSwap<Roster>,
    pub(super) sessions: super::affinity::Sessions,
    tokens: AtomicU64,
    /// Wakes whoever waits for an account: a lease came back, or a person changed something.
    pub(super) changed: Notify,
    /// Wakes whoever writes down why accounts rest.
    pub(super) altered: Notify,
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
            altered: Notify::new(),
        })
    }

    /// Takes over the accounts of new settings; those that stay keep their state.
    pub fn apply(&self, settings: &Settings) {
        self.roster.store(Arc::new(self.roster.load().renewed(settings, &self.clock)));
        self.changed.notify_waiters();
    }

    /// Takes an account for one attempt, or says when one could be taken and why none can now.
    pub fn try_lease(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Lease, NotBefore> {
        self.try_any(&[wanted]).map(|(_, lease)| lease)
    }

    /// Takes an account of any of these routes, which are weighed against each other and share strategy and session;
    /// with it the index of its route.
    pub fn try_any(self: &Arc<Self>, routes: &[Wanted<'_>]) -> Result<(usize, Lease), NotBefore> {
        let now = self.clock.now();
        let roster = self.roster.load_full();
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let (strategy, affinity) = routes.first().map_or((Strategy::default(), None), |w| (w.strategy, w.affinity));
        let (mut candidates, mut stops) = (Vec::new(), Vec::new());
        for (route, wanted) in (0..).zip(routes) {
            roster.ask((route, wanted), now, &mut candidates, &mut stops);
        }
        roster.miss(&stops);
        let bound = affinity.filter(|_| keeps_sessions(strategy)).and_then(|key| self.sessions.get(key, now));
        let bound = bound.and_then(|id| roster.place(&id));
        let dice = Dice { turn: token, seed: mix(token), affinity };
        loop {
            let home = bound.and_then(|seat| candidates.iter().position(|candidate| candidate.seat == seat));
            let Some(at) = choose(strategy, &candidates, home, dice) else { break };
            let Candidate { seat, route, .. } = candidates[at];
            match self.take(roster.seat(seat), &routes[route as usize], token, now) {
                Ok(mut lease) => {
                    // an account that was passed over for what passes is worth a word too
                    let passed_over = || stops.iter().any(|(.., stop)| !matches!(stop, Stop::Never(_)));
                    if candidates.len() > 1 || passed_over() {
                        let (candidates, home) = (std::mem::take(&mut candidates), home.is_some());
                        lease.choice = Some(Box::new(Chosen { roster, strategy, dice, home, at, candidates, stops }));
                    }
                    return Ok((route as usize, lease));
                }
                // another call was quicker with the last place, the probe or the turn
                Err(stop) => {
                    candidates.remove(at);
                    stops.push((route, seat, stop));
                }
            }
        }
        Err(roster.not_before(stops))
    }

    /// What stands in the way of a call; `None` where some account could take it. None is taken.
    pub fn outlook(&self, wanted: Wanted<'_>) -> Option<NotBefore> {
        let roster = self.roster.load();
        let (mut candidates, mut stops) = (Vec::new(), Vec::new());
        roster.ask((0, &wanted), self.clock.now(), &mut candidates, &mut stops);
        candidates.is_empty().then(|| roster.not_before(stops))
    }

    /// An account that could take a call now, and is not taken: for a question that is no call, such as that for the
    /// provider's models, which must not keep a call waiting.
    pub fn able(&self, wanted: Wanted<'_>) -> Option<Arc<Account>> {
        let (now, roster) = (self.clock.now(), self.roster.load());
        let mut seats = roster.by_provider.get(wanted.provider)?.iter().map(|&at| roster.seat(at));
        seats.find(|seat| seat.stands(&wanted, now).is_ok()).map(|seat| Arc::clone(&seat.account))
    }

    /// Takes the account of a lease that was just given back once more, where nothing stands in its way by now.
    pub(super) fn again(self: &Arc<Self>, seat: &Arc<Seat>, wanted: &Wanted<'_>) -> Option<Lease> {
        let now = self.clock.now();
        seat.stands(wanted, now).ok()?;
        self.take(seat, wanted, self.tokens.fetch_add(1, Ordering::Relaxed), now).ok()
    }

    fn take(self: &Arc<Self>, seat: &Arc<Seat>, wanted: &Wanted<'_>, token: u64, now: Time) -> Result<Lease, Stop> {
        let (need, hash) = (wanted.need, learned::hash(wanted.model));
        let tokens = need.total();
        seat.pace.take(tokens, now).map_err(|full| Stop::Full(Owner::Account, full))?;
        if let Some(pace) = &seat.provider_pace
            && let Err(full) = pace.take(tokens, now)
        {
            seat.pace.give_back(tokens, now);
            seat.pace.leave();
            return Err(Stop::Full(Owner::Provider, full));
        }
        let crowded = !seat.group.crowd.enter(now);
        // from here on the drop gives everything back
        let mut lease = Lease {
            seat: Arc::clone(seat),
            pool: Arc::clone(self),
            model: wanted.model.into(),
            taken: now,
            token,
            affinity: wanted.affinity,
            hash,
            need,
            mark: learned::Mark::default(),
            settled: AtomicBool::new(false),
            choice: None,
        };
        let probed = || {
            [&seat.state.health, &seat.group.health].into_iter().all(|health| match health.gate(wanted.model, now) {
                Gate::Open => true,
                Gate::Probe => health.take_probe(wanted.model, token, now),
                Gate::Probing(_) | Gate::Until(..) => false,
            })
        };
        // limits are the group's, and so is what its refusals taught
        let admitted = || seat.group.health.admit(wanted.model, now);
        if crowded || seat.breaker.admit(token, now).is_err() || !probed() || !admitted() {
            lease.unsent();
            return Err(Stop::Taken);
        }
        // the last, so that nothing else can make a turn to try useless
        if let Err(stop) = seat.state.lacks.enter(now) {
            lease.unsent();
            return Err(stop);
        }
        lease.mark = seat.group.windows.take(wanted.model, hash, need, now);
        seat.group.ramp.count(tokens, now);
        seat.state.used.store(now.as_micros(), Ordering::Relaxed);
        Ok(lease)
    }

    /// Resolves when a lease has come back or the accounts have changed. Take it before looking, so that nothing is
    /// missed in between.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Resolves when an account has begun or ended a rest since it was last asked.
    pub async fn altered(&self) {
        self.altered.notified().await;
    }

    /// Whether a provider has any account that no person switched off.
    pub fn serves(&self, provider: &str) -> bool {
        let roster = self.roster.load();
        let mut seats = roster.by_provider.get(provider).into_iter().flatten();
        seats.any(|&at| !roster.seat(at).disabled)
    }

    /// Ends an account's cooldowns on a person's word; false when there is no such account.
    pub fn heal(&self, id: &str) -> bool {
        let roster = self.roster.load();
        let Some(seat) = roster.find(id) else { return false };
        seat.state.health.clear();
        seat.group.clear();
        seat.breaker.clear();
        self.altered.notify_one();
        self.changed.notify_waiters();
        true
    }

    /// Every account and its state, in the order of the configuration.
    pub fn rows(&self) -> Vec<Row> {
        let now = self.clock.now();
        self.roster.load().seats.iter().map(|seat| seat.row(now)).collect()
    }

    /// The provider's limits of an account as its answers told of them: each with the model that it is for, where it is
    /// not for all, and with what is left by now.
    pub fn windows(&self, id: &str) -> Vec<(Option<Box<str>>, Window)> {
        let roster = self.roster.load();
        let seat = roster.find(id);
        seat.map(|seat| seat.group.windows.all(self.clock.now())).unwrap_or_default()
    }
}

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
