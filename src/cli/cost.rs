//! `cost`: its words, and sums as a table with bars, as a chart, as JSON or as CSV.

use std::io;
use std::time::Duration;

use clap::Args;

use super::chart::{Bar, Chart, Paint};
use super::lines::width;
use super::since::{Since, since};
use super::table::Table;
use super::{Format, Lines};
use crate::kit::Money;
use crate::operator::CostRow;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// The longest bar.
const BAR: u64 = 24;

/// `cost`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Cost {
    /// What calls are put together by: model, provider, account, client, project, session, branch, run, tier, outcome,
    /// day, hour; several with commas between
    #[arg(long, value_name = "KEY", default_value = "model")]
    pub by: String,
    /// Only calls since then: 30d, 12h, or a day in UTC such as 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
    /// Show how budgets stand instead: spent, set aside, left, and when they reset
    #[arg(long, conflicts_with_all = ["by", "since", "until", "chart", "csv"])]
    pub budgets: bool,
    /// Only calls before then
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub until: Option<Since>,
    /// Draw bars, as wide as the terminal
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub chart: bool,
    /// Write comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// The sums. `span` is the time that they reach over, where a beginning was asked for.
pub fn show(
    lines: &mut Lines<'_>,
    asked: &Cost,
    rows: &[CostRow],
    span: Option<Duration>,
    paint: Paint,
) -> io::Result<()> {
    if asked.csv {
        return csv(lines, asked, rows);
    }
    match asked.chart && !rows.is_empty() {
        true => chart(lines, asked, rows, paint)?,
        false => table(lines, asked, rows)?,
    }
    if !asked.format.json && !rows.is_empty() {
        words(lines, rows, span);
    }
    Ok(())
}

/// Times in their order, all else with the dearest first.
fn chart(lines: &mut Lines<'_>, asked: &Cost, rows: &[CostRow], paint: Paint) -> io::Result<()> {
    let bar = |row: &CostRow| Bar { name: name(row), amount: amount(row).pico(), says: cost(row) };
    let mut bars: Vec<Bar> = rows.iter().map(bar).collect();
    if asked.by.starts_with("day") || asked.by.starts_with("hour") {
        bars.sort_by(|one, other| one.name.cmp(&other.name));
    }
    // the bars are drawn here, and names came through the ledger: what a terminal would obey is taken out of them
    for bar in &mut bars {
        bar.name.retain(|c| !c.is_control());
    }
    writeln!(lines.raw(), "{}", Chart { bars: &bars, width: width(), paint })
}

fn table(lines: &mut Lines<'_>, asked: &Cost, rows: &[CostRow]) -> io::Result<()> {
    let most = rows.iter().map(|row| amount(row).pico()).max().unwrap_or_default();
    let mut table = Table::new([&asked.by, "calls", "input", "cached", "written", "output", "reasoning", "cost", ""]);
    for row in rows {
        let of = &row.usage;
        table.row([
            name(row),
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
    lines.list(asked.format, rows, table, "no calls in that time")
}

/// The sum of all, the pace, and what is missing in it.
fn words(lines: &mut Lines<'_>, rows: &[CostRow], span: Option<Duration>) {
    let total: Money = rows.iter().map(amount).sum();
    let calls: u64 = rows.iter().map(|row| row.calls).sum();
    let rate = span.filter(|span| *span >= HOUR).map(|span| pace(total, span));
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
    rows.iter().filter_map(drift).for_each(|words| lines.say(words));
}

/// What goes in an hour and in a day, and what a month would take at that pace.
fn pace(total: Money, span: Duration) -> String {
    let ratio = |time: Duration| i128::try_from(time.as_millis()).unwrap_or(i128::MAX);
    let each = |time: Duration| Money::from_pico(total.pico().saturating_mul(ratio(time)) / ratio(span).max(1));
    let month = if span >= DAY { format!(", {:.2} in 30 days at that pace", each(MONTH)) } else { String::new() };
    format!(": {:.4} an hour, {:.2} a day{month}", each(HOUR), each(DAY))
}

/// What the provider told and the price table says, where they are more than one part in a hundred apart.
fn drift(row: &CostRow) -> Option<String> {
    let [told, listed] =
        [&row.told_usd, &row.listed_usd].map(|usd| usd.as_deref().and_then(|usd| Money::parse(usd).ok()));
    let (told, listed) = (told?, listed?);
    let apart = told.pico().saturating_sub(listed.pico());
    if apart.saturating_mul(100).abs() <= listed.pico().abs() {
        return None;
    }
    let percent = match listed.pico() {
        0 => String::new(),
        listed => {
            let tenths = apart.saturating_mul(1000) / listed;
            let sign = if tenths < 0 { "-" } else { "+" };
            format!(", {sign}{}.{} %", tenths.abs() / 10, tenths.abs() % 10)
        }
    };
    let calls = row.compared;
    Some(format!(
        "{}: the provider told {told} for {calls} calls that cost {listed} by the price table{percent}; compare with: \
         keywheel price show",
        name(row)
    ))
}

fn name(row: &CostRow) -> String {
    if row.keys.iter().all(String::is_empty) && row.key.chars().all(|c| " ·".contains(c)) {
        return "–".to_owned();
    }
    row.key.clone()
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

/// One column for each key; a single one is called `key`.
fn csv(lines: &mut Lines<'_>, asked: &Cost, rows: &[CostRow]) -> io::Result<()> {
    let names = if asked.by.contains(',') { asked.by.replace(' ', "") } else { "key".to_owned() };
    lines.data(format_args!(
        "{names},calls,input,cache_read,cache_write,output,reasoning,cost_usd,unpriced,untold,estimated,compared,\
         told_usd,listed_usd"
    ))?;
    for row in rows {
        let CostRow { calls, usage: of, cost_usd, unpriced, untold, estimated, compared, .. } = row;
        let keys = if row.keys.is_empty() { std::slice::from_ref(&row.key) } else { &row.keys };
        let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
        let [told, listed] = [&row.told_usd, &row.listed_usd].map(|usd| usd.as_deref().unwrap_or_default());
        lines.data(format_args!(
            "{},{calls},{},{},{},{},{},{cost_usd},{unpriced},{untold},{estimated},{compared},{told},{listed}",
            keys.join(","),
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
