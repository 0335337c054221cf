//! What became of a lease: who heals, and who rests.

use super::Lease;
use super::health::Attempted;
use super::pool::{Pool, spread};
use crate::kit::fault::Scope;
use crate::kit::{Blame, Fault, Kind};

impl Pool {
    /// A good answer has begun: what the attempt probed is healed, and others need not wait for its end.
    pub(super) fn answered(&self, lease: &Lease) {
        let healed =
            [&lease.seat.state.health, &lease.seat.group.health].map(|health| health.heal(&lease.model, lease.token));
        let healed = healed.contains(&true);
        if healed {
            self.altered.notify_one();
        }
        if lease.seat.breaker.began(lease.token) || healed {
            self.changed.notify_waiters();
        }
    }

    pub(super) fn succeeded(&self, lease: &Lease) {
        lease.seat.breaker.alive(lease.token);
        self.answered(lease);
        if let Some(key) = lease.affinity {
            self.sessions.bind(key, &lease.seat.account.id, self.clock.now());
        }
    }

    pub(super) fn failed(&self, lease: &Lease, fault: &Fault) {
        let now = self.clock.now();
        let seat = &lease.seat;
        let at = Attempted { began: lease.taken, failed: now, spread: spread(lease.token) };
        let blame = fault.kind.blame();
        if let Kind::Throttled(Some(wait), _) = fault.kind {
            seat.group.windows.heed(&lease.model, lease.hash, now.after(wait), now);
        }
        match fault.kind {
            Kind::Throttled(_, Scope::Concurrency) => seat.group.crowd.refused(lease.taken, now),
            Kind::Throttled(_, Scope::Ramp) => seat.group.ramp.slow_down(lease.taken, now),
            _ => {}
        }
        // what broke off may have been counted; what was refused was not
        if !matches!(fault.kind, Kind::Stalled | Kind::Broken) {
            lease.refused();
        }
        match blame {
            Blame::Provider => seat.breaker.failed(lease.token, now),
            Blame::Network | Blame::Gateway => seat.breaker.release(lease.token),
            Blame::Client | Blame::Account | Blame::AccountModel => seat.breaker.alive(lease.token),
        }
        let health = match fault.kind {
            // a key or a model is the account's own, money and limits are the group's
            Kind::KeyRejected | Kind::Blocked | Kind::NeedsLogin | Kind::StaleToken(_) => &seat.state.health,
            Kind::OverBudget(_) | Kind::ModelMissing => &seat.state.health,
            _ => &seat.group.health,
        };
        match blame {
            Blame::Account => health.rest(None, fault.kind, fault.message.clone(), at),
            Blame::AccountModel => health.rest(Some(&lease.model), fault.kind, fault.message.clone(), at),
            Blame::Client => self.succeeded(lease),
            Blame::Provider | Blame::Network | Blame::Gateway => {}
        }
        if matches!(blame, Blame::Account | Blame::AccountModel) {
            self.altered.notify_one();
        }
        if let (Some(key), Blame::Account | Blame::AccountModel) = (lease.affinity, blame) {
            self.sessions.forget(key);
        }
    }

    /// What became of renewing an account's token outside of any call: a login that has ended rests the account, a new
    /// token ends such a rest.
    pub(super) fn renewed(&self, id: &str, outcome: Result<(), &Fault>) {
        let roster = self.roster.load();
        let Some(seat) = roster.find(id) else { return };
        let now = self.clock.now();
        match outcome {
            Ok(()) => seat.state.health.logged_in(),
            Err(fault) if fault.kind == Kind::NeedsLogin => {
                let at = Attempted { began: now, failed: now, spread: 0 };
                seat.state.health.rest(None, fault.kind, fault.message.clone(), at);
            }
            Err(_) => {}
        }
        self.altered.notify_one();
        self.changed.notify_waiters();
    }

    pub(super) fn release(&self, lease: &Lease) {
        lease.seat.breaker.release(lease.token);
        lease.seat.state.health.release_probe(&lease.model, lease.token);
        lease.seat.group.health.release_probe(&lease.model, lease.token);
        self.changed.notify_waiters();
    }
}
