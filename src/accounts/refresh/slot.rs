//! What is known in memory of one account's token, and the turn of whoever renews it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::plan::{Stand, due, stand};
use crate::kit::{Fault, Kind, Secret, Time};
use crate::vault::Item;

/// One account's token.
#[derive(Default)]
pub(super) struct Slot {
    /// Held while the token is renewed. An async mutex: others wait for it through a conversation with the identity
    /// provider.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Whether a task already renews it ahead of time.
    pub(super) ahead: AtomicBool,
    // a std mutex: held to read or replace a few words, never across I/O
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    failing: Option<Failing>,
    /// Failures in a row.
    step: u32,
    /// What the vault would not take: the only place where this token is.
    unsaved: Option<Unsaved>,
}

/// A token that the vault would not take, and the refresh token that was spent for it.
#[derive(Clone)]
pub(super) struct Unsaved {
    pub(super) item: Item,
    pub(super) spent: Option<Secret>,
}

struct Kept {
    secret: Secret,
    due: Option<Time>,
    expires_at: Option<Time>,
}

/// Why nothing is asked now.
#[derive(Clone)]
struct Failing {
    fault: Fault,
    /// `None`: until a person logs in.
    until: Option<Time>,
}

/// What a look at a slot shows.
pub(super) enum Look {
    /// A token to use.
    Good(Secret),
    /// A token to use while the next one is fetched.
    Due(Secret),
    /// None, and nothing may be asked now.
    Not(Fault),
    /// None in memory.
    Unknown,
    /// One that is of no use any more.
    Expired,
}

impl Slot {
    /// What there is, short of the token that a provider has refused.
    pub(super) fn look(&self, refused: Option<&Secret>, now: Time) -> Look {
        let state = self.state();
        let Some(kept) = &state.kept else {
            return state.failing.as_ref().and_then(|failing| failing.now(now)).map_or(Look::Unknown, Look::Not);
        };
        let good = !refused.is_some_and(|refused| refused.same(&kept.secret));
        match stand(kept.due, kept.expires_at, now) {
            Stand::Fresh if good => return Look::Good(kept.secret.clone()),
            // it is good still, and asking for the next one is useless now
            Stand::Due if good && state.failing.as_ref().is_some_and(|failing| failing.now(now).is_some()) => {
                return Look::Good(kept.secret.clone());
            }
            Stand::Due if good => return Look::Due(kept.secret.clone()),
            _ => {}
        }
        state.failing.as_ref().and_then(|failing| failing.now(now)).map_or(Look::Expired, Look::Not)
    }

    /// Takes over what the vault holds.
    pub(super) fn keep(&self, item: &Item, spread: u32, now: Time) {
        // a token whose refresh was interrupted is cleared up as soon as may be
        let due = if item.refreshing.is_some() { Some(now) } else { due(item.issued_at, item.expires_at, spread) };
        let mut state = self.state();
        state.kept = Some(Kept { secret: item.secret.clone(), due, expires_at: item.expires_at });
    }

    /// A renewal succeeded.
    pub(super) fn well(&self) {
        let mut state = self.state();
        (state.failing, state.step, state.unsaved) = (None, 0, None);
    }

    /// A renewal failed: nothing is asked for this long, or, without a wait, until a person logs in.
    pub(super) fn failed(&self, fault: Fault, wait: Option<Duration>, now: Time) {
        let mut state = self.state();
        state.step = state.step.saturating_add(1);
        state.failing = Some(Failing { fault, until: wait.map(|wait| now.after(wait)) });
    }

    /// Failures in a row.
    pub(super) fn step(&self) -> u32 {
        self.state().step
    }

    /// Whether only a person can help.
    pub(super) fn ended(&self) -> bool {
        self.state().failing.as_ref().is_some_and(|failing| failing.until.is_none())
    }

    /// A token that could not be stored, kept so that it is not lost with the task.
    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        self.state().unsaved.clone()
    }

    /// Keeps a token that could not be stored.
    pub(super) fn keep_unsaved(&self, item: Item, spent: Option<Secret>) {
        self.state().unsaved = Some(Unsaved { item, spent });
    }

    /// When it wants attention next: due, or to be tried again. `None` for a token without an end.
    pub(super) fn next(&self) -> Option<Time> {
        let state = self.state();
        match (&state.failing, &state.kept) {
            (Some(failing), _) => failing.until,
            (None, Some(kept)) => kept.due,
            (None, None) => Some(Time::default()),
        }
    }

    /// Forgets everything but what is nowhere else.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        (state.kept, state.failing, state.step) = (None, None, 0);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failing {
    /// The fault, while it is in force; with what is left of its wait.
    fn now(&self, now: Time) -> Option<Fault> {
        match self.until {
            None => Some(self.fault.clone()),
            Some(until) if now < until => {
                let mut fault = self.fault.clone();
                if matches!(fault.kind, Kind::StaleToken(_)) {
                    fault.kind = Kind::StaleToken(until.since(now));
                }
                Some(fault)
            }
            Some(_) => None,
        }
    }
}

/// The one task that renews a token ahead of time; gives the place back on drop.
pub(super) struct Ahead(Arc<Slot>);

impl Ahead {
    /// The place, unless it is taken.
    pub(super) fn of(slot: &Arc<Slot>) -> Option<Self> {
        (!slot.ahead.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(slot)))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.ahead.store(false, Ordering::Release);
    }
}
