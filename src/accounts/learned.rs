//! The limits that a provider's answers told of: a call that would be refused is not sent before there is room for it.
//!
//! Kept per quota group and model. The common question, whether anything is short at all, is answered by atomics; the
//! lock is taken for one account when it is leased or has answered, and for those that run low.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kit::Time;
use crate::kit::window::{Fills, Reach, Span, What, Window};

/// What a provider says of a reset is not trusted for longer; then a call finds out.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long the numbers of a window without a reset mean something; they stop no call.
const UNSAID: Duration = Duration::from_secs(60);
/// Models of which something is remembered at the same time.
const MOST_MODELS: usize = 256;
/// All of a window, in the parts in which shares are told.
pub(super) const WHOLE: u16 = 1000;

/// What one call is expected to take, in tokens. Providers and people both limit by estimates: see `Need::of_call`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Of the request.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

impl Need {
    /// A token is about four bytes of a request. An answer is as long as the call allows, but not more than 4,096
    /// tokens are expected of it, since clients ask for the longest that a model has; 1,024 where it names none.
    pub fn of_call(bytes: usize, most_output: Option<u64>) -> Self {
        Self { input: (bytes as u64).div_ceil(4), output: most_output.map_or(1024, |most| most.min(4096)) }
    }

    /// Of both directions.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    const fn of(self, what: What) -> u64 {
        match what {
            What::Requests => 1,
            What::Tokens => self.total(),
            What::InputTokens => self.input,
            What::OutputTokens => self.output,
        }
    }
}

/// How much was taken by then, so that an answer's numbers can be corrected by what was sent after it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    requests: u64,
    input: u64,
    output: u64,
}

/// What is left of the tightest window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// In thousandths.
    pub(super) left: u16,
    pub(super) reset: Time,
}

/// What is known of one group's limits. What every choice reads comes first, in one cache line.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Learned {
    /// Until then the two numbers below hold; nothing is known after it.
    until: AtomicI64,
    /// The least number of requests that any window has left, and of tokens.
    requests: AtomicU64,
    tokens: AtomicU64,
    /// Of the model that was told of last: its hash with the share, and when that resets.
    glance: AtomicU64,
    glance_reset: AtomicI64,
    /// All that was ever taken.
    taken: [AtomicU64; 3],
    // a std mutex: held for one account's few windows, never across I/O
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    whole: Vec<Kept>,
    models: HashMap<Box<str>, Vec<Kept>>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    window: Window,
    left: u64,
    /// When it was told.
    at: Time,
    /// When it is forgotten.
    end: Time,
    /// Nanoseconds until one more is there, where it fills evenly.
    each: Option<u64>,
}

impl Share {
    /// Of one of which nothing is known, and which therefore counts as whole. No option: it is written for each of a
    /// hundred accounts, as two plain words.
    pub(super) const UNKNOWN: Self = Self { left: u16::MAX, reset: Time::MAX };

    /// `None` of one of which nothing is known.
    pub(super) fn known(self) -> Option<Self> {
        (self != Self::UNKNOWN).then_some(self)
    }
}

impl Learned {
    /// Whether nothing that is known can be short.
    pub(super) fn has_room(&self, need: Need, now: Time) -> bool {
        now.as_micros() >= self.until.load(Relaxed)
            || self.requests.load(Relaxed) >= 1 && self.tokens.load(Relaxed) >= need.total()
    }

    /// When the windows have room for the call, and which of them has none before; `None` when all have.
    pub(super) fn short(&self, model: &str, need: Need, now: Time) -> Option<(Time, What, Span)> {
        if self.has_room(need, now) {
            return None;
        }
        let known = self.lock();
        let late = known.of(model).filter(|kept| !kept.is_over(now)).filter_map(|kept| {
            let at = kept.room(need.of(kept.window.what), now)?;
            Some((at, kept.window.what, kept.window.span))
        });
        late.max_by_key(|(at, ..)| *at)
    }

