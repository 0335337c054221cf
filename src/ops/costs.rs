//! The ledger's sums as rows.

use crate::kit::{Money, Time};
use crate::operator::{CostRow, Refusal, Reply, Tokens};
use crate::store::{By, Ledger, Total};

/// The keys by their words.
const KEYS: [(&str, By); 7] = [
    ("model", By::Model),
    ("provider", By::Provider),
    ("account", By::Account),
    ("client", By::Client),
    ("project", By::Project),
    ("session", By::Session),
    ("day", By::Day),
];

/// What calls consumed and cost. Blocking.
pub fn costs(ledger: &dyn Ledger, by: &str, since: Option<i64>) -> Result<Reply, Refusal> {
    let Some((_, key)) = KEYS.iter().find(|(word, _)| *word == by) else {
        let words = KEYS.map(|(word, _)| word).join(", ");
        return Err(Refusal::new(format!("costs cannot be put together by {by:?}; take one of {words}")));
    };
    let totals = ledger.totals(*key, since.map(Time::from_micros)).map_err(super::unreadable)?;
    Ok(Reply::Costs(totals.into_iter().map(row).collect()))
}

fn row(total: Total) -> CostRow {
    let [input, cache_read, cache_write, output, reasoning] = total.tokens;
    CostRow {
        key: total.key,
        calls: total.calls,
        usage: Tokens { input, cache_read, cache_write, output, reasoning },
        cost_usd: Money::exact(total.cost),
        unpriced: total.unpriced,
        untold: total.untold,
        estimated: total.estimated,
    }
}
