//! The limits that a person set: requests and tokens a minute, calls at once. One pace per account, provider and client.
//!
//! Requests go through `governor` on our own clock. It lets through a burst of 40 ms, so that a late timer costs
//! nothing, and fills so much slower that neither a minute nor any one second sees more than its share: a provider that
//! counts by the second is not overrun, and at least 96 % of the rate is used. Tokens are charged by estimate and
//! corrected by what was reported, so the bucket may be overdrawn; governor's cannot.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::config::Limits;
use crate::kit::{Clock, Time};

/// A burst is what is due in this part of a minute.
const BURSTS_A_MINUTE: u32 = 1500;
/// The part of a minute's tokens that may go at once; the rest comes evenly.
const TOKEN_PART: u64 = 20;
/// However much was overdrawn, or however far the wall clock was set back, it is forgotten after this.
const LONGEST_DEBT: Duration = Duration::from_secs(3600);

/// What one owner's limits let through. What every choice reads comes first, in one cache line.
#[repr(C, align(64))]
pub(super) struct Pace {
    busy: Arc<AtomicU32>,
    /// Calls at once; all that can be counted where there is no limit.
    most: u32,
    tokens: Tokens,
    requests: Requests,
    limits: Limits,
}

/// A limit that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// So many calls at once.
    Calls(u32),
    /// So many requests a minute, until then.
    Requests(u32, Time),
    /// So many tokens a minute, until then.
    Tokens(u64, Time),
}

impl Pace {
    /// A pace whose calls under way are counted by `busy`, which outlives a change of limits.
    pub(super) fn new(limits: Limits, clock: &Clock, busy: Arc<AtomicU32>) -> Self {
        Self {
            busy,
            most: limits.concurrency.unwrap_or(u32::MAX),
            tokens: Tokens::new(limits.tpm),
            requests: Requests::new(limits.rpm, clock),
            limits,
        }
    }

    /// The same pace where the limits are the same, else a new one that counts the same calls.
    pub(super) fn renewed(self: &Arc<Self>, limits: Limits, clock: &Clock) -> Arc<Self> {
        if self.limits == limits {
            return Arc::clone(self);
        }
        Arc::new(Self::new(limits, clock, Arc::clone(&self.busy)))
    }

    /// Calls under way.
    pub(super) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Acquire)
    }

    /// Whether any call could go now, told by a few plain reads; where it is false, `look` tells more.
    pub(super) fn is_clear(&self, now: Time) -> bool {
        let now = now.as_micros();
        self.busy() < self.most
            && self.tokens.full_at.load(Ordering::Acquire) <= now
            && self.requests.until.load(Ordering::Acquire) <= now
    }

    /// Whether a call could go now, as far as can be seen without taking anything.
    pub(super) fn look(&self, tokens: u64, now: Time) -> Result<(), Full> {
        if self.busy() >= self.most {
            return Err(Full::Calls(self.most));
        }
        self.requests.look(now)?;
        self.tokens.look(tokens, now)
    }

    /// Takes a place, a request and the tokens; nothing when any of them is short.
    pub(super) fn take(&self, tokens: u64, now: Time) -> Result<(), Full> {
        let busy = self.busy.fetch_add(1, Ordering::AcqRel);
        let taken = if busy >= self.most { Err(Full::Calls(self.most)) } else { self.spend(tokens, now) };
        if taken.is_err() {
            self.leave();
        }
        taken
    }

    fn spend(&self, tokens: u64, now: Time) -> Result<(), Full> {
        self.tokens.look(tokens, now)?;
        self.requests.take(now)?;
        self.correct(i64::try_from(tokens).unwrap_or(i64::MAX), now);
        Ok(())
    }

    /// Charges more tokens, or gives some back.
    pub(super) fn correct(&self, tokens: i64, now: Time) {
        self.tokens.charge(tokens, now);
    }

    /// The call never went out: what was spent for it is there for the next.
    pub(super) fn give_back(&self, tokens: u64, now: Time) {
        self.requests.spare.store(true, Ordering::Release);
        self.correct(-i64::try_from(tokens).unwrap_or(i64::MAX), now);
    }

    /// A call that was under way is over.
    pub(super) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

