//! All accounts with their state: hands out leases and takes in what became of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use wildmatch::WildMatch;

use super::Lease;
use super::breaker::Breaker;
use super::choose::{Candidate, Dice, choose};
use super::health::{Attempted, Gate, Health};
use super::verdict::{NotBefore, Stop};
use crate::config::{Account, Settings, Strategy};
use crate::kit::{Blame, Clock, Fault, Kind, Time};

/// All accounts. Readers work on a snapshot of the roster; each account's state is its own small lock.
pub struct Pool {
    clock: Clock,
    roster: ArcSwap<Roster>,
    sessions: super::affinity::Sessions,
    tokens: AtomicU64,
    /// Wakes whoever waits for an account: a lease came back, or a person changed something.
    changed: Notify,
}

#[derive(Default)]
struct Roster {
    seats: Vec<Arc<Seat>>,
    by_provider: HashMap<String, Vec<usize>>,
    breakers: HashMap<Place, Arc<Breaker>>,
}

/// A provider, and the address of an account that has its own: when one region fails, another may be well.
type Place = (String, Option<String>);

/// An account with its state, which outlives a reload.
pub(super) struct Seat {
    pub(super) account: Arc<Account>,
    pub(super) state: Arc<State>,
    group: Arc<Health>,
    breaker: Arc<Breaker>,
    models: Vec<WildMatch>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) busy: AtomicU32,
    health: Health,
}

/// What a call wants of a route.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The model as the provider knows it.
    pub model: &'a str,
    /// How to choose.
    pub strategy: Strategy,
    /// The same for all calls of one session, so that they meet the same prompt cache.
    pub affinity: Option<u64>,
    /// Accounts that this call has already tried.
    pub tried: &'a [Arc<Account>],
}

/// An account's state, for people.
#[derive(Clone, Debug)]
pub struct Row {
    /// The account.
    pub account: Arc<Account>,
    /// Its state.
    pub standing: Standing,
    /// Why, in words; empty when ready.
    pub reason: String,
    /// Since when it is so.
    pub since: Option<Time>,
    /// Until when.
    pub until: Option<Time>,
    /// Calls under way.
    pub busy: u32,
}

