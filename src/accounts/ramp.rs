//! How fast the use of an account may grow once its provider has said that it grows too fast.
//!
//! The rate that held in the minute before becomes the limit; it grows by half every quarter of an hour, which is what
//! providers allow, and is forgotten after an hour.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kit::Time;

const MINUTE: Duration = Duration::from_secs(60);
/// By how much the limit grows in a minute, in millionths: half in fifteen.
const GROWTH: u64 = 1_027_399;
const FORGET: Duration = Duration::from_secs(3600);
/// How far ahead of the rate a call may go.
const AHEAD: Duration = Duration::from_secs(1);
/// Nobody is slowed to less, in tokens a minute.
const LEAST: u64 = 10_000;

/// Counts the tokens of each minute, and holds them back where it was told to.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Ramp {
    // a std mutex: held for a few additions by the one account that is leased
    minutes: Mutex<Minutes>,
    /// Whether there is a limit, so that the others are passed without a lock. Last, since the group wants it there.
    held: AtomicBool,
}

#[derive(Debug, Default)]
struct Minutes {
    began: Time,
    now: u64,
    before: u64,
    /// The tokens of a minute that are borne, and since when.
    limit: Option<(u64, Time)>,
    /// By when, at that rate, all that went out would have.
    free_at: Time,
}

impl Ramp {
    /// Whether there is no limit.
    pub(super) fn is_free(&self) -> bool {
        !self.held.load(Ordering::Acquire)
    }

    /// When the next call may go; `None` when it may.
    pub(super) fn full(&self, now: Time) -> Option<Time> {
        if self.is_free() {
            return None;
        }
        let mut minutes = self.lock();
        minutes.turn(now);
        match minutes.most(now) {
            None => {
                self.held.store(false, Ordering::Release);
                None
            }
            Some(_) => (minutes.free_at > now.after(AHEAD)).then(|| now.after(minutes.free_at.since(now) - AHEAD)),
        }
    }

    /// A call goes out.
    pub(super) fn count(&self, tokens: u64, now: Time) {
        let mut minutes = self.lock();
        minutes.turn(now);
        minutes.now = minutes.now.saturating_add(tokens);
        if let Some(most) = minutes.most(now) {
            let due = u128::from(tokens) * MINUTE.as_micros() / u128::from(most);
            let due = Duration::from_micros(u64::try_from(due).unwrap_or(u64::MAX));
            minutes.free_at = minutes.free_at.max(now).after(due);
        }
    }

    /// The provider said that a call which began at `began` came too fast.
    pub(super) fn slow_down(&self, began: Time, now: Time) {
        let mut minutes = self.lock();
        minutes.turn(now);
        // those that were under way together are told together
        if minutes.limit.is_some_and(|(_, since)| since >= began) {
            return;
        }
        let borne = if minutes.before == 0 { minutes.now / 2 } else { minutes.before };
        let borne = minutes.most(now).map_or(borne, |most| most.min(borne));
        minutes.limit = Some((borne.max(LEAST), now));
        self.held.store(true, Ordering::Release);
    }

    /// Forgets the limit, on a person's word.
    pub(super) fn clear(&self) {
        let mut minutes = self.lock();
        (minutes.limit, minutes.free_at) = (None, Time::default());
        self.held.store(false, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn hot(&self) -> usize {
        std::ptr::from_ref(&self.held).addr()
    }

    fn lock(&self) -> MutexGuard<'_, Minutes> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minutes {
    /// Begins a new minute when the last is over.
    fn turn(&mut self, now: Time) {
        let since = now.since(self.began);
        if since >= MINUTE {
            self.before = if since < MINUTE * 2 { self.now } else { 0 };
            self.now = 0;
            self.began = now;
        }
    }

    fn most(&self, now: Time) -> Option<u64> {
        let (borne, since) = self.limit?;
        let quiet = now.since(since);
        if quiet >= FORGET {
            return None;
        }
        let minutes = quiet.as_secs() / MINUTE.as_secs();
        let grown = (0..minutes).fold(borne, |most, _| most.saturating_mul(GROWTH) / 1_000_000);
        Some(grown.max(1))
    }
}