#[repr(C)]
struct Requests {
    /// What the bucket last said: not before then. Governor cannot be asked without spending.
    until: AtomicI64,
    /// `None` without a limit.
    bucket: Option<RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>>,
    rpm: u32,
    /// Whether a request that was let through did not go out.
    spare: AtomicBool,
}

impl Requests {
    fn new(rpm: Option<u32>, clock: &Clock) -> Self {
        let rpm = rpm.unwrap_or(0);
        let burst = (rpm / BURSTS_A_MINUTE).max(1);
        let each_minute = NonZeroU32::new(rpm.saturating_sub(60 * (burst - 1)));
        let quota =
            each_minute.zip(NonZeroU32::new(burst)).map(|(each, burst)| Quota::per_minute(each).allow_burst(burst));
        let bucket = quota.map(|quota| RateLimiter::direct_with_clock(quota, Ticks(clock.clone())));
        Self { rpm, bucket, until: AtomicI64::new(0), spare: AtomicBool::new(false) }
    }

    fn look(&self, now: Time) -> Result<(), Full> {
        let until = Time::from_micros(self.until.load(Ordering::Acquire));
        // nothing is ever further away than one turn: a wall clock that was set back does not count
        let shut = now < until && until.since(now) <= Duration::from_secs(60);
        if shut && !self.spare.load(Ordering::Acquire) { Err(Full::Requests(self.rpm, until)) } else { Ok(()) }
    }

    fn take(&self, now: Time) -> Result<(), Full> {
        if self.spare.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let Some(bucket) = &self.bucket else { return Ok(()) };
        bucket.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(bucket.clock().now());
            // rounded up: a microsecond too early would be refused again
            let until = now.after(wait + Duration::from_micros(1));
            self.until.store(until.as_micros(), Ordering::Release);
            Full::Requests(self.rpm, until)
        })
    }
}

/// The gateway's clock as governor asks it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.ticks()
    }
}

/// Tokens as one number: when the bucket will be full again. What is charged moves it on.
#[repr(C)]
struct Tokens {
    full_at: AtomicI64,
    /// 0 without a limit.
    tpm: u64,
    most: u64,
    each_minute: u64,
}

impl Tokens {
    fn new(tpm: Option<u64>) -> Self {
        let tpm = tpm.unwrap_or(0);
        let most = (tpm / TOKEN_PART).max(1);
        let each_minute = (tpm - tpm / TOKEN_PART).max(1);
        Self { full_at: AtomicI64::new(0), tpm, most, each_minute }
    }

    /// How long so many tokens take to come, in microseconds.
    fn micros(&self, tokens: u64) -> i64 {
        // a division of 128 bits costs more than all else that is looked at
        let micros = match tokens.checked_mul(60_000_000) {
            Some(product) => product / self.each_minute,
            None => (tokens / self.each_minute).saturating_mul(60_000_000),
        };
        i64::try_from(micros).unwrap_or(i64::MAX)
    }

    /// A call that is larger than the bucket goes when it is full.
    fn look(&self, tokens: u64, now: Time) -> Result<(), Full> {
        let full_at = self.full_at.load(Ordering::Acquire);
        if full_at <= now.as_micros() {
            return Ok(());
        }
        let full_at = full_at.min(now.after(LONGEST_DEBT).as_micros());
        let at = full_at.saturating_sub(self.micros(self.most - tokens.min(self.most)));
        if at <= now.as_micros() { Ok(()) } else { Err(Full::Tokens(self.tpm, Time::from_micros(at))) }
    }

    fn charge(&self, tokens: i64, now: Time) {
        if self.tpm == 0 {
            return;
        }
        let (least, most) = (now.as_micros(), now.after(LONGEST_DEBT).as_micros());
        let by = self.micros(tokens.unsigned_abs());
        let by = if tokens < 0 { -by } else { by };
        let moved = |full_at: i64| Some(full_at.clamp(least, most).saturating_add(by).clamp(least, most));
        // it never refuses
        let _before = self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
    }
}
