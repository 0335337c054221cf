//! Sums over the calls, made by the database: whole hours from the table of sums, the rest from the calls.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::row::unsigned;
use super::sums::{self, FRACTION, HOUR};
use crate::kit::{Money, Time};
use crate::store::{By, Span, Total};

const CALLS: &str = "count(*), total(input), total(cache_read), total(cache_write), total(output), total(reasoning), \
     count(input) - count(input + cost), sum(input IS NULL AND cost IS NULL AND status < 300), sum(estimated), \
     count(cost + listed), \
     sum(cost / 1000000000000), sum(cost % 1000000000000), \
     sum(CASE WHEN listed IS NOT NULL THEN cost END / 1000000000000), \
     sum(CASE WHEN listed IS NOT NULL THEN cost END % 1000000000000), \
     sum(CASE WHEN cost IS NOT NULL THEN listed END / 1000000000000), \
     sum(CASE WHEN cost IS NOT NULL THEN listed END % 1000000000000)";

const SUMS: &str = "sum(calls), total(input), total(cache_read), total(cache_write), total(output), total(reasoning), \
     sum(unpriced), sum(untold), sum(estimated), sum(compared), \
     sum(cost_usd), sum(cost_pico), sum(told_usd), sum(told_pico), sum(listed_usd), sum(listed_pico)";

/// The sums by these keys.
pub(super) fn totals(connection: &Connection, by: &[By], span: Span) -> rusqlite::Result<Vec<Total>> {
    // one state of the database for all that is read
    let step = connection.unchecked_transaction()?;
    summed(&step, by, span)
}

/// The same within a step.
pub(super) fn summed(step: &Connection, by: &[By], span: Span) -> rusqlite::Result<Vec<Total>> {
    let mut all = BTreeMap::new();
    match by.iter().map(|by| sums_key(*by)).collect::<Option<Vec<_>>>() {
        Some(keys) => {
            let (hours, edges) = hours(span);
            if let Some((first, last)) = hours {
                let sql = grouped(&keys, SUMS, "sums WHERE hour >= ? AND hour < ?");
                read(step, &sql, vec![first.into(), last.into()], by.len(), &mut all)?;
            }
            for edge in edges {
                from_calls(step, by, edge, &mut all)?;
            }
        }
        None => from_calls(step, by, span, &mut all)?,
    }
    let mut totals: Vec<Total> = all.into_values().collect();
    Total::sort(&mut totals);
    Ok(totals)
}

/// The whole hours of a span, first and behind the last, and what is left at its ends.
fn hours(span: Span) -> (Option<(i64, i64)>, Vec<Span>) {
    let floor = |at: Time| at.as_micros().div_euclid(HOUR);
    let start = |hour: i64| Time::from_micros(hour.saturating_mul(HOUR));
    let first = span.since.map_or(i64::MIN, |since| floor(since) + i64::from(start(floor(since)) != since));
    let last = span.until.map_or(i64::MAX, floor);
    if first > last {
        return (None, vec![span]);
    }
    let since = span.since.filter(|since| start(first) != *since);
    let until = span.until.filter(|until| start(last) != *until);
    let before = since.map(|since| Span { since: Some(since), until: Some(start(first)) });
    let after = until.map(|until| Span { since: Some(start(last)), until: Some(until) });
    (Some((first, last)), before.into_iter().chain(after).collect())
}

fn from_calls(
    connection: &Connection,
    by: &[By],
    span: Span,
    all: &mut BTreeMap<Vec<String>, Total>,
) -> rusqlite::Result<()> {
    let Some([first, last]) = sums::ids(connection, span)? else { return Ok(()) };
    let keys: Vec<&str> = by.iter().map(|by| calls_key(*by)).collect();
    let sql = grouped(&keys, CALLS, "calls WHERE id BETWEEN ? AND ? AND at >= ? AND at < ?");
    let since = span.since.map_or(i64::MIN, Time::as_micros);
    let until = span.until.map_or(i64::MAX, Time::as_micros);
    read(connection, &sql, vec![first.into(), last.into(), since.into(), until.into()], by.len(), all)
}

fn grouped(keys: &[&str], sums: &str, from: &str) -> String {
    let places: Vec<String> = (1..=keys.len()).map(|at| at.to_string()).collect();
    format!("SELECT {}, {sums} FROM {from} GROUP BY {}", keys.join(", "), places.join(", "))
}

/// A key over the sums by the hour; `None` where they do not have it.
const fn sums_key(by: By) -> Option<&'static str> {
    Some(match by {
        By::Model => "CASE WHEN provider = '' OR model = '' THEN '' ELSE provider || '/' || model END",
        By::Provider => "provider",
        By::Account => "account",
        By::Client => "client",
        By::Project => "project",
        By::Day => "date(hour * 3600, 'unixepoch')",
        By::Hour => "strftime('%Y-%m-%dT%H', hour * 3600, 'unixepoch')",
        By::Session | By::Branch | By::Run | By::Tier | By::Outcome => return None,
    })
}

/// A key over the calls.
const fn calls_key(by: By) -> &'static str {
    match by {
        By::Model => "coalesce(provider || '/' || model, '')",
        By::Provider => "coalesce(provider, '')",
        By::Account => "coalesce(account, '')",
        By::Client => "client",
        By::Project => "coalesce(project, '')",
        By::Session => "coalesce(session_id, '')",
        By::Branch => "coalesce(branch, '')",
        By::Run => "coalesce(run_id, '')",
        By::Tier => "coalesce(service_tier, '')",
        By::Outcome => "outcome",
        By::Day => "date(at / 1000000, 'unixepoch')",
        By::Hour => "strftime('%Y-%m-%dT%H', at / 1000000, 'unixepoch')",
    }
}

fn read(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    keys: usize,
    all: &mut BTreeMap<Vec<String>, Total>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let total = total(row, keys)?;
        // a row of sums out of which every call was taken
        if total.calls > 0 {
            all.entry(total.keys.clone())
                .or_insert_with(|| Total { keys: total.keys.clone(), ..Total::default() })
                .join(&total);
        }
    }
    Ok(())
}

fn total(row: &Row<'_>, keys: usize) -> rusqlite::Result<Total> {
    let count = |at: usize| row.get::<_, i64>(keys + at).map(unsigned);
    // `total` is a float and cannot overflow; counts of tokens stay far below 2^53
    let tokens = |at: usize| row.get::<_, f64>(keys + at).map(|sum| sum as u64);
    let money = |at: usize| {
        let part = |at: usize| row.get::<_, Option<i64>>(keys + at).map(|part| i128::from(part.unwrap_or(0)));
        Ok::<_, rusqlite::Error>(Money::from_pico(part(at)? * FRACTION + part(at + 1)?))
    };
    Ok(Total {
        keys: (0..keys).map(|at| row.get(at)).collect::<Result<_, _>>()?,
        calls: count(0)?,
        tokens: [tokens(1)?, tokens(2)?, tokens(3)?, tokens(4)?, tokens(5)?],
        unpriced: count(6)?,
        untold: count(7)?,
        estimated: count(8)?,
        compared: count(9)?,
        cost: money(10)?,
        told: money(12)?,
        listed: money(14)?,
    })
}
