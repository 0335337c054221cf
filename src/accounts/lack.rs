//! An account whose secret is not to be had: found out off the way of calls, so that a choice passes it over by one
//! plain read.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::seat::Seat;
use super::verdict::Stop;
use super::{PROGRAM, Pool};
use crate::config::{Account, SecretSource};
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
    /// Until when the call that tries for it may take: no other goes in meanwhile, since what it waits for may hang.
    trial: Option<Time>,
    /// How many calls may try for it besides, because they have no other account.
    invited: u32,
}

/// How long a call may try for a secret before another one may.
const TRIAL: Duration = PROGRAM.saturating_add(Duration::from_secs(2));

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
        (!lack.may_try(now)).then_some(Stop::Person(lack.why, lack.kind))
    }

    /// Lets a call in, which takes the turn to try where there is one.
    pub(super) fn enter(&self, now: Time) -> Result<(), Stop> {
        if self.is_none() {
            return Ok(());
        }
        let mut own = self.lock();
        let Some(lack) = &mut *own else { return Ok(()) };
        if !lack.may_try(now) {
            return Err(Stop::Person(lack.why.clone(), lack.kind));
        }
        match lack.invited.checked_sub(1) {
            Some(left) => lack.invited = left,
            None => lack.trial = Some(now.after(TRIAL)),
        }
        Ok(())
    }

    /// Notes that a call would have had the account.
    pub(super) fn miss(&self) {
        self.missed.store(true, Ordering::Release);
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

impl Lack {
    fn may_try(&self, now: Time) -> bool {
        let past = |at: Time| now >= at;
        self.invited > 0 || (self.again.is_some_and(past) && self.trial.is_none_or(past))
    }
}

impl Pool {
    /// Notes that an account's secret is not to be had, and why. Calls pass it over until `has_secret`; where only a call
    /// can find out more, one may try after `again`, and the next when that one is done.
    pub fn lacks_secret(&self, id: &str, fault: &Fault, again: Option<Duration>) {
        let (roster, now) = (self.roster.load(), self.clock.now());
        let Some(seat) = roster.find(id) else { return };
        let said = fault.message.as_ref();
        let why = said.strip_prefix(&format!("account {id}: ")).unwrap_or(said).to_owned();
        let again = again.map(|wait| now.after(wait));
        let lack = Lack { why: why.into(), since: now, kind: fault.kind, again, trial: None, invited: 0 };
        seat.state.lacks.set(Some(lack));
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

    /// Lets one more call in, for which there is no other account; false where the account lacks what no call can find.
    pub fn invites(&self, id: &str) -> bool {
        let roster = self.roster.load();
        let Some(seat) = roster.find(id) else { return false };
        match &mut *seat.state.lacks.lock() {
            None => true,
            Some(lack) if lack.again.is_some() => {
                lack.invited += 1;
                true
            }
            Some(_) => false,
        }
    }

    /// Whether an account lacks a secret that may come to lie in the vault. A variable stays unset for as long as the
    /// process runs, and of a program only a call learns.
    pub fn awaits_vault(&self) -> bool {
        let kept = |account: &Account| account.oauth.is_some() || matches!(account.secret, SecretSource::Vault(_));
        let waits = |seat: &Arc<Seat>| !seat.disabled && !seat.state.lacks.is_none() && kept(&seat.account);
        self.roster.load().seats.iter().any(waits)
    }

    /// Whether calls have passed over an account for that since this was last asked.
    pub fn missed_secret(&self) -> bool {
        let missed = |seat: &Arc<Seat>| seat.state.lacks.missed.swap(false, Ordering::AcqRel);
        // every mark is taken down, so no short cut
        self.roster.load().seats.iter().fold(false, |any, seat| missed(seat) | any)
    }
}
