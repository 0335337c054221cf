//! An account whose secret is not to be had: found out off the way of calls, so that a choice passes it over by one
//! plain read.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Pool;
use super::verdict::Stop;
use crate::kit::{Fault, Kind, Time};

/// Why an account has no secret.
#[derive(Clone, Debug)]
pub(super) struct Lack {
    /// In words, with what to do.
    pub(super) why: Cow<'static, str>,
    pub(super) since: Time,
    kind: Kind,
    /// When a call may try for it; `None` where a look tells as much.
    again: Option<Time>,
}

/// What an account lacks. A std mutex: it is held to read or replace a sentence.
#[derive(Debug, Default)]
pub(super) struct Lacks {
    lacking: AtomicBool,
    /// Whether a call would have had the account.
    missed: AtomicBool,
    lack: Mutex<Option<Lack>>,
}

impl Lacks {
    /// Whether it has what it needs, as far as anybody knows.
    pub(super) fn is_none(&self) -> bool {
        !self.lacking.load(Ordering::Acquire)
    }

    /// What it lacks.
    pub(super) fn get(&self) -> Option<Lack> {
        if self.is_none() { None } else { self.lock().clone() }
    }

    /// What stands in a call's way.
    pub(super) fn stop(&self, now: Time) -> Option<Stop> {
        let lack = self.get()?;
        self.missed.store(true, Ordering::Release);
        let due = lack.again.is_some_and(|again| now >= again);
        (!due).then_some(Stop::Person(lack.why, lack.kind))
    }

    fn set(&self, lack: Option<Lack>) -> bool {
        let mut own = self.lock();
        let before = own.take();
        let changed = before.is_some() != lack.is_some();
        let since = before.map(|before| before.since);
        *own = lack.map(|lack| Lack { since: since.unwrap_or(lack.since), ..lack });
        self.lacking.store(own.is_some(), Ordering::Release);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lack>> {
        self.lack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Notes that an account's secret is not to be had, and why. Calls pass it over until `has_secret`; where only a call
    /// can find out more, one may try again after `again`.
    pub fn lacks_secret(&self, id: &str, fault: &Fault, again: Option<Duration>) {
        let (roster, now) = (self.roster.load(), self.clock.now());
        let Some(seat) = roster.find(id) else { return };
        let said = fault.message.as_ref();
        let why = said.strip_prefix(&format!("account {id}: ")).unwrap_or(said).to_owned();
        let again = again.map(|wait| now.after(wait));
        seat.state.lacks.set(Some(Lack { why: why.into(), since: now, kind: fault.kind, again }));
    }

    /// Notes that an account's secret is there; whoever waits for an account hears of it.
    pub fn has_secret(&self, id: &str) {
        let roster = self.roster.load();
        let seat = roster.find(id).filter(|seat| !seat.state.lacks.is_none());
        if seat.is_some_and(|seat| seat.state.lacks.set(None)) {
            self.changed.notify_waiters();
        }
    }

    /// Lets the next call try for a secret that only a call can find.
    pub fn may_try_secret(&self, id: &str) {
        let (roster, now) = (self.roster.load(), self.clock.now());
        let Some(seat) = roster.find(id) else { return };
        if let Some(lack) = seat.state.lacks.lock().as_mut() {
            lack.again = Some(now);
        }
    }

    /// Whether any account lacks its secret.
    pub fn any_lacks_secret(&self) -> bool {
        self.roster.load().seats.iter().any(|seat| !seat.state.lacks.is_none())
    }

    /// Whether calls have passed over an account for that since this was last asked.
    pub fn missed_secret(&self) -> bool {
        let missed = |seat: &std::sync::Arc<super::seat::Seat>| seat.state.lacks.missed.swap(false, Ordering::AcqRel);
        // every mark is taken down, so no short cut
        self.roster.load().seats.iter().fold(false, |any, seat| missed(seat) | any)
    }
}
