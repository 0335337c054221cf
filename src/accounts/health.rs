//! The cooldowns of one account or quota group: how long, why, and how they heal.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tempo::Tempos;
use crate::kit::fault::Scope;
use crate::kit::{Kind, Time};

/// A hint that an upstream gives is never trusted for longer than this.
const LONGEST_HINT: Duration = Duration::from_secs(3600);
/// A stated end of a spend limit: the first of next month is the farthest that any provider names.
const LONGEST_SPEND: Duration = Duration::from_secs(32 * 24 * 3600);
const KEY_REJECTED: Duration = Duration::from_secs(30 * 60);
const BLOCKED: Duration = Duration::from_secs(3600);
const MODEL_MISSING: Duration = Duration::from_secs(10 * 60);
/// Models that may rest at the same time; whoever asks for made-up names could fill the memory otherwise.
const MOST_MODELS: usize = 1000;
/// A clock that reads so much earlier than a rest began was set back.
const STEP: Duration = Duration::from_secs(60);
const LADDER_CAP: Duration = Duration::from_secs(300);

/// Why an account, or one of its models, rests, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cooldown {
    /// When it began; a failure of a call that started earlier belongs to the same window.
    pub(super) since: Time,
    /// When one call may probe again.
    pub(super) until: Time,
    /// In words.
    pub(super) reason: Cow<'static, str>,
    /// What it failed with.
    pub(super) kind: Kind,
    /// How many windows in a row ended in a failure: the step of the ladder.
    pub(super) step: u32,
    /// The attempt that probes; only its result may close the cooldown.
    probe: Option<u64>,
}

/// What stands in a call's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing.
    Open,
    /// The next call is the one probe.
    Probe,
    /// A probe is under way; its result opens or closes the gate.
    Probing(Cow<'static, str>),
    /// Closed until then, for this reason.
    Until(Time, Cow<'static, str>, Kind),
}

/// All cooldowns of one account or group. A std mutex: it is held for a map look-up, never across I/O.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Health {
    /// Whether there is any cooldown at all, so that the healthy are passed without a lock.
    ailing: AtomicBool,
    /// Beside it, since a choice asks both.
    tempos: Tempos,
    rests: Mutex<Rests>,
}

/// The whole account's cooldown, and those of single models.
#[derive(Debug, Default)]
pub(super) struct Rests {
    pub(super) whole: Option<Cooldown>,
    pub(super) models: HashMap<Box<str>, Cooldown>,
}

impl Health {
    pub(super) fn lock(&self) -> MutexGuard<'_, Rests> {
        // a poisoned map is still a map: every write to it is one assignment
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing can stand in the way of any model.
    pub(super) fn is_well(&self) -> bool {
        !self.ailing.load(Ordering::Acquire) && self.tempos.is_free()
    }

    /// What stands in the way of a call of this model. A probe keeps to the pace that was learnt as every call does.
    pub(super) fn gate(&self, model: &str, now: Time) -> Gate {
        let mut way = Gate::Open;
        if self.ailing.load(Ordering::Acquire) {
            let rests = self.lock();
            let [whole, own] =
                [rests.whole.as_ref(), rests.models.get(model)].map(|rest| rest.map_or(Gate::Open, |r| r.gate(now)));
            way = worse(whole, own);
            if !matches!(way, Gate::Open | Gate::Probe) {
                return way;
            }
        }
        match self.tempos.holds(model, now) {
            None => way,
            Some(at) => {
                Gate::Until(at, Cow::Borrowed("calls are spaced after a 429"), Kind::Throttled(None, Scope::Model))
            }
        }
    }

    /// Notes a call that is about to be sent; false when the model's tempo holds it back.
    pub(super) fn admit(&self, model: &str, now: Time) -> bool {
        self.tempos.admit(model, now)
    }

    /// Makes this attempt the probe of every cooldown that is due; false when another was quicker.
    pub(super) fn take_probe(&self, model: &str, token: u64, now: Time) -> bool {
        let mut rests = self.lock();
        let Rests { whole, models } = &mut *rests;
        let due: Vec<_> = [whole.as_mut(), models.get_mut(model)].into_iter().flatten().collect();
        if due.iter().any(|rest| rest.gate(now) != Gate::Probe) {
            return false;
        }
        for rest in due {
            rest.probe = Some(token);
        }
        true
    }

    /// The attempt succeeded: what it probed is healed. The late success of an ordinary attempt heals nothing. Says
    /// whether anything was.
    pub(super) fn heal(&self, model: &str, token: u64) -> bool {
        if !self.ailing.load(Ordering::Acquire) {
            return false;
        }
        let mut rests = self.lock();
        let before = (rests.whole.is_some(), rests.models.len());
        if rests.whole.as_ref().is_some_and(|rest| rest.probe == Some(token)) {
            rests.whole = None;
        }
        if rests.models.get(model).is_some_and(|rest| rest.probe == Some(token)) {
            rests.models.remove(model);
        }
        self.ailing.store(rests.whole.is_some() || !rests.models.is_empty(), Ordering::Release);
        before != (rests.whole.is_some(), rests.models.len())
    }

    /// The attempt ended without a verdict: another may probe.
    pub(super) fn release_probe(&self, model: &str, token: u64) {
        if !self.ailing.load(Ordering::Acquire) {
            return;
        }
        let mut rests = self.lock();
        let Rests { whole, models } = &mut *rests;
        for rest in [whole.as_mut(), models.get_mut(model)].into_iter().flatten() {
            if rest.probe == Some(token) {
                rest.probe = None;
            }
        }
    }

