//! One checked row of rates: when it holds, and what each bucket costs by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::price::{Basis, Rate};
use super::price_file::{Cmp, RateRow};
use super::price_schedule::Schedule;
use crate::kit::Time;
use crate::kit::usage::Bucket;

/// The service tier of answers that name none.
pub const DEFAULT_TIER: &str = "default";

/// A checked row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The row as it was written.
    pub row: RateRow,
    /// Its service tier.
    pub tier: String,
    /// The input tokens over which it holds.
    pub over: u64,
    /// How they are compared.
    pub cmp: Cmp,
    pub(super) schedule: Option<Arc<Schedule>>,
    pub(super) units: [(Rate, Basis); Bucket::COUNT],
    pub(super) version: Arc<str>,
}

impl Card {
    /// Checks a row. Fees of searches and maps are the model's and filled in by it.
    ///
    /// # Errors
    /// One sentence about the first thing that is wrong.
    pub(super) fn new(row: &RateRow, schedules: &BTreeMap<String, Arc<Schedule>>) -> Result<Self, String> {
        let schedule = match &row.schedule {
            None => None,
            Some(name) => {
                Some(schedules.get(name).ok_or_else(|| format!("there is no schedule {name:?} in the file"))?)
            }
        };
        if let (Some(from), Some(until)) = (row.effective_from, row.effective_until)
            && from >= until
        {
            return Err(format!("effective_until {until} is not after effective_from {from}"));
        }
        Ok(Self {
            row: row.clone(),
            tier: row.service_tier.clone().unwrap_or_else(|| DEFAULT_TIER.to_owned()),
            over: row.context_over.unwrap_or_default(),
            cmp: row.cmp.unwrap_or_default(),
            schedule: schedule.cloned(),
            units: units(row)?,
            version: Arc::from(""),
        })
    }

    /// Whether it is in force for a request that started then.
    pub fn in_force(&self, at: Time) -> bool {
        self.on_day(at) && self.schedule.as_ref().is_none_or(|schedule| schedule.holds(at))
    }

    /// Whether its days include that one, at whatever hours.
    pub fn on_day(&self, at: Time) -> bool {
        let Ok(day) = jiff::Timestamp::from_microsecond(at.as_micros()) else { return false };
        let day = jiff::tz::Offset::UTC.to_datetime(day).date();
        self.row.effective_from.is_none_or(|from| from <= day)
            && self.row.effective_until.is_none_or(|until| day < until)
    }

    /// Whether so much input is in its context tier.
    pub fn reaches(&self, input: u64) -> bool {
        match self.cmp {
            _ if self.over == 0 => true,
            Cmp::Gt => input > self.over,
            Cmp::Ge => input >= self.over,
        }
    }

    /// What sets a row apart from others of its model; among equals the later day wins.
    pub fn key(&self) -> (&str, u64, Option<&str>) {
        (&self.tier, self.over, self.row.schedule.as_deref())
    }

    /// More specific rows win: the higher context tier, then a schedule, then the later day.
    pub(super) fn rank(&self) -> (u64, bool, Option<Date>) {
        (self.over, self.schedule.is_some(), self.row.effective_from)
    }
}

/// The rate of every bucket, listed or the nearest listed one.
fn units(row: &RateRow) -> Result<[(Rate, Basis); Bucket::COUNT], String> {
    let rate = |name: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Rate::parse(text, 6).map(Some).map_err(|error| format!("{name}: {error}")),
    };
    let need = |name: &str, text: &Option<String>| rate(name, text)?.ok_or_else(|| format!("{name} is missing"));
    let listed = |rate: Rate| (rate, Basis::Listed);
    let or = |rate: Option<Rate>, other: (Rate, Basis)| rate.map_or((other.0, Basis::Guessed), listed);
    let [write, write_1h, write_12h] = writes(&row.cache_write)?;

    let input = listed(need("input", &row.input)?);
    let output = listed(need("output", &row.output)?);
    let cache_read = or(rate("cache_read", &row.cache_read)?, input);
    let cache_write = or(write, input);
    let cache_write_1h = or(write_1h, cache_write);
    let mut units = [(Rate::default(), Basis::Guessed); Bucket::COUNT];
    for (bucket, unit) in [
        (Bucket::Input, input),
        (Bucket::CacheRead, cache_read),
        (Bucket::CacheReadAudio, or(rate("cache_read_audio", &row.cache_read_audio)?, cache_read)),
        (Bucket::CacheWrite, cache_write),
        (Bucket::CacheWrite1h, cache_write_1h),
        (Bucket::CacheWrite12h, or(write_12h, cache_write_1h)),
        (Bucket::AudioIn, or(rate("audio_in", &row.audio_in)?, input)),
        // images without a rate of their own are billed as text, and reasoning as output: that is no guess
        (Bucket::ImageIn, rate("image_in", &row.image_in)?.map_or(input, listed)),
        (Bucket::Output, output),
        (Bucket::Reasoning, rate("reasoning", &row.reasoning)?.map_or(output, listed)),
        (Bucket::AudioOut, or(rate("audio_out", &row.audio_out)?, output)),
        (Bucket::ImageOut, or(rate("image_out", &row.image_out)?, output)),
    ] {
        units[bucket as usize] = unit;
    }
    Ok(units)
}

/// Cache writes for the default time, for an hour and for twelve hours, by the time that the file names.
fn writes(by_time: &BTreeMap<String, String>) -> Result<[Option<Rate>; 3], String> {
    let mut writes = [None; 3];
    for (time, text) in by_time {
        let hours = match (time.strip_suffix('h'), time.strip_suffix('m')) {
            (Some(hours), _) => hours.parse::<u32>().ok(),
            (_, Some(minutes)) => minutes.parse::<u32>().ok().map(|minutes| minutes / 60),
            _ => None,
        };
        let slot =
            match hours.ok_or_else(|| format!("cache_write: {time:?} is no time; write it like \"5m\" or \"12h\""))? {
                0 => &mut writes[0],
                1..12 => &mut writes[1],
                12.. => &mut writes[2],
            };
        let rate = Rate::parse(text, 6).map_err(|error| format!("cache_write: {error}"))?;
        if slot.replace(rate).is_some() {
            return Err(format!("cache_write: {time:?} falls into the same class as another time"));
        }
    }
    Ok(writes)
}
