//! The ledger's sums as rows.

use crate::kit::{Money, Time};
use crate::operator::{CostRow, Refusal, Reply, Tokens};
use crate::store::{By, Ledger, Span, Total};

/// The keys by their words.
const KEYS: [(&str, By); 12] = [
    ("model", By::Model),
    ("provider", By::Provider),
    ("account", By::Account),
    ("client", By::Client),
    ("project", By::Project),
    ("session", By::Session),
    ("branch", By::Branch),
    ("run", By::Run),
    ("tier", By::Tier),
    ("outcome", By::Outcome),
    ("day", By::Day),
    ("hour", By::Hour),
];

/// What calls consumed and cost, put together by one key or several between commas. Blocking.
pub fn costs(ledger: &dyn Ledger, by: &str, since: Option<i64>, until: Option<i64>) -> Result<Reply, Refusal> {
    let keys: Vec<By> = by.split(',').map(|word| key(word.trim())).collect::<Result<_, _>>()?;
    let [since, until] = [since, until].map(|at| at.map(Time::from_micros));
    let totals = ledger.totals(&keys, Span { since, until }).map_err(super::unreadable)?;
    Ok(Reply::Costs(totals.into_iter().map(row).collect()))
}

fn key(asked: &str) -> Result<By, Refusal> {
    KEYS.iter().find(|(word, _)| *word == asked).map(|(_, by)| *by).ok_or_else(|| {
        let words = KEYS.map(|(word, _)| word).join(", ");
        Refusal::new(format!("costs cannot be put together by {asked:?}; take some of {words}"))
    })
}

fn row(total: Total) -> CostRow {
    let [input, cache_read, cache_write, output, reasoning] = total.tokens;
    let compared = |amount| (total.compared > 0).then(|| Money::exact(amount));
    CostRow {
        key: total.keys.join(" · "),
        calls: total.calls,
        usage: Tokens { input, cache_read, cache_write, output, reasoning },
        cost_usd: Money::exact(total.cost),
        unpriced: total.unpriced,
        untold: total.untold,
        estimated: total.estimated,
        compared: total.compared,
        told_usd: compared(total.told),
        listed_usd: compared(total.listed),
        keys: total.keys,
    }
}
