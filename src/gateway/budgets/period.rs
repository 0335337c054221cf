//! The days and months of budgets, to the microsecond and in the time zone of the settings.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::config::Per;
use crate::kit::Time;

/// A time over which a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it began; for what never resets, the beginning of time.
    pub start: Time,
    /// When the next one begins.
    pub end: Option<Time>,
}

impl Period {
    /// All of time.
    pub const ALWAYS: Self = Self { start: Time::from_micros(i64::MIN), end: None };

    /// The one in which a moment lies.
    pub fn of(per: Per, zone: &TimeZone, at: Time) -> Self {
        let Ok(moment) = Timestamp::from_microsecond(at.as_micros()) else { return Self::ALWAYS };
        let moment = moment.to_zoned(zone.clone());
        let ends = match per {
            Per::Day => day(&moment),
            Per::Month => month(&moment),
            Per::Session | Per::Total => return Self::ALWAYS,
        };
        let time = |at: &Zoned| Time::from_micros(at.timestamp().as_microsecond());
        // beyond the calendar nothing resets any more
        ends.map_or(Self::ALWAYS, |(start, end)| Self { start: time(&start), end: Some(time(&end)) })
    }

    /// Whether a moment lies in it.
    pub fn holds(&self, at: Time) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }
}

/// Where clocks are set forward at midnight a day begins later, and it may have 23 or 25 hours.
fn day(at: &Zoned) -> Result<(Zoned, Zoned), jiff::Error> {
    Ok((at.start_of_day()?, at.date().tomorrow()?.to_zoned(at.time_zone().clone())?.start_of_day()?))
}

fn month(at: &Zoned) -> Result<(Zoned, Zoned), jiff::Error> {
    let first = at.date().first_of_month();
    let begin = |date: jiff::civil::Date| date.to_zoned(at.time_zone().clone())?.start_of_day();
    Ok((begin(first)?, begin(first.checked_add(1.month())?)?))
}
