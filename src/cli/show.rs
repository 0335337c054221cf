//! The answers of a gateway as lines: a table for people, objects for scripts.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use super::table::Table;
use super::{Format, Lines};
use crate::operator::{AccountRow, Line, ModelRow, ProviderRow, RequestRow, Status, TestRow};

/// How the gateway is doing.
pub fn status(lines: &mut Lines<'_>, format: Format, status: &Status) -> io::Result<()> {
    if format.json {
        return lines.json(status);
    }
    let Status { version, pid, started, in_flight, parked, accounts_ready, accounts, .. } = status;
    lines.data(format_args!("keywheel {version}, pid {pid}, since {started}"))?;
    for door in &status.listen {
        lines.data(format_args!("listening on {door}"))?;
    }
    lines.data(format_args!("{accounts_ready} of {accounts} accounts ready"))?;
    lines.data(format_args!("{in_flight} calls under way, {parked} waiting for an account"))?;
    for budget in &status.budgets {
        lines.data(super::budgets::line(budget))?;
    }
    for Line { plan, calls, first, last } in &status.waiting {
        let first = first.as_ref().map_or_else(|| "any moment".to_owned(), |at| format!("at {at}"));
        let last = last.as_ref().map_or_else(String::new, |at| format!(", the last by {at}"));
        lines.data(format_args!("waiting for {plan}: {calls}, the first goes {first}{last}"))?;
    }
    status.warnings.iter().try_for_each(|warning| lines.data(format_args!("warning: {warning}")))
}

/// Accounts and their state.
pub fn accounts(lines: &mut Lines<'_>, format: Format, rows: &[AccountRow]) -> io::Result<()> {
    let mut table = Table::new(["id", "provider", "state", "until", "reason"]);
    for row in rows {
        let AccountRow { id, provider, state, until, reason, .. } = row;
        table.row([id.clone(), provider.clone(), state.clone(), or_dash(until.as_ref()), reason.clone()]);
    }
    let none = "no accounts yet; make one with: keywheel account add ID --provider PROVIDER";
    lines.list(format, rows, table, none)
}

/// How accounts did when they were tried.
pub fn tested(lines: &mut Lines<'_>, format: Format, rows: &[TestRow]) -> io::Result<()> {
    let mut table = Table::new(["id", "provider", "result", "took", "reason"]);
    for row in rows {
        let TestRow { id, provider, ok, took_ms, reason, .. } = row;
        let result = if *ok { "ok" } else { "failed" };
        table.row([id.clone(), provider.clone(), result.to_owned(), format!("{took_ms} ms"), reason.clone()]);
    }
    lines.list(format, rows, table, "no accounts were tried")
}

/// Providers.
pub fn providers(lines: &mut Lines<'_>, format: Format, rows: &[ProviderRow]) -> io::Result<()> {
    let mut table = Table::new(["id", "name", "adapter", "accounts", "base url", "origin"]);
    for row in rows {
        let ProviderRow { id, name, adapter, base_url, accounts, origin } = row;
        table.row([id.clone(), name.clone(), adapter.clone(), accounts.to_string(), base_url.clone(), origin.clone()]);
    }
    lines.list(format, rows, table, "no providers; the configuration has switched all of them off")
}

/// Models.
pub fn models(lines: &mut Lines<'_>, format: Format, rows: &[ModelRow], why: bool) -> io::Result<()> {
    let none = "no model can be called now; keywheel model list --why says what is missing";
    if !why {
        let mut table = Table::new(["id", "provider"]);
        rows.iter().for_each(|row| table.row([row.id.clone(), row.provider.clone()]));
        return lines.list(format, rows, table, none);
    }
    let mut table = Table::new(["id", "provider", "callable", "why"]);
    for ModelRow { id, provider, callable, why, .. } in rows {
        let callable = if *callable { "yes" } else { "no" };
        table.row([id.clone(), provider.clone(), callable.to_owned(), why.clone()]);
    }
    lines.list(format, rows, table, none)
}

/// Calls, newest first.
pub fn requests(lines: &mut Lines<'_>, format: Format, rows: &[RequestRow]) -> io::Result<()> {
    let mut table = Table::new([
        "id", "at", "client", "endpoint", "model", "account", "status", "tries", "parked", "total", "tokens", "cost",
    ]);
    rows.iter().for_each(|row| table.row(request(row)));
    lines.list(format, rows, table, "no calls yet")
}

/// Calls one by one as they come: nobody knows how wide the next one is, so there are no columns.
pub fn followed(lines: &mut Lines<'_>, format: Format, rows: &[RequestRow]) -> io::Result<()> {
    for row in rows {
        match format.json {
            true => lines.json(row)?,
            false => lines.data(request(row).join("  "))?,
        }
    }
    lines.raw().flush()
}

fn request(row: &RequestRow) -> [String; 12] {
    let status = match row.outcome.as_str() {
        "broken" | "left" => format!("{} {}", row.status, row.outcome),
        _ => row.status.to_string(),
    };
    [
        row.id.clone(),
        row.at.clone(),
        row.client.clone(),
        row.endpoint.clone(),
        row.model.clone(),
        or_dash(row.account.as_ref()),
        status,
        row.attempts.to_string(),
        format!("{} ms", row.parked_ms),
        format!("{} ms", row.total_ms),
        tokens(row),
        cost(row),
    ]
}

/// What went in and what came out.
fn tokens(row: &RequestRow) -> String {
    row.usage.map_or_else(
        || "–".to_owned(),
        |of| format!("{} → {}", of.input + of.cache_read + of.cache_write, of.output + of.reasoning),
    )
}

/// `~` marks an estimate.
fn cost(row: &RequestRow) -> String {
    match &row.cost_usd {
        None if row.usage.is_some() => "unpriced".to_owned(),
        None => "–".to_owned(),
        Some(usd) => format!("{}${usd}", if row.estimated { "~" } else { "" }),
    }
}

/// One record as `name: value` lines; members that are lists of objects become tables below.
pub fn record(lines: &mut Lines<'_>, format: Format, record: &impl Serialize) -> io::Result<()> {
    if format.json {
        return lines.json(record);
    }
    let Value::Object(record) = serde_json::to_value(record).map_err(io::Error::other)? else { return Ok(()) };
    let (lists, plain): (Vec<_>, Vec<_>) = record.iter().partition(|(_, value)| is_list_of_objects(value));
    let width = plain.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in plain.into_iter().filter(|(_, value)| !says_nothing(value)) {
        lines.data(format_args!("{name:width$}  {}", plain_text(value)))?;
    }
    for (name, value) in lists {
        lines.data("")?;
        lines.data(format_args!("{name}:"))?;
        for item in value.as_array().into_iter().flatten() {
            let members = item.as_object().into_iter().flatten().filter(|(_, value)| !says_nothing(value));
            let members: Vec<String> = members.map(|(name, value)| format!("{name} {}", plain_text(value))).collect();
            lines.data(format_args!("  {}", members.join(" · ")))?;
        }
    }
    Ok(())
}

fn says_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

fn is_list_of_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.first().is_some_and(Value::is_object))
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain_text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "–".to_owned(), Clone::clone)
}
