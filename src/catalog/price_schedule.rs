//! Hours at which another rate holds: windows in UTC on days of the week, past midnight if need be, and holidays.

use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, tz::Offset};

use super::price_file::{Hours, HoursOfDay};
use crate::kit::Time;

const DAY: i64 = 24 * 60 * 60;

/// A checked schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    zone: Offset,
    windows: Vec<Window>,
    holidays: Vec<Date>,
}

/// One window: from `start` for `length`, in seconds of the UTC day, opening on these days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    days: Vec<Weekday>,
    start: i64,
    length: i64,
}

impl Schedule {
    /// Checks the hours of a file.
    ///
    /// # Errors
    /// One sentence about the first thing that is wrong.
    pub fn new(hours: &Hours) -> Result<Self, String> {
        let zone = offset(&hours.zone)
            .ok_or_else(|| format!("zone {:?} is no offset; write it like \"+08:00\"", hours.zone))?;
        let windows = hours.windows.iter().map(windows).collect::<Result<Vec<_>, _>>()?.concat();
        if windows.is_empty() {
            return Err("a schedule without windows never holds; give it some".to_owned());
        }
        Ok(Self { zone, windows, holidays: hours.holidays.clone() })
    }

    /// Whether it holds for a request that started then.
    pub fn holds(&self, at: Time) -> bool {
        let now = at.as_secs();
        let Some(today) = self.date(now) else { return false };
        self.holidays.contains(&today) || self.windows.iter().any(|window| self.open(window, now))
    }

    /// The last holiday it knows; a list that has run out makes holidays cost as much as working days.
    pub fn last_holiday(&self) -> Option<Date> {
        self.holidays.iter().max().copied()
    }

    /// A window that crosses midnight belongs to the day on which it opened.
    fn open(&self, window: &Window, now: i64) -> bool {
        let since = (now.rem_euclid(DAY) - window.start).rem_euclid(DAY);
        since < window.length && self.date(now - since).is_some_and(|opened| window.days.contains(&opened.weekday()))
    }

    fn date(&self, seconds: i64) -> Option<Date> {
        Some(self.zone.to_datetime(Timestamp::from_second(seconds).ok()?).date())
    }
}

fn windows(hours: &HoursOfDay) -> Result<Vec<Window>, String> {
    let days = hours.days.iter().map(|day| weekday(day)).collect::<Result<Vec<_>, _>>()?;
    let window = |span: &String| {
        let (from, to) = span
            .split_once('-')
            .and_then(|(from, to)| Some((clock(from)?, clock(to)?)))
            .ok_or_else(|| format!("{span:?} is no window; write it like \"16:30-00:30\""))?;
        let length = (to - from).rem_euclid(DAY);
        // equal ends are a whole day, not an empty one
        Ok(Window { days: days.clone(), start: from % DAY, length: if length == 0 { DAY } else { length } })
    };
    hours.utc.iter().map(window).collect()
}

fn weekday(name: &str) -> Result<Weekday, String> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let at = DAYS.iter().position(|&day| day == name).and_then(|at| i8::try_from(at).ok());
    let day = at.and_then(|at| Weekday::from_monday_zero_offset(at).ok());
    day.ok_or_else(|| format!("{name:?} is no day; write mon, tue, wed, thu, fri, sat or sun"))
}

/// `16:30` in seconds; `24:00` is the end of the day.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = hours * 3600 + minutes * 60;
    ((0..60).contains(&minutes) && (0..=DAY).contains(&seconds)).then_some(seconds)
}

/// `+08:00`; nothing is UTC.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1) {
        None => return Some(Offset::UTC),
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        Some(_) => return None,
    };
    Offset::from_seconds(sign * i32::try_from(clock(rest)?).ok()?).ok()
}
