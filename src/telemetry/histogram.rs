//! Counts of spans of time in fixed buckets: atomics where all calls count, plain numbers within one call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets in microseconds: from what a gateway takes to what a model does.
pub(super) const BOUNDS: [u64; 20] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
];

/// Spans of time of many calls.
#[derive(Default)]
pub(super) struct Histogram {
    /// The last one is for what is longer than every bound.
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

/// The gaps between the pieces of one answer.
#[derive(Clone, Default)]
pub struct Gaps {
    counts: [u32; BOUNDS.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Counts one span of so many microseconds.
    pub(super) fn count(&self, micros: u64) {
        self.counts[bucket(micros)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// Counts the gaps of one call.
    pub(super) fn add(&self, gaps: &Gaps) {
        for (all, count) in self.counts.iter().zip(gaps.counts).filter(|(_, count)| *count > 0) {
            all.fetch_add(count.into(), Ordering::Relaxed);
        }
        self.sum_us.fetch_add(gaps.sum_us, Ordering::Relaxed);
    }

    /// How many spans stand in each bucket, and their sum in microseconds.
    pub(super) fn read(&self) -> ([u64; BOUNDS.len() + 1], u64) {
        (std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed)), self.sum_us.load(Ordering::Relaxed))
    }
}

impl Gaps {
    /// Notes one gap.
    pub fn note(&mut self, gap: Duration) {
        let micros = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        let count = &mut self.counts[bucket(micros)];
        *count = count.saturating_add(1);
        self.sum_us = self.sum_us.saturating_add(micros);
    }

    /// Whether there were none.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }
}

fn bucket(micros: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < micros)
}
