//! A correction of what a call was charged, for counts that come when its lease is long given back.

use std::sync::Arc;

use super::guest::Guest;
use super::lease::Lease;
use super::pace::Pace;
use super::pool::Pool;
use super::seat::Seat;

/// The limits that a call counted against.
pub struct Bill {
    seat: Arc<Seat>,
    pool: Arc<Pool>,
    client: Option<Arc<Pace>>,
}

impl Lease {
    /// The limits of its account and provider.
    pub fn bill(&self) -> Bill {
        Bill { seat: Arc::clone(&self.seat), pool: Arc::clone(&self.pool), client: None }
    }
}

impl Bill {
    /// With those of the client, where it has any.
    #[must_use]
    pub fn of(mut self, guest: Option<&Guest>) -> Self {
        self.client = guest.map(|guest| Arc::clone(&guest.pace));
        self
    }

    /// The call took so many tokens, and not as many as it was charged.
    pub fn correct(&self, charged: u64, used: u64) {
        let [used, charged] = [used, charged].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let now = self.pool.clock.now();
        self.seat
            .paces()
            .chain(self.client.as_deref())
            .for_each(|pace| pace.correct(used.saturating_sub(charged), now));
    }
}
