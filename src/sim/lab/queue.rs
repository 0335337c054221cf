//! The scripts that wait for their calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::Script;

/// By key name; `None` is for whichever call comes next.
#[derive(Default)]
pub(super) struct Scripts(Mutex<HashMap<Option<String>, Waiting>>);

#[derive(Default)]
struct Waiting {
    next: VecDeque<Script>,
    always: Option<Script>,
}

/// The scripts for one key.
pub struct Queue<'a> {
    scripts: &'a Scripts,
    name: Option<String>,
}

impl Queue<'_> {
    /// One more call is answered so.
    pub fn then(self, script: Script) -> Self {
        self.with(|waiting| waiting.next.push_back(script));
        self
    }

    /// All calls after those queued are answered so, until `clear`.
    pub fn always(self, script: Script) -> Self {
        self.with(|waiting| waiting.always = Some(script));
        self
    }

    /// Back to the persona's own answers.
    pub fn clear(self) {
        self.with(|waiting| *waiting = Waiting::default());
    }

    fn with(&self, change: impl FnOnce(&mut Waiting)) {
        let mut all = self.scripts.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(self.name.clone()).or_default());
    }
}

impl Scripts {
    pub(super) fn of(&self, name: Option<&str>) -> Queue<'_> {
        Queue { scripts: self, name: name.map(str::to_owned) }
    }

    /// The script for a call with the key of this name.
    pub(super) fn next(&self, name: &str) -> Script {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut take = |name: Option<String>| {
            let waiting = all.get_mut(&name)?;
            waiting.next.pop_front().or_else(|| waiting.always.clone())
        };
        take(None).or_else(|| take(Some(name.to_owned()))).unwrap_or_else(Script::usual)
    }
}
