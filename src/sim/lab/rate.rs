//! A rate that a lab enforces itself, whatever its scripts say.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Hint;
use super::play::throttled;
use crate::sim::answer::Answer;
use crate::sim::engine::Engine;
use crate::sim::model::Limits;
use crate::sim::persona::At;
use crate::sim::refusal::{Refusal, Throttle};

/// What a lab tells of the rate that it enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Every answer says where its caller stands, as the persona's vendor does.
    Always,
    /// Only a refusal says how long to wait, in milliseconds.
    Refusals,
}

/// The rate that is enforced; none until `enforce`.
#[derive(Default)]
pub(super) struct Rate {
    enforced: OnceLock<(Limits, Telling)>,
    refused: AtomicUsize,
}

impl Rate {
    /// From now on each key may call so often in one window; the first word stays.
    pub(super) fn enforce(&self, calls: u32, window: Duration, telling: Telling) {
        self.enforced.get_or_init(|| (Limits::new(calls, window), telling));
    }

    /// Counts a call: what its good answer says of the rate, else the refusal.
    pub(super) fn count(&self, who: &str, engine: &Engine, at: &At<'_>) -> Result<Option<Throttle>, Box<Answer>> {
        let Some((limits, telling)) = self.enforced.get() else { return Ok(None) };
        match limits.count(who) {
            Ok(throttle) => Ok(Some(throttle).filter(|_| *telling == Telling::Always)),
            Err(refusal) => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Err(Box::new(match (&refusal, telling) {
                    (Refusal::Throttled(throttle), Telling::Refusals) => {
                        let millis = u64::try_from(throttle.reset.as_millis()).unwrap_or(u64::MAX);
                        throttled(engine, at, &Hint::Millis(millis + 1))
                    }
                    _ => engine.refuse(&refusal, at),
                }))
            }
        }
    }

    /// How many calls were refused.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}
