//! An account's state in words, for people.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::seat::Seat;
use crate::config::Account;
use crate::kit::Time;

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
    /// When it was last taken for a call.
    pub used: Option<Time>,
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
    /// Its secret is missing or locked.
    NoSecret,
    /// Its login has ended; a person starts a new one.
    NeedsLogin,
    /// A person switched it off.
    Disabled,
}

impl Seat {
    /// The account and its state at this moment.
    pub(super) fn row(&self, now: Time) -> Row {
        let rest = [&self.state.health, &self.group.health].into_iter().find_map(|health| health.lock().whole.clone());
        let lack = self.state.lacks.get();
        let (standing, reason, since, until) = match (lack, rest) {
            _ if self.account.disabled => (Standing::Disabled, "switched off by a person".to_owned(), None, None),
            (Some(lack), _) => (Standing::NoSecret, lack.why.into_owned(), Some(lack.since), None),
            (None, None) => (Standing::Ready, self.resting_models(now), None, None),
            (None, Some(rest)) if rest.needs_login() => {
                (Standing::NeedsLogin, rest.reason.to_string(), Some(rest.since), None)
            }
            (None, Some(rest)) => {
                let standing = if rest.half_open(now) { Standing::HalfOpen } else { Standing::Cooling };
                (standing, rest.reason.to_string(), Some(rest.since), Some(rest.until))
            }
        };
        let busy = self.state.busy.load(Ordering::Acquire);
        let used = Some(Time::from_micros(self.state.used.load(Ordering::Relaxed))).filter(|at| *at > Time::default());
        Row { account: Arc::clone(&self.account), standing, reason, since, until, busy, used }
    }

    /// The models that rest while the account itself is ready, in words.
    fn resting_models(&self, now: Time) -> String {
        let mut words: Vec<String> = Vec::new();
        for health in [&self.state.health, &self.group.health] {
            let rests = health.lock();
            let resting = rests.models.iter().filter(|(_, rest)| !rest.half_open(now));
            words.extend(resting.map(|(model, rest)| format!("{model} rests until {}: {}", rest.until, rest.reason)));
        }
        words.sort();
        words.join("; ")
    }
}