    /// What is left of the tightest window that this model meets.
    pub(super) fn share(&self, model: &str, hash: u64, now: Time) -> Share {
        if now.as_micros() >= self.until.load(Relaxed) {
            return Share::UNKNOWN;
        }
        let glance = self.glance.load(Relaxed);
        if glance >> 16 == hash >> 16 {
            let reset = self.glance_reset.load(Relaxed);
            let left = u16::try_from(glance & 0xffff).unwrap_or(WHOLE);
            let share = Share { left, reset: Time::from_micros(reset) };
            return if now.as_micros() < reset { share } else { Share::UNKNOWN };
        }
        self.lock().share(model, now).unwrap_or(Share::UNKNOWN)
    }

    /// A call is sent: its share of every window is taken at once, so that the next does not count on it.
    pub(super) fn take(&self, model: &str, hash: u64, need: Need, now: Time) -> Mark {
        let add = |at: usize, count: u64| self.taken[at].fetch_add(count, Relaxed).wrapping_add(count);
        let mark = Mark { requests: add(0, 1), input: add(1, need.input), output: add(2, need.output) };
        if now.as_micros() < self.until.load(Relaxed) {
            let mut known = self.lock();
            known.each_of(model, |kept| {
                kept.left = kept.left_at(now).saturating_sub(need.of(kept.window.what));
                kept.at = now.max(kept.at);
            });
            self.tell(&known, model, hash, now);
        }
        mark
    }

    /// An answer told of these windows; `mark` is what `take` gave for its call.
    pub(super) fn learn(&self, model: &str, hash: u64, windows: &[Window], mark: Mark, now: Time) {
        let load = |at: usize| self.taken[at].load(Relaxed);
        let since = Mark {
            requests: load(0).wrapping_sub(mark.requests),
            input: load(1).wrapping_sub(mark.input),
            output: load(2).wrapping_sub(mark.output),
        };
        let mut known = self.lock();
        for window in windows {
            let Some(left) = window.left else { continue };
            let slot = match window.reach {
                Reach::Account => &mut known.whole,
                Reach::Model => known.model(model, now),
            };
            slot.retain(|kept| !kept.window.is_same(window) && !kept.is_over(now));
            slot.push(Kept::new(*window, left, since, now));
        }
        self.tell(&known, model, hash, now);
    }

    /// A refusal said itself when to come again, which is more exact than when its windows are full: those that are used
    /// up are not believed for longer.
    pub(super) fn heed(&self, model: &str, hash: u64, until: Time, now: Time) {
        let mut known = self.lock();
        known.each_of(model, |kept| {
            if kept.left_at(now) == 0 {
                kept.end = kept.end.min(until);
            }
        });
        self.tell(&known, model, hash, now);
    }

    /// Every window that is known: the model, where it is one's, the window and what is left of it.
    pub(super) fn all(&self, now: Time) -> Vec<(Option<Box<str>>, Window)> {
        let known = self.lock();
        let whole = known.whole.iter().map(|kept| (None, kept));
        let models = known.models.iter().flat_map(|(name, kept)| kept.iter().map(|kept| (Some(name.clone()), kept)));
        let live = whole.chain(models).filter(|(_, kept)| !kept.is_over(now));
        live.map(|(model, kept)| (model, Window { left: Some(kept.left_at(now)), ..kept.window })).collect()
    }

    /// Forgets everything, on a person's word.
    pub(super) fn clear(&self) {
        *self.lock() = Known::default();
        self.until.store(0, Relaxed);
    }

    /// Brings the atomics up to what is known.
    fn tell(&self, known: &Known, model: &str, hash: u64, now: Time) {
        let live = || known.whole.iter().chain(known.models.values().flatten()).filter(|kept| !kept.is_over(now));
        let least = |requests: bool| {
            let fitting = live().filter(|kept| (kept.window.what == What::Requests) == requests);
            // what no window limits in time cannot be short
            fitting.filter(|kept| kept.window.reset.is_some()).map(|kept| kept.left).min().unwrap_or(u64::MAX)
        };
        self.requests.store(least(true), Relaxed);
        self.tokens.store(least(false), Relaxed);
        if let Some(Share { left, reset }) = known.share(model, now) {
            self.glance_reset.store(reset.as_micros(), Relaxed);
            self.glance.store(hash >> 16 << 16 | u64::from(left), Relaxed);
        } else {
            self.glance.store(0, Relaxed);
        }
        let until = live().map(|kept| kept.end).max().unwrap_or_default();
        self.until.store(until.as_micros(), Relaxed);
    }

