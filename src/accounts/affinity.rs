//! Which account a session used last: a prompt cache is worth ten times the price of input.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::kit::Time;

const MOST: usize = 10_000;
const IDLE: Duration = Duration::from_secs(3600);

/// Sessions by key, forgotten after an hour of silence or when 10,000 others are fresher.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<u64, Bound>>);

struct Bound {
    account: Arc<str>,
    used: Time,
}

impl Sessions {
    /// The account that the session used last.
    pub(super) fn get(&self, key: u64, now: Time) -> Option<Arc<str>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = sessions.get_mut(&key).filter(|bound| now.since(bound.used) < IDLE)?;
        bound.used = now;
        Some(Arc::clone(&bound.account))
    }

    /// The session uses this account from now on.
    pub(super) fn bind(&self, key: u64, account: &str, now: Time) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = sessions.get_mut(&key) {
            bound.used = now;
            if &*bound.account != account {
                bound.account = account.into();
            }
            return;
        }
        if sessions.len() >= MOST {
            // one sweep drops the older half, so that the next one is far away
            let mut times: Vec<Time> = sessions.values().map(|bound| bound.used).collect();
            let (_, &mut median, _) = times.select_nth_unstable(MOST / 2);
            sessions.retain(|_, bound| bound.used > median);
        }
        sessions.insert(key, Bound { account: account.into(), used: now });
    }

    /// The account failed the session: the next call chooses afresh.
    pub(super) fn forget(&self, key: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}