    /// Notes a failure of the whole account (`model` is `None`) or of one model.
    pub(super) fn rest(&self, model: Option<&str>, kind: Kind, reason: Cow<'static, str>, at: Attempted) {
        if let (Some(model), Kind::Throttled(wait, Scope::Model)) = (model, kind) {
            self.tempos.refused(model, at.began, wait, at.failed);
        }
        let mut rests = self.lock();
        let before = match model {
            None => rests.whole.as_ref(),
            Some(model) => rests.models.get(model),
        };
        let next = Cooldown::after(before, kind, reason, at);
        match model {
            None => rests.whole = Some(next),
            Some(model) => {
                if rests.models.len() >= MOST_MODELS && !rests.models.contains_key(model) {
                    let first = rests.models.iter().min_by_key(|(_, rest)| rest.until).map(|(name, _)| name.clone());
                    if let Some(name) = first {
                        rests.models.remove(&name);
                    }
                }
                rests.models.insert(model.into(), next);
            }
        }
        self.ailing.store(true, Ordering::Release);
    }

    /// Takes over rests of an earlier run.
    pub(super) fn recall(&self, kept: Rests) {
        let mut rests = self.lock();
        self.ailing.store(kept.whole.is_some() || !kept.models.is_empty(), Ordering::Release);
        *rests = kept;
    }

    /// There is a token again: ends what the lack of one began, and nothing else.
    pub(super) fn logged_in(&self) {
        let mut rests = self.lock();
        if rests.whole.as_ref().is_some_and(|rest| matches!(rest.kind, Kind::NeedsLogin | Kind::StaleToken(_))) {
            rests.whole = None;
        }
        self.ailing.store(rests.whole.is_some() || !rests.models.is_empty(), Ordering::Release);
    }

    /// Ends every cooldown, on a person's word.
    pub(super) fn clear(&self) {
        let mut rests = self.lock();
        *rests = Rests::default();
        self.tempos.clear();
        self.ailing.store(false, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn hot(&self) -> [usize; 2] {
        [std::ptr::from_ref(&self.ailing).addr(), self.tempos.hot()]
    }
}

/// When an attempt began, when it failed, and a number in 0..=1023 that spreads its wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempted {
    pub(super) began: Time,
    pub(super) failed: Time,
    pub(super) spread: u32,
}

impl Cooldown {
    /// One of an earlier run; whoever probed then is gone.
    pub(super) const fn kept(since: Time, until: Time, reason: Cow<'static, str>, kind: Kind, step: u32) -> Self {
        Self { since, until, reason, kind, step, probe: None }
    }

    fn gate(&self, now: Time) -> Gate {
        match (!self.half_open(now), self.probe) {
            (true, _) => Gate::Until(self.until, self.reason.clone(), self.kind),
            (false, Some(_)) => Gate::Probing(self.reason.clone()),
            (false, None) => Gate::Probe,
        }
    }

    /// Whether a person must log in again.
    pub(super) fn needs_login(&self) -> bool {
        self.kind == Kind::NeedsLogin
    }

    /// Whether a probe is due or under way.
    pub(super) fn half_open(&self, now: Time) -> bool {
        // a clock that was set back would hold the rest for as long as the step
        let set_back = now.after(STEP) < self.since && !self.needs_login();
        now >= self.until || set_back
    }

    /// The cooldown after one more failure. Failures of one window, however many calls met them, count once: they
    /// may only move its end further.
    fn after(before: Option<&Self>, kind: Kind, reason: Cow<'static, str>, at: Attempted) -> Self {
        let same_window = before.filter(|old| old.since >= at.began && at.failed < old.until);
        let step = match (same_window, before) {
            (Some(old), _) => old.step,
            (None, Some(old)) => old.step + 1,
            (None, None) => 0,
        };
        let until = end(kind, step, at);
        match same_window {
            // whatever keeps it away for longest is why it rests
            Some(old) if until > old.until => Self { until, reason, kind, ..old.clone() },
            Some(old) => old.clone(),
            None => Self { since: at.failed, until, reason, kind, step, probe: None },
        }
    }
}

/// When a cooldown ends: never unbounded, whatever the upstream says. A login that has ended is no cooldown.
fn end(kind: Kind, step: u32, at: Attempted) -> Time {
    let wait = match kind {
        // only a new login ends it, and that clears the cooldown
        Kind::NeedsLogin => return Time::MAX,
        Kind::StaleToken(wait) => wait.min(LONGEST_HINT),
        Kind::Throttled(Some(hint), _) | Kind::Overloaded(Some(hint)) => hint.min(LONGEST_HINT),
        Kind::OutOfCredit(Some(until)) | Kind::OverBudget(Some(until)) => until.since(at.failed).min(LONGEST_SPEND),
        Kind::OutOfCredit(None) | Kind::OverBudget(None) | Kind::Blocked => BLOCKED,
        Kind::KeyRejected => KEY_REJECTED,
        Kind::ModelMissing => MODEL_MISSING,
        _ => {
            let full = Duration::from_secs(1 << step.min(9)).min(LADDER_CAP);
            // full jitter, but never nothing
            (full * at.spread / 1023).max(Duration::from_millis(50))
        }
    };
    at.failed.after(wait)
}

fn worse(one: Gate, other: Gate) -> Gate {
    let rank = |gate: &Gate| match gate {
        Gate::Open => 0,
        Gate::Probe => 1,
        Gate::Probing(_) => 2,
        Gate::Until(..) => 3,
    };
    match (&one, &other) {
        (Gate::Until(a, ..), Gate::Until(b, ..)) => {
            if a >= b {
                one
            } else {
                other
            }
        }
        _ => {
            if rank(&one) >= rank(&other) {
                one
            } else {
                other
            }
        }
    }
}
