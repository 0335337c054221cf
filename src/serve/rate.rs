//! A client key's requests a minute.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// How long until the next request is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

/// A bucket that holds a minute's requests and fills evenly. One per key, so no map of keys can grow.
pub(super) struct Rate {
    per_minute: u32,
    bucket: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
}

impl Rate {
    /// A full bucket; `None` for zero, which the store refuses.
    pub(super) fn new(per_minute: u32) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let bucket = RateLimiter::direct_with_clock(quota, Ticks(Instant::now()));
        Some(Self { per_minute, bucket })
    }

    pub(super) const fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes one request out, or says how long to wait.
    pub(super) fn spend(&self) -> Result<(), Wait> {
        self.bucket.check().map_err(|not_until| Wait(not_until.wait_time_from(self.bucket.clock().now())))
    }
}

/// Tokio's clock, which tests can pause. The wall clock would lock a client out when somebody sets it back.
#[derive(Clone, Debug)]
struct Ticks(Instant);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minutes_requests_pass_at_once_and_then_one_per_share_of_the_minute() {
        let rate = Rate::new(3).expect("not zero");
        for _ in 0..3 {
            assert_eq!(rate.spend(), Ok(()));
        }
        assert_eq!(rate.spend(), Err(Wait(Duration::from_secs(20))));
        tokio::time::advance(Duration::from_secs(19)).await;
        assert_eq!(rate.spend(), Err(Wait(Duration::from_secs(1))));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(rate.spend(), Ok(()));
        assert!(Rate::new(0).is_none());
    }
}
