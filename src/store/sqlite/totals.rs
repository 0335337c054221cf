//! Sums over the calls, made by the database.

use rusqlite::{Connection, Row};

use super::row::unsigned;
use crate::kit::{Money, Time};
use crate::store::{By, Total};

/// A sum of picodollars may be larger than SQLite's integers, so dollars and their fractions are summed apart.
const FRACTION: i128 = 1_000_000_000_000;

/// The sums by a key.
pub(super) fn totals(connection: &Connection, by: By, since: Option<Time>) -> rusqlite::Result<Vec<Total>> {
    let sql = format!(
        "SELECT {} AS key, count(*), total(input), total(cache_read), total(cache_write), total(output), \
         total(reasoning), coalesce(sum(cost / {FRACTION}), 0), coalesce(sum(cost % {FRACTION}), 0), \
         count(input) - count(input + cost), sum(input IS NULL AND cost IS NULL AND status < 300), sum(estimated) \
         FROM calls WHERE at >= ?1 GROUP BY key",
        key(by)
    );
    let since = since.map_or(i64::MIN, Time::as_micros);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut totals = statement.query_map([since], read)?.collect::<Result<Vec<_>, _>>()?;
    Total::sort(&mut totals);
    Ok(totals)
}

/// The key of a row in SQL.
const fn key(by: By) -> &'static str {
    match by {
        By::Model => "coalesce(provider || '/' || model, '')",
        By::Provider => "coalesce(provider, '')",
        By::Account => "coalesce(account, '')",
        By::Client => "client",
        By::Project => "coalesce(project, '')",
        By::Session => "coalesce(session_id, '')",
        By::Day => "date(at / 1000000, 'unixepoch')",
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Total> {
    let count = |column| row.get::<_, i64>(column).map(unsigned);
    // `total` is a float and cannot overflow; counts of tokens stay far below 2^53
    let tokens = |column| row.get::<_, f64>(column).map(|sum| sum as u64);
    let (dollars, fraction): (i64, i64) = (row.get(7)?, row.get(8)?);
    Ok(Total {
        key: row.get(0)?,
        calls: count(1)?,
        tokens: [tokens(2)?, tokens(3)?, tokens(4)?, tokens(5)?, tokens(6)?],
        cost: Money::from_pico(i128::from(dollars) * FRACTION + i128::from(fraction)),
        unpriced: count(9)?,
        untold: count(10)?,
        estimated: count(11)?,
    })
}
