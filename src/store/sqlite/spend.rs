//! The money columns of a row.

use rusqlite::{Row, ToSql};

use super::row::{signed, unsigned};
use crate::kit::{Money, Usage};
use crate::store::Spend;

/// A spend as the values of its columns.
pub(super) struct Cells<'a> {
    sums: [Option<i64>; 5],
    buckets: Option<String>,
    spend: &'a Spend,
    money: [Option<i64>; 2],
}

impl<'a> Cells<'a> {
    pub(super) fn of(spend: &'a Spend) -> Self {
        let sums = spend.usage.as_ref().map(Usage::sums);
        let first_only = |usage: &Usage| {
            let [input, cache_read, cache_write, output, reasoning] = sums.unwrap_or_default();
            *usage == Usage { input, cache_read, cache_write, output, reasoning, ..Usage::default() }
        };
        let buckets = spend.usage.filter(|usage| !first_only(usage)).map(|usage| counts_text(&usage));
        Self {
            sums: match sums {
                Some(sums) => sums.map(|sum| Some(signed(sum))),
                None => [None; 5],
            },
            buckets,
            spend,
            money: [spend.cost, spend.listed].map(|amount| amount.map(pico)),
        }
    }

    /// The values in the order of their columns.
    pub(super) fn values(&self) -> [&dyn ToSql; 12] {
        let [input, cache_read, cache_write, output, reasoning] = &self.sums;
        let Spend { answered, service_tier, price, estimated, .. } = self.spend;
        let [cost, listed] = &self.money;
        [
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            &self.buckets,
            answered,
            service_tier,
            cost,
            listed,
            price,
            estimated,
        ]
    }
}

/// A spend out of a row whose money columns begin at `at`.
pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Spend> {
    let amount = |column| row.get::<_, Option<i64>>(column).map(|pico| pico.map(|pico| Money::from_pico(pico.into())));
    Ok(Spend {
        usage: usage(row, at)?,
        answered: row.get(at + 6)?,
        service_tier: row.get(at + 7)?,
        cost: amount(at + 8)?,
        listed: amount(at + 9)?,
        price: row.get(at + 10)?,
        estimated: row.get(at + 11)?,
    })
}

fn usage(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Usage>> {
    if let Some(text) = row.get::<_, Option<String>>(at + 5)? {
        return Ok(counts(&text));
    }
    let Some(input) = row.get::<_, Option<i64>>(at)? else { return Ok(None) };
    let sum = |column| Ok::<_, rusqlite::Error>(unsigned(row.get::<_, Option<i64>>(column)?.unwrap_or(0)));
    Ok(Some(Usage {
        input: unsigned(input),
        cache_read: sum(at + 1)?,
        cache_write: sum(at + 2)?,
        output: sum(at + 3)?,
        reasoning: sum(at + 4)?,
        ..Usage::default()
    }))
}

/// Every bucket in the order of `Usage::counts`, as a JSON array.
fn counts_text(usage: &Usage) -> String {
    serde_json::Value::from(usage.counts().to_vec()).to_string()
}

fn counts(text: &str) -> Option<Usage> {
    let counts: [u64; crate::kit::usage::Bucket::COUNT] = serde_json::from_str(text).ok()?;
    Some(Usage::from_counts(counts))
}

/// Over nine million dollars for one call do not fit, and do not occur.
pub(super) fn pico(amount: Money) -> i64 {
    i64::try_from(amount.pico()).unwrap_or(i64::MAX)
}
