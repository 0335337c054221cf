//! How soon an account's answers begin: a moving average of the time to the first byte.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use crate::kit::Time;

/// One part in so many is the newest answer's.
const PART: u32 = 5;
/// What is older says nothing any more, so that an account that was slow once is tried again.
const STALE: Duration = Duration::from_secs(600);

/// An account's speed.
#[derive(Debug, Default)]
pub(super) struct Speed {
    micros: AtomicU32,
    at: AtomicI64,
}

impl Speed {
    /// Microseconds to the first byte; `None` while unknown.
    pub(super) fn micros(&self, now: Time) -> Option<NonZeroU32> {
        let micros = NonZeroU32::new(self.micros.load(Ordering::Relaxed))?;
        (now.since(Time::from_micros(self.at.load(Ordering::Relaxed))) < STALE).then_some(micros)
    }

    /// An answer began after so long.
    pub(super) fn note(&self, took: Duration, now: Time) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let known = self.micros(now);
        let mean = known.map_or(took, |old| old.get() - old.get() / PART + took / PART);
        self.micros.store(mean.max(1), Ordering::Relaxed);
        self.at.store(now.as_micros(), Ordering::Relaxed);
    }
}
