//! What became of a lease: who heals, and who rests.

use super::Lease;
use super::health::Attempted;
use super::pool::{Pool, spread};
use crate::kit::{Blame, Fault, Kind};

impl Pool {
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
        let at = Attempted { began: lease.taken, failed: now, spread: spread(lease.token) };
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
}
