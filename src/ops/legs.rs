//! The legs of a call that several models answered together: what such a call cost is what they cost, and it is counted
//! with them, never with the call itself.

use serde_json::{Value, json};

use super::calls;
use crate::gateway::DIALECTICS;
use crate::kit::{CallId, Money};
use crate::operator::{RequestRow, Tokens};
use crate::store::{Entry, Filter, Ledger, LedgerError};

/// More than any dialectic has.
const MOST: usize = 1000;

/// Whether a call was answered by several models together.
pub(super) fn has(entry: &Entry) -> bool {
    entry.provider.as_deref() == Some(DIALECTICS)
}

/// The legs of a call, in the order in which they began. Blocking.
pub(super) fn of(ledger: &dyn Ledger, parent: CallId) -> Result<Vec<Entry>, LedgerError> {
    let mut legs = ledger.list(&Filter { limit: MOST, parent: Some(parent), ..Filter::default() })?;
    legs.reverse();
    Ok(legs)
}

/// A row of a list without the cost, so that whoever adds rows up counts every leg once.
pub(super) fn uncounted(row: RequestRow) -> RequestRow {
    RequestRow { cost_usd: None, ..row }
}

/// Puts the legs into a record, and what they come to: no cost where one of them has no price.
pub(super) fn put(record: &mut Value, legs: Vec<Entry>) {
    let consumed = |leg: &&Entry| leg.spend.usage.is_some() || leg.spend.cost.is_some();
    let costs: Option<Vec<Money>> = legs.iter().filter(consumed).map(|leg| leg.spend.cost).collect();
    let sum = costs.map(|costs| costs.into_iter().fold(Money::ZERO, Money::saturating_add));
    record["cost_usd"] = json!(sum.map(Money::exact));
    record["estimated"] = json!(legs.iter().any(|leg| leg.spend.estimated));
    let usage = legs.iter().filter_map(|leg| leg.spend.usage).map(Tokens::from).reduce(|sum, more| Tokens {
        input: sum.input.saturating_add(more.input),
        cache_read: sum.cache_read.saturating_add(more.cache_read),
        cache_write: sum.cache_write.saturating_add(more.cache_write),
        output: sum.output.saturating_add(more.output),
        reasoning: sum.reasoning.saturating_add(more.reasoning),
    });
    record["usage"] = json!(usage);
    let rows = legs.into_iter().map(calls::row).map(|row| {
        json!({"id": row.id, "at": row.at, "provider": row.provider, "account": row.account, "model": row.model,
            "status": row.status, "outcome": row.outcome, "total_ms": row.total_ms, "usage": row.usage,
            "cost_usd": row.cost_usd, "estimated": row.estimated})
    });
    record["legs"] = rows.collect();
}
