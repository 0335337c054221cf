//! Moments as people write them: how long ago, or a day.

use std::time::Duration;

use super::wait;
use crate::kit::Time;

/// A moment, seen from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// At this moment.
    At(Time),
}

impl Since {
    /// The moment, seen from now.
    pub fn moment(self, now: Time) -> Time {
        match self {
            Self::Ago(ago) => {
                Time::from_micros(now.as_micros().saturating_sub(i64::try_from(ago.as_micros()).unwrap_or(i64::MAX)))
            }
            Self::At(at) => at,
        }
    }
}

/// Reads one: `30d`, `12h`, `2026-11-01`, `2026-11-01T12:00Z`.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(ago) = wait::parse(text) {
        return Ok(Since::Ago(ago));
    }
    let day = || text.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    let at = text.parse().or_else(|_| day().map(|zoned| zoned.timestamp()));
    let at: jiff::Timestamp = at.map_err(|_| "write how long ago (30d, 12h) or a day (2026-11-01)".to_owned())?;
    Ok(Since::At(Time::from_micros(at.as_microsecond())))
}
