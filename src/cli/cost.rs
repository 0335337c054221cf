//! `cost`: its words, and sums as a table with bars, as JSON or as CSV.

use std::io;
use std::time::Duration;

use clap::Args;

use super::table::Table;
use super::{Format, Lines, wait};
use crate::kit::{Money, Time};
use crate::operator::CostRow;

/// The least time over which a sum says anything of a day.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest bar.
const BAR: u64 = 24;

/// `cost`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Cost {
    /// What calls are put together by: model, provider, account, client, project, session or day
    #[arg(long, value_name = "KEY", default_value = "model")]
    pub by: String,
    /// Only calls since then: 30d, 12h, or a day in UTC such as 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
    /// Show how budgets stand instead: spent, set aside, left, and when they reset
    #[arg(long, conflicts_with_all = ["by", "since", "csv"])]
    pub budgets: bool,
    /// Write comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// The beginning of a time that reaches to now.
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

pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(ago) = wait::parse(text) {
        return Ok(Since::Ago(ago));
    }
    let day = || text.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    let at = text.parse().or_else(|_| day().map(|zoned| zoned.timestamp()));
    let at: jiff::Timestamp = at.map_err(|_| "write how long ago (30d, 12h) or a day (2026-11-01)".to_owned())?;
    Ok(Since::At(Time::from_micros(at.as_microsecond())))
}

/// The sums. `span` is the time that they reach over, where a beginning was asked for.
pub fn show(lines: &mut Lines<'_>, asked: &Cost, rows: &[CostRow], span: Option<Duration>) -> io::Result<()> {
    if asked.csv {
        return csv(lines, rows);
    }
    let most = rows.iter().map(|row| amount(row).pico()).max().unwrap_or_default();
    let mut table = Table::new([&asked.by, "calls", "input", "cached", "written", "output", "reasoning", "cost", ""]);
    for row in rows {
        let of = &row.usage;
        let key = if row.key.is_empty() { "–".to_owned() } else { row.key.clone() };
        table.row([
            key,
            row.calls.to_string(),
            of.input.to_string(),
            of.cache_read.to_string(),
            of.cache_write.to_string(),
            of.output.to_string(),
            of.reasoning.to_string(),
            cost(row),
            bar(amount(row).pico(), most),
        ]);
    }
    lines.list(asked.format, rows, table, "no calls in that time")?;
    if !asked.format.json && !rows.is_empty() {
        words(lines, rows, span);
    }
    Ok(())
}

/// The sum of all, what it is a day, and what is missing in it.
fn words(lines: &mut Lines<'_>, rows: &[CostRow], span: Option<Duration>) {
    let total: Money = rows.iter().map(amount).sum();
    let calls: u64 = rows.iter().map(|row| row.calls).sum();
    let rate = span.filter(|span| *span >= DAY).map(|span| {
        let ratio = |whole: u128| i128::try_from(whole).unwrap_or(i128::MAX);
        let a_day = total.pico().saturating_mul(ratio(DAY.as_millis())) / ratio(span.as_millis());
        format!(", {:.2} a day", Money::from_pico(a_day))
    });
    lines.say(format_args!("{total} for {calls} calls{}", rate.unwrap_or_default()));
    let sum = |of: fn(&CostRow) -> u64| rows.iter().map(of).sum::<u64>();
    if sum(|row| row.unpriced) > 0 {
        let unpriced = sum(|row| row.unpriced);
        lines.say(format_args!("{unpriced} calls are unpriced and not in it; see: keywheel price show MODEL"));
    }
    if sum(|row| row.untold) > 0 {
        let untold = sum(|row| row.untold);
        lines.say(format_args!("{untold} calls did not say what they consumed and are not in it"));
    }
    if sum(|row| row.estimated) > 0 {
        lines.say("~ marks sums with an estimate in them");
    }
}

fn amount(row: &CostRow) -> Money {
    Money::parse(&row.cost_usd).unwrap_or_default()
}

fn cost(row: &CostRow) -> String {
    if amount(row) == Money::ZERO && row.unpriced > 0 {
        return "unpriced".to_owned();
    }
    format!("{}{}", if row.estimated > 0 { "~" } else { "" }, amount(row))
}

fn bar(pico: i128, most: i128) -> String {
    if pico <= 0 || most <= 0 {
        return String::new();
    }
    let length = (pico * i128::from(BAR) + most - 1) / most;
    "█".repeat(usize::try_from(length).unwrap_or(0))
}

fn csv(lines: &mut Lines<'_>, rows: &[CostRow]) -> io::Result<()> {
    lines.data("key,calls,input,cache_read,cache_write,output,reasoning,cost_usd,unpriced,untold,estimated")?;
    for row in rows {
        let CostRow { key, calls, usage: of, cost_usd, unpriced, untold, estimated } = row;
        lines.data(format_args!(
            "{},{calls},{},{},{},{},{},{cost_usd},{unpriced},{untold},{estimated}",
            quoted(key),
            of.input,
            of.cache_read,
            of.cache_write,
            of.output,
            of.reasoning
        ))?;
    }
    Ok(())
}

/// A field as RFC 4180 has it. A sheet would run one that begins like a formula.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']);
    match formula || text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
