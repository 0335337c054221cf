//! How many calls at once a provider bears, learned from its refusals: one fewer each time, one more every half minute.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use crate::kit::Time;

/// After so long without a refusal one more is tried.
const ONE_MORE: Duration = Duration::from_secs(30);
/// After so long the refusals are forgotten.
const FORGET: Duration = Duration::from_secs(900);

/// One group's calls under way, and how many the provider bears.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    busy: AtomicU32,
    /// The most; 0 while nothing is known.
    most: AtomicU32,
    since: AtomicI64,
}

impl Crowd {
    /// Whether nothing is known of a limit.
    pub(super) fn is_unlimited(&self) -> bool {
        self.most.load(Ordering::Acquire) == 0
    }

    /// The most calls at once for now; `None` without a limit.
    pub(super) fn most(&self, now: Time) -> Option<u32> {
        let most = self.most.load(Ordering::Acquire);
        if most == 0 {
            return None;
        }
        let quiet = now.since(Time::from_micros(self.since.load(Ordering::Acquire)));
        let more = u32::try_from(quiet.as_secs() / ONE_MORE.as_secs()).unwrap_or(u32::MAX);
        if quiet >= FORGET {
            // another refusal may have come in between, and is not forgotten with it
            let _kept = self.most.compare_exchange(most, 0, Ordering::AcqRel, Ordering::Relaxed);
            return None;
        }
        Some(most.saturating_add(more))
    }

    /// Whether one more is too many.
    pub(super) fn is_full(&self, now: Time) -> Option<u32> {
        self.most(now).filter(|most| self.busy.load(Ordering::Acquire) >= *most)
    }

    /// A call begins; false when it was one too many.
    pub(super) fn enter(&self, now: Time) -> bool {
        let busy = self.busy.fetch_add(1, Ordering::AcqRel);
        self.most(now).is_none_or(|most| busy < most)
    }

    /// A call is over.
    pub(super) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }

    /// The provider refused a call that began at `began`, for there being too many. Refusals that met the same crowd
    /// count once.
    pub(super) fn refused(&self, began: Time, now: Time) {
        let known = self.most(now);
        if known.is_some() && self.since.load(Ordering::Acquire) >= began.as_micros() {
            return;
        }
        let busy = self.busy.load(Ordering::Acquire);
        let fewer = known.map_or(busy, |most| most.min(busy)).saturating_sub(1).max(1);
        self.since.store(now.as_micros(), Ordering::Release);
        self.most.store(fewer, Ordering::Release);
    }

    /// Forgets the limit, on a person's word.
    pub(super) fn clear(&self) {
        self.most.store(0, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn hot(&self) -> usize {
        std::ptr::from_ref(&self.most).addr()
    }
}
