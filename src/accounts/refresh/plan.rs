//! When a token is renewed, and what a failure to renew it means. Decisions only: no clock, no vault, no socket.

use std::time::Duration;

use super::exchange::Why;
use crate::kit::Time;

const SHORTEST_LEAD: Duration = Duration::from_secs(60);
const LONGEST_LEAD: Duration = Duration::from_secs(300);
/// How long after each failure in a row the next try comes.
const LADDER: [u64; 5] = [5, 30, 120, 600, 1800];

/// How a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is used.
    Fresh,
    /// It is used, and renewed meanwhile.
    Due,
    /// It is of no use any more.
    Expired,
}

/// What a failure to renew a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody else was faster: what is stored now is the token.
    UseStored,
    /// Only a person can start a new login.
    NeedsLogin,
    /// It is tried again after this wait.
    Later(Duration),
}

/// What a failure is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// Why the identity provider gave nothing.
    pub why: Why,
    /// Whether a refresh token was sent: then a login may have ended.
    pub by_refresh_token: bool,
    /// Whether the vault holds another refresh token by now than the one that was sent.
    pub overtaken: bool,
    /// How many failures in a row came before.
    pub step: u32,
}

/// How long before its end a token that lives this long is renewed.
pub fn lead(life: Duration) -> Duration {
    (life / 10).clamp(SHORTEST_LEAD, LONGEST_LEAD).min(life / 2)
}

/// When a token is due. `spread` in 0..=1023 draws the time up to a fifth of the lead earlier, so that many accounts do
/// not ask at once; never into the first half of its life. `None` for a token without an end.
pub fn due(issued_at: Option<Time>, expires_at: Option<Time>, spread: u32) -> Option<Time> {
    let expires_at = expires_at?;
    let life = issued_at.map_or(LONGEST_LEAD * 10, |issued| expires_at.since(issued));
    let lead = lead(life);
    let early = (lead + lead * spread.min(1023) / 1023 / 5).min(life / 2);
    Some(before(expires_at, early))
}

/// How a token stands now.
pub fn stand(due: Option<Time>, expires_at: Option<Time>, now: Time) -> Stand {
    match (due, expires_at) {
        (_, Some(end)) if now >= end => Stand::Expired,
        (Some(due), _) if now >= due => Stand::Due,
        _ => Stand::Fresh,
    }
}

/// What a failure means.
pub fn judge(failure: Failure) -> Verdict {
    let Failure { why, by_refresh_token, overtaken, step } = failure;
    match why {
        Why::Grant if by_refresh_token && overtaken => Verdict::UseStored,
        Why::Grant if by_refresh_token => Verdict::NeedsLogin,
        Why::Busy(Some(wait)) => Verdict::Later(wait.clamp(rung(step), rung(u32::MAX))),
        _ => Verdict::Later(rung(step)),
    }
}

/// Whether the refresh token may have been spent although no token came of it. Until that is known the mark stays.
pub const fn may_be_spent(why: Why) -> bool {
    matches!(why, Why::Lost)
}

/// The interval between two questions for a device's token after this answer (RFC 8628, section 3.5); `None` when there
/// is nothing to wait for.
pub fn poll(interval: Duration, why: Why) -> Option<Duration> {
    match why {
        Why::Pending | Why::Unsent | Why::Lost => Some(interval),
        Why::SlowDown(stated) => Some(stated.unwrap_or(interval + Duration::from_secs(5)).max(interval)),
        Why::Busy(wait) => Some(interval.max(wait.unwrap_or_default())),
        Why::Grant | Why::Client | Why::Clock | Why::Declined => None,
    }
}

fn rung(step: u32) -> Duration {
    let at = usize::try_from(step).unwrap_or(usize::MAX).min(LADDER.len() - 1);
    Duration::from_secs(LADDER[at])
}

fn before(at: Time, by: Duration) -> Time {
    Time::from_micros(at.as_micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}