/// The states of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes calls.
    Ready,
    /// It rests.
    Cooling,
    /// One call probes whether it is well again.
    HalfOpen,
    /// Its login has ended; a person starts a new one.
    NeedsLogin,
    /// A person switched it off.
    Disabled,
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
        let old = self.roster.load();
        let mut groups: HashMap<&str, Arc<Health>> = HashMap::new();
        for seat in &old.seats {
            if let Some(group) = &seat.account.quota_group {
                groups.insert(group, Arc::clone(&seat.group));
            }
        }
        let mut roster = Roster::default();
        for account in &settings.accounts {
            let known = old.seats.iter().find(|s| s.account.id == account.id && s.account.secret == account.secret);
            let group = match &account.quota_group {
                Some(name) => Arc::clone(groups.entry(name).or_default()),
                None => {
                    known.filter(|s| s.account.quota_group.is_none()).map(|s| Arc::clone(&s.group)).unwrap_or_default()
                }
            };
            let place: Place = (account.provider.clone(), account.base_url.clone());
            let breaker = match roster.breakers.get(&place).or_else(|| old.breakers.get(&place)) {
                Some(breaker) => Arc::clone(breaker),
                None => Arc::default(),
            };
            roster.breakers.insert(place, Arc::clone(&breaker));
            roster.by_provider.entry(account.provider.clone()).or_default().push(roster.seats.len());
            roster.seats.push(Arc::new(Seat {
                account: Arc::clone(account),
                state: known.map(|s| Arc::clone(&s.state)).unwrap_or_default(),
                group,
                breaker,
                models: account.models.iter().map(|glob| WildMatch::new(glob)).collect(),
            }));
        }
        self.roster.store(Arc::new(roster));
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

    pub(super) fn succeeded(&self, lease: &Lease) {
        lease.seat.breaker.alive(lease.token);
        lease.seat.state.health.heal(&lease.model, lease.token);
        lease.seat.group.heal(&lease.model, lease.token);
        if let Some(key) = lease.affinity {
            self.sessions.bind(key, &lease.seat.account.id, self.clock.now());
        }
    }

    pub(super) fn failed(&self, lease: &Lease, fault: &Fault) {
        let now = self.clock.now();
        let seat = &lease.seat;
        let at = Attempted { began: lease.taken, failed: now, spread: (mix(lease.token) % 1024) as u32 };
        let blame = fault.kind.blame();
        match blame {
            Blame::Provider => seat.breaker.failed(lease.token, now),
            Blame::Network | Blame::Gateway => seat.breaker.release(lease.token),
            Blame::Client | Blame::Account | Blame::AccountModel => seat.breaker.alive(lease.token),
        }
        let health = match fault.kind {
            // a key or a model is the account's own, money and limits are the group's
            Kind::KeyRejected | Kind::Blocked | Kind::NeedsLogin | Kind::StaleToken(_) => &seat.state.health,
            Kind::OverBudget(_) | Kind::ModelMissing => &seat.state.health,
            _ => &*seat.group,
        };
        match blame {
            Blame::Account => health.rest(None, fault.kind, fault.message.clone(), at),
            Blame::AccountModel => health.rest(Some(&lease.model), fault.kind, fault.message.clone(), at),
            Blame::Client => self.succeeded(lease),
            Blame::Provider | Blame::Network | Blame::Gateway => {}
        }
        if let (Some(key), Blame::Account | Blame::AccountModel) = (lease.affinity, blame) {
            self.sessions.forget(key);
        }
    }

    pub(super) fn release(&self, lease: &Lease) {
        lease.seat.breaker.release(lease.token);
        lease.seat.state.health.release_probe(&lease.model, lease.token);
        lease.seat.group.release_probe(&lease.model, lease.token);
        self.changed.notify_waiters();
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

    /// What became of renewing an account's token outside of any call: a login that has ended rests the account, a new
    /// token ends such a rest.
    pub(super) fn renewed(&self, id: &str, outcome: Result<(), &Fault>) {
        let roster = self.roster.load();
        let Some(seat) = roster.seats.iter().find(|seat| seat.account.id == id) else { return };
        let now = self.clock.now();
        match outcome {
            Ok(()) => seat.state.health.logged_in(),
            Err(fault) if fault.kind == Kind::NeedsLogin => {
                let at = Attempted { began: now, failed: now, spread: 0 };
                seat.state.health.rest(None, fault.kind, fault.message.clone(), at);
            }
            Err(_) => {}
        }
        self.changed.notify_waiters();
    }

    /// Every account and its state, in the order of the configuration.
    pub fn rows(&self) -> Vec<Row> {
        let now = self.clock.now();
        self.roster.load().seats.iter().map(|seat| seat.row(now)).collect()
    }
}

/// Another call was quicker.
struct Taken;

impl Seat {
    /// Whether this account could take the call.
    fn stands(&self, wanted: &Wanted<'_>, now: Time) -> Result<Candidate, Stop> {
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

    fn row(&self, now: Time) -> Row {
        let rest = [&self.state.health, &*self.group].into_iter().find_map(|health| health.lock().whole.clone());
        let (standing, reason, since, until) = match rest {
            _ if self.account.disabled => (Standing::Disabled, "switched off by a person".to_owned(), None, None),
            None => (Standing::Ready, self.resting_models(now), None, None),
            Some(rest) if rest.needs_login() => (Standing::NeedsLogin, rest.reason.to_string(), Some(rest.since), None),
            Some(rest) => {
                let standing = if rest.half_open(now) { Standing::HalfOpen } else { Standing::Cooling };
                (standing, rest.reason.to_string(), Some(rest.since), Some(rest.until))
            }
        };
        let busy = self.state.busy.load(Ordering::Acquire);
        Row { account: Arc::clone(&self.account), standing, reason, since, until, busy }
    }

    /// The models that rest while the account itself is ready, in words.
    fn resting_models(&self, now: Time) -> String {
        let mut words: Vec<String> = Vec::new();
        for health in [&self.state.health, &*self.group] {
            let rests = health.lock();
            let resting = rests.models.iter().filter(|(_, rest)| !rest.half_open(now));
            words.extend(resting.map(|(model, rest)| format!("{model} rests until {}: {}", rest.until, rest.reason)));
        }
        words.sort();
        words.join("; ")
    }
}

/// Spreads a counter over all bits (the finaliser of SplitMix64), so that ties and jitter need no random source.
const fn mix(counter: u64) -> u64 {
    let mut x = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
