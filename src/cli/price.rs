//! `price …`: its words, and prices as a table.

use std::io;
use std::path::PathBuf;

use clap::Subcommand;

use super::table::Table;
use super::{Format, Lines};
use crate::catalog::price_file::RateRow;
use crate::catalog::price_show::Shown;

/// `price …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum PriceVerb {
    /// Show what a model costs, at every provider that has it
    Show {
        /// As provider/model, or the model alone
        model: String,
        /// The prices of that day or moment, UTC: 2026-12-01 or 2026-12-01T20:00:00Z
        #[arg(long, value_name = "DATE", value_parser = moment)]
        at: Option<jiff::Timestamp>,
        /// Every row, also those that do not hold then
        #[arg(long)]
        all: bool,
        /// How to write
        #[command(flatten)]
        format: Format,
    },
    /// Look the price table over: old dates, contradictions, missing rates
    Check {
        /// Prices checked longer ago than this are stale
        #[arg(long, default_value_t = 90, value_name = "DAYS")]
        stale_days: u32,
        /// How to write
        #[command(flatten)]
        format: Format,
    },
    /// Lay LiteLLM's or models.dev's catalogue over the table
    Import {
        /// The JSON file, or - for stdin
        file: PathBuf,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// A day, or a moment of it.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    let day = || text.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    let at = text.parse().or_else(|_| day().map(|zoned| zoned.timestamp()));
    at.map_err(|_| "write a day or a moment in UTC, such as 2026-12-01 or 2026-12-01T20:00:00Z".to_owned())
}

/// The rows of a model, in USD for a million tokens.
pub fn show(lines: &mut Lines<'_>, format: Format, rows: &[Shown], none: &str) -> io::Result<()> {
    let mut table =
        Table::new(["model", "tier", "context", "holds", "input", "cache read", "cache write", "output", "origin"]);
    for shown in rows {
        let row = &shown.row;
        table.row([
            format!("{}/{}", shown.provider, shown.model),
            shown.tier.clone(),
            row.context_over.map_or_else(|| "any".to_owned(), |over| format!("over {over}")),
            when(shown),
            rate(row.input.as_ref()),
            rate(row.cache_read.as_ref()),
            writes(row),
            rate(row.output.as_ref()),
            shown.origin.clone(),
        ]);
    }
    lines.list(format, rows, table, none)?;
    if !format.json && !rows.is_empty() {
        lines.say("USD for a million tokens; – means: as its neighbour, and the cost is marked estimated");
    }
    Ok(())
}

fn rate(rate: Option<&String>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("${rate}"))
}

fn writes(row: &RateRow) -> String {
    match row.cache_write.is_empty() {
        true => "–".to_owned(),
        false => row.cache_write.iter().map(|(kept, rate)| format!("{kept} ${rate}")).collect::<Vec<_>>().join(", "),
    }
}

/// When a row holds, in words.
fn when(shown: &Shown) -> String {
    let row = &shown.row;
    let days = match (row.effective_from, row.effective_until) {
        (None, None) => String::new(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), Some(until)) => format!("{from} to {until}"),
    };
    let schedule = row.schedule.as_ref().map(|name| format!("in {name}")).unwrap_or_default();
    let now = if shown.in_force { "yes" } else { "no" };
    [now, &days, &schedule].iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(", ")
}
