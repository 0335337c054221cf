//! What calls are counted in as they end. A client is no label, and what a client names is one only once a provider has
//! answered to it: ten thousand clients make no more series than one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::{Gaps, Histogram};
use super::shelf::Shelf;
use crate::kit::usage::Bucket;
use crate::store::{Attempt, Entry, Outcome};

/// The most providers that are counted by name, and the most models of each.
const PROVIDERS: usize = 200;
const MODELS: usize = 100;
/// The most kinds of failure; there are about twenty.
const FAULTS: usize = 40;

/// More than there are rules.
const RULES: usize = 200;
/// The most budgets that are counted by name, over all reloads.
const BUDGETS: usize = 200;

/// How calls end, in the order in which they are counted.
pub(super) const OUTCOMES: [Outcome; 4] = [Outcome::Completed, Outcome::Failed, Outcome::Broken, Outcome::Left];
/// The classes of HTTP statuses, in the order in which they are counted.
pub(super) const CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];
/// The buckets of tokens, in the order of `Bucket`; what follows there are no tokens.
pub(super) const TOKENS: [&str; 12] = [
    "input",
    "cache_read",
    "cache_read_audio",
    "cache_write",
    "cache_write_1h",
    "cache_write_12h",
    "audio_in",
    "image_in",
    "output",
    "reasoning",
    "audio_out",
    "image_out",
];
const _: () = assert!(TOKENS.len() == Bucket::Searches as usize, "a bucket has no name here");

/// All counters of a gateway, from its start.
pub struct Meters {
    pub(super) providers: Shelf<OfProvider>,
    /// Secrets that were masked, and calls that were refused, by the rule.
    pub(super) masked: Shelf<AtomicU64>,
    pub(super) blocked: Shelf<AtomicU64>,
    /// Calls that a budget kept from an account, by its name.
    pub(super) unaffordable: Shelf<AtomicU64>,
}

/// What is counted of each provider; calls that reached none are counted under `none`.
pub(super) struct OfProvider {
    pub(super) models: Shelf<OfModel>,
    /// Attempts by the code of their fault; empty for those without one.
    pub(super) attempts: Shelf<AtomicU64>,
    pub(super) total: Histogram,
    pub(super) overhead: Histogram,
    pub(super) first_byte: Histogram,
    pub(super) gaps: Histogram,
    pub(super) parked: Histogram,
}

/// What is counted of each of its models.
#[derive(Default)]
pub(super) struct OfModel {
    pub(super) calls: [[AtomicU64; CLASSES.len()]; OUTCOMES.len()],
    pub(super) tokens: [AtomicU64; TOKENS.len()],
    /// In picodollars: room for eighteen million dollars, after which it begins anew, as a counter may.
    pub(super) cost: AtomicU64,
    pub(super) unpriced: AtomicU64,
    pub(super) estimated: AtomicU64,
}

impl Default for Meters {
    fn default() -> Self {
        let [masked, blocked] = std::array::from_fn(|_| Shelf::new(RULES));
        Self { providers: Shelf::new(PROVIDERS), masked, blocked, unaffordable: Shelf::new(BUDGETS) }
    }
}

impl Default for OfProvider {
    fn default() -> Self {
        let (total, overhead, first_byte, gaps, parked) = Default::default();
        let (models, attempts) = (Shelf::new(MODELS), Shelf::new(FAULTS));
        Self { models, attempts, total, overhead, first_byte, gaps, parked }
    }
}

impl Meters {
    /// Counts a call that has ended, with the gaps between the pieces of its answer.
    pub fn count(&self, entry: &Entry, gaps: &Gaps) {
        self.providers.with(entry.provider.as_deref().unwrap_or("none"), |of| of.count(entry, gaps));
        // routes may lead to several providers: each attempt is counted where it was made
        for attempt in &entry.attempts {
            let fault = attempt.fault.as_deref().unwrap_or_default();
            self.providers.with(&attempt.provider, |of| of.attempts.with(fault, bump));
        }
    }

    /// So many secrets that a rule found in a prompt were masked.
    pub fn masked(&self, rule: &str, secrets: usize) {
        self.masked.with(rule, |count| count.fetch_add(secrets as u64, Ordering::Relaxed));
    }

    /// A call was refused for what these rules found in its prompt; for none where it could not be searched.
    pub fn blocked(&self, rules: &BTreeSet<&'static str>) {
        if rules.is_empty() {
            self.blocked.with("unsearched", bump);
        }
        rules.iter().for_each(|rule| self.blocked.with(rule, bump));
    }

    /// A hard budget had no room for a call.
    pub fn unaffordable(&self, budget: &str) {
        self.unaffordable.with(budget, bump);
    }

    /// What the gateway itself took of a call, in microseconds.
    pub fn overhead(&self, provider: &str, micros: u64) {
        self.providers.with(provider, |of| of.overhead.count(micros));
    }
}

impl OfProvider {
    fn count(&self, entry: &Entry, gaps: &Gaps) {
        self.total.count(entry.total_us);
        if let Some(first) = entry.first_byte_us.filter(|_| entry.outcome != Outcome::Failed) {
            self.first_byte.count(first);
        }
        if !gaps.is_empty() {
            self.gaps.add(gaps);
        }
        if entry.parked_us > 0 {
            self.parked.count(entry.parked_us);
        }
        let model = entry.model.as_deref().unwrap_or("none");
        if entry.outcome == Outcome::Completed || entry.model.is_none() {
            self.models.with(model, |of| of.count(entry));
        } else {
            self.models.with_known(model, |of| of.count(entry));
        }
    }
}

impl OfModel {
    fn count(&self, entry: &Entry) {
        bump(&self.calls[entry.outcome as usize][class(entry.status)]);
        let spend = &entry.spend;
        if let Some(usage) = &spend.usage {
            for (count, tokens) in self.tokens.iter().zip(usage.counts()).filter(|(_, tokens)| *tokens > 0) {
                count.fetch_add(tokens, Ordering::Relaxed);
            }
        }
        match spend.cost {
            Some(cost) => {
                self.cost.fetch_add(u64::try_from(cost.pico()).unwrap_or_default(), Ordering::Relaxed);
            }
            None if entry.outcome == Outcome::Completed => bump(&self.unpriced),
            None => {}
        }
        if spend.estimated {
            bump(&self.estimated);
        }
    }
}

/// What the gateway itself took of a call in microseconds before the provider that answered had it: all but the wait for
/// an account and the time in which other providers had it. `None` where none had it.
pub fn overhead(entry: &Entry) -> Option<u64> {
    let (last, earlier) = entry.attempts.split_last()?;
    let upstream: u64 = earlier.iter().zip(entry.attempts.iter().skip(1)).map(|(one, next)| had(one, next)).sum();
    Some(last.start_us.saturating_sub(entry.parked_us).saturating_sub(upstream))
}

/// How long a provider had a call that went on to another attempt.
fn had(attempt: &Attempt, next: &Attempt) -> u64 {
    attempt.head_us.unwrap_or_else(|| next.start_us.saturating_sub(attempt.start_us))
}

fn class(status: u16) -> usize {
    match status {
        200..=299 => 0,
        300..=399 => 1,
        400..=499 => 2,
        500..=599 => 3,
        _ => 4,
    }
}

fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
