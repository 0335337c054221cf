//! A provider's breaker: five failures in 30 s open it for 15 s, then one call probes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kit::Time;

const WINDOW: Duration = Duration::from_secs(30);
const OPEN: Duration = Duration::from_secs(15);
const FAILURES: usize = 5;

/// Counts a provider's own failures, so that its accounts need not be blamed for them.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Whether there is any failure to think of, so that a healthy provider is asked without a lock.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: Vec<Time>,
    open_until: Option<Time>,
    probe: Option<u64>,
}

impl Breaker {
    /// Whether there is no failure to think of.
    pub(super) fn is_well(&self) -> bool {
        !self.troubled.load(Ordering::Acquire)
    }

    /// Forgets every failure, on a person's word.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        *state = State::default();
        self.troubled.store(false, Ordering::Release);
    }

    /// Until when it is open or probing; `None` when the next attempt would be let through.
    pub(super) fn open(&self, now: Time) -> Option<Time> {
        if self.is_well() {
            return None;
        }
        let state = self.lock();
        match state.open_until? {
            until if now < until => Some(until),
            _ => state.probe.map(|_| now.after(Duration::from_secs(1))),
        }
    }

    /// Lets an attempt through (making it the probe of a half-open breaker), or says until when it is open.
    pub(super) fn admit(&self, token: u64, now: Time) -> Result<(), Time> {
        if self.is_well() {
            return Ok(());
        }
        let mut state = self.lock();
        match state.open_until {
            None => Ok(()),
            Some(until) if now < until => Err(until),
            Some(_) if state.probe.is_some() => Err(now.after(Duration::from_secs(1))),
            Some(_) => {
                state.probe = Some(token);
                Ok(())
            }
        }
    }

    /// The provider answered: whatever it said, it is alive.
    pub(super) fn alive(&self, token: u64) {
        if self.is_well() {
            return;
        }
        let mut state = self.lock();
        match state.open_until {
            // only the probe may close it: a success that began before the failures proves nothing
            Some(_) if state.probe != Some(token) => {}
            _ => {
                *state = State::default();
                self.troubled.store(false, Ordering::Release);
            }
        }
    }

    /// The provider has begun a good answer: a probe closes the breaker at once, since its stream may last for minutes.
    /// What has failed under a closed breaker is forgiven only at an answer's end, or streams that all break off would
    /// never open it. Says whether it was closed.
    pub(super) fn began(&self, token: u64) -> bool {
        if self.is_well() {
            return false;
        }
        let mut state = self.lock();
        let probed = state.probe == Some(token);
        if probed {
            *state = State::default();
            self.troubled.store(false, Ordering::Release);
        }
        probed
    }

    /// The attempt ended without a verdict.
    pub(super) fn release(&self, token: u64) {
        if self.is_well() {
            return;
        }
        let mut state = self.lock();
        if state.probe == Some(token) {
            state.probe = None;
        }
    }

    /// The provider failed.
    pub(super) fn failed(&self, token: u64, now: Time) {
        let mut state = self.lock();
        self.troubled.store(true, Ordering::Release);
        if state.probe == Some(token) {
            state.probe = None;
            state.open_until = Some(now.after(OPEN));
            return;
        }
        state.failures.retain(|at| now.since(*at) < WINDOW);
        state.failures.push(now);
        if state.failures.len() >= FAILURES && state.open_until.is_none() {
            state.failures.clear();
            state.open_until = Some(now.after(OPEN));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
