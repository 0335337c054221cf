//! The table of sums by the hour: written with the calls of a batch, one row for all that have the same keys.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::{Entry, Span};
use crate::kit::{CallId, Time};

/// Microseconds of an hour.
pub(super) const HOUR: i64 = 3_600_000_000;
/// A sum of picodollars may be larger than SQLite's integers, so dollars and their fractions are summed apart.
pub(super) const FRACTION: i128 = 1_000_000_000_000;
/// No sum of tokens grows beyond, so that no addition overflows: an answer may claim any number.
const MOST: i128 = 1 << 61;

/// Bytes of an id that say its millisecond.
const STAMP: usize = 6;
/// Tenant, client, project, provider, account, model; empty where there is none.
const NAMES: usize = 6;
/// Calls, tokens of five kinds, unpriced, untold, estimated, compared.
const COUNTS: usize = 10;
/// Cost, and what was told and listed where both are known.
const AMOUNTS: usize = 3;

const UPSERT: &str = "INSERT INTO sums VALUES \
     (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25) \
     ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last), \
     calls = calls + excluded.calls, \
     input = min(input + excluded.input, 1 << 61), cache_read = min(cache_read + excluded.cache_read, 1 << 61), \
     cache_write = min(cache_write + excluded.cache_write, 1 << 61), output = min(output + excluded.output, 1 << 61), \
     reasoning = min(reasoning + excluded.reasoning, 1 << 61), unpriced = unpriced + excluded.unpriced, \
     untold = untold + excluded.untold, estimated = estimated + excluded.estimated, \
     compared = compared + excluded.compared, \
     cost_usd = cost_usd + excluded.cost_usd, cost_pico = cost_pico + excluded.cost_pico, \
     told_usd = told_usd + excluded.told_usd, told_pico = told_pico + excluded.told_pico, \
     listed_usd = listed_usd + excluded.listed_usd, listed_pico = listed_pico + excluded.listed_pico";

/// What a batch adds, by the key of a row as bytes: most calls find their row without a copy of its key.
#[derive(Default)]
pub(super) struct Sums {
    rows: HashMap<Vec<u8>, (Key, Sum)>,
    sought: Vec<u8>,
}

struct Key {
    hour: i64,
    names: [String; NAMES],
}

struct Sum {
    first: [u8; STAMP],
    last: [u8; STAMP],
    counts: [i128; COUNTS],
    amounts: [i128; AMOUNTS],
}

impl Sums {
    /// Adds a call, or takes away one that another replaces.
    pub(super) fn count(&mut self, entry: &Entry, times: Times) {
        let hour = hour(entry.at);
        let names = names(entry);
        self.sought.clear();
        self.sought.extend_from_slice(&hour.to_ne_bytes());
        for name in names {
            self.sought.extend_from_slice(&name.len().to_ne_bytes());
            self.sought.extend_from_slice(name.as_bytes());
        }
        let id = stamp(entry.id);
        let sum = match self.rows.get_mut(&self.sought) {
            Some((_, sum)) => sum,
            None => {
                let key = Key { hour, names: names.map(str::to_owned) };
                let sum = Sum { first: id, last: id, counts: [0; COUNTS], amounts: [0; AMOUNTS] };
                &mut self.rows.entry(self.sought.clone()).or_insert((key, sum)).1
            }
        };
        (sum.first, sum.last) = (sum.first.min(id), sum.last.max(id));
        let times = times as i128;
        let (counts, amounts) = numbers(entry);
        sum.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += times * count);
        sum.amounts.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += times * amount);
    }

    /// Writes what was added since the last time.
    pub(super) fn write(&mut self, step: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut upsert = step.prepare_cached(UPSERT)?;
        for (_, (Key { hour, names: [tenant, client, project, provider, account, model] }, sum)) in self.rows.drain() {
            let number = |at: usize| sum.counts[at].clamp(-MOST, MOST) as i64;
            let dollars = |at: usize| (sum.amounts[at] / FRACTION).clamp(-MOST, MOST) as i64;
            let rest = |at: usize| (sum.amounts[at] % FRACTION) as i64;
            upsert.execute(params![
                hour,
                tenant,
                client,
                project,
                provider,
                account,
                model,
                sum.first.as_slice(),
                sum.last.as_slice(),
                number(0),
                number(1),
                number(2),
                number(3),
                number(4),
                number(5),
                number(6),
                number(7),
                number(8),
                number(9),
                dollars(0),
                rest(0),
                dollars(1),
                rest(1),
                dollars(2),
                rest(2),
            ])?;
        }
        Ok(())
    }
}

/// Whether a call is added or taken away.
#[derive(Clone, Copy)]
pub(super) enum Times {
    Added = 1,
    TakenAway = -1,
}

/// Between which ids the calls of a span stand, to the hour; `None` when there are none.
pub(super) fn ids(reader: &Connection, span: Span) -> rusqlite::Result<Option<[Vec<u8>; 2]>> {
    let mut select = reader.prepare_cached("SELECT min(first), max(last) FROM sums WHERE hour BETWEEN ?1 AND ?2")?;
    let (first, last) = (span.since.map_or(i64::MIN, hour), span.until.map_or(i64::MAX, hour));
    let stamps = select.query_row([first, last], |row| {
        let stamp = |at| row.get::<_, [u8; STAMP]>(at).ok();
        Ok(stamp(0).zip(stamp(1)))
    });
    let all = |stamp: [u8; STAMP], rest: u8| [&stamp, [rest; 16 - STAMP].as_slice()].concat();
    Ok(stamps.optional()?.flatten().map(|(first, last)| [all(first, 0), all(last, u8::MAX)]))
}

/// When a call came, as its id begins.
fn stamp(id: CallId) -> [u8; STAMP] {
    let mut stamp = [0; STAMP];
    stamp.copy_from_slice(&id.as_bytes()[..STAMP]);
    stamp
}

/// The number of a moment's hour.
pub(super) const fn hour(at: Time) -> i64 {
    at.as_micros() / HOUR
}

fn names(entry: &Entry) -> [&str; NAMES] {
    let Entry { tenant, client, provider, account, model, .. } = entry;
    let [project, provider, account, model] =
        [&entry.context.project, provider, account, model].map(|name| name.as_deref().unwrap_or_default());
    [tenant, client, project, provider, account, model]
}

fn numbers(entry: &Entry) -> ([i128; COUNTS], [i128; AMOUNTS]) {
    let spend = &entry.spend;
    let tokens = spend.usage.map(|usage| usage.sums()).unwrap_or_default().map(i128::from);
    let [input, cache_read, cache_write, output, reasoning] = tokens;
    let unpriced = spend.usage.is_some() && spend.cost.is_none();
    let untold = spend.usage.is_none() && spend.cost.is_none() && entry.status < 300;
    let both = spend.cost.zip(spend.listed);
    let pico = |amount: crate::kit::Money| i128::from(super::spend::pico(amount));
    (
        [
            1,
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            unpriced.into(),
            untold.into(),
            spend.estimated.into(),
            both.is_some().into(),
        ],
        [
            spend.cost.map_or(0, pico),
            both.map_or(0, |(told, _)| pico(told)),
            both.map_or(0, |(_, listed)| pico(listed)),
        ],
    )
}
