//! A client's call under its own limits, which nobody waits for: whoever is over them is told so at once.

use std::sync::Arc;
use std::time::Duration;

use super::learned::Need;
use super::pace::{Full, Pace};
use super::pool::Pool;
use crate::kit::{Clock, Fault, Kind};

/// A call that counts against its client's limits, until it is dropped.
pub struct Guest {
    pub(super) pace: Arc<Pace>,
    clock: Clock,
    charged: u64,
}

impl Pool {
    /// Counts a call against its client's limits; `None` where it has none.
    ///
    /// # Errors
    /// Which of the limits it is over, and when the next call may come.
    pub fn admit(&self, client: &str, need: Need) -> Result<Option<Guest>, Fault> {
        let roster = self.roster.load();
        let Some(pace) = roster.client(client) else { return Ok(None) };
        let now = self.clock.now();
        pace.take(need.total(), now).map_err(|full| {
            let (what, wait) = match full {
                Full::Calls(most) => (format!("{most} calls at once"), Duration::from_secs(1)),
                Full::Requests(rpm, at) => (format!("{rpm} requests a minute"), at.since(now)),
                Full::Tokens(tpm, at) => (format!("{tpm} tokens a minute"), at.since(now)),
            };
            let message = format!("client {client} is limited to {what}; wait, or raise clients.{client}.limits");
            Fault::new(Kind::ClientLimit(wait), message)
        })?;
        Ok(Some(Guest { pace: Arc::clone(pace), clock: self.clock.clone(), charged: need.total() }))
    }
}

impl Guest {
    /// The call took so many tokens of both directions; none when it failed.
    pub fn used(&mut self, tokens: u64) {
        let [used, charged] = [tokens, self.charged].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.pace.correct(used.saturating_sub(charged), self.clock.now());
        self.charged = tokens;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.pace.leave();
    }
}