    #[cfg(test)]
    pub(super) fn hot(&self) -> [usize; 5] {
        let [requests, tokens, glance] =
            [&self.requests, &self.tokens, &self.glance].map(|at| std::ptr::from_ref(at).addr());
        let [until, reset] = [&self.until, &self.glance_reset].map(|at| std::ptr::from_ref(at).addr());
        [until, requests, tokens, glance, reset]
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // a poisoned map is still a map: what it lacks is learned again
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(&self, model: &str) -> impl Iterator<Item = &Kept> {
        self.whole.iter().chain(self.models.get(model).into_iter().flatten())
    }

    fn each_of(&mut self, model: &str, change: impl FnMut(&mut Kept)) {
        self.whole.iter_mut().chain(self.models.get_mut(model).into_iter().flatten()).for_each(change);
    }

    fn model(&mut self, model: &str, now: Time) -> &mut Vec<Kept> {
        if !self.models.contains_key(model) && self.models.len() >= MOST_MODELS {
            self.models.retain(|_, kept| kept.iter().any(|kept| !kept.is_over(now)));
            // whoever asks for made-up names may not fill the memory
            if self.models.len() >= MOST_MODELS {
                self.models.clear();
            }
        }
        self.models.entry(model.into()).or_default()
    }

    fn share(&self, model: &str, now: Time) -> Option<Share> {
        let shares = self.of(model).filter(|kept| !kept.is_over(now)).filter_map(|kept| {
            let limit = kept.window.limit.filter(|limit| *limit > 0)?;
            let left = kept.left_at(now).min(limit) * u64::from(WHOLE) / limit;
            Some(Share { left: u16::try_from(left).unwrap_or(WHOLE), reset: kept.end })
        });
        shares.min_by_key(|share| (share.left, share.reset))
    }
}

impl Kept {
    fn new(window: Window, left: u64, since: Mark, now: Time) -> Self {
        let sent = match window.what {
            What::Requests => since.requests,
            What::Tokens => since.input.saturating_add(since.output),
            What::InputTokens => since.input,
            What::OutputTokens => since.output,
        };
        let each = match (window.fills, window.limit, window.reset) {
            (Fills::Evenly, Some(limit), Some(reset)) if limit > left => {
                u64::try_from(reset.since(now).as_nanos() / u128::from(limit - left)).ok()
            }
            _ => None,
        };
        let end = window.reset.unwrap_or_else(|| now.after(UNSAID)).min(now.after(LONGEST));
        Self { window, left: left.saturating_sub(sent), at: now, end, each: each.filter(|each| *each > 0) }
    }

    fn is_over(&self, now: Time) -> bool {
        self.end <= now
    }

    fn left_at(&self, now: Time) -> u64 {
        let more = self.each.map_or(0, |each| now.since(self.at).as_nanos() / u128::from(each));
        let most = self.window.limit.unwrap_or(u64::MAX);
        self.left.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)).min(most.max(self.left))
    }

    /// When there is room for so much; `None` when there is, or when the window does not say when it fills.
    fn room(&self, need: u64, now: Time) -> Option<Time> {
        let reset = self.window.reset?.min(self.end);
        // what is larger than the window never fits, and is the provider's to refuse
        let need = self.window.limit.map_or(need, |limit| need.min(limit));
        let missing = need.checked_sub(self.left_at(now)).filter(|missing| *missing > 0)?;
        let at = self.each.map(|each| now.after(Duration::from_nanos(each.saturating_mul(missing))));
        Some(at.map_or(reset, |at| at.min(reset)))
    }
}

/// A model's name as a number, the same within one process.
pub(super) fn hash(model: &str) -> u64 {
    // never zero, which stands for nothing known
    BuildHasherDefault::<DefaultHasher>::default().hash_one(model) | 1 << 63
}
