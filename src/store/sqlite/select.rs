//! A filter as a query.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::super::{Filter, Span};
use super::{row, sums};
use crate::kit::Time;

/// The query for a filter, and its values.
pub(super) fn select(reader: &Connection, filter: &Filter) -> rusqlite::Result<(String, Vec<Value>)> {
    let mut sql = format!("SELECT {} FROM calls WHERE 1", row::COLUMNS);
    let mut values: Vec<Value> = Vec::new();
    let mut narrow = |words: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(words);
        values.push(value);
    };
    let Filter { span, client, provider, account, project, model, status, .. } = filter;
    if *span != Span::default() {
        // a time without calls has no ids, and nothing is larger than all of them
        let [first, last] = sums::ids(reader, *span)?.unwrap_or_else(|| [vec![0xff; 17], Vec::new()]);
        narrow("id >= ?", first.into());
        narrow("id <= ?", last.into());
        narrow("at >= ?", span.since.map_or(i64::MIN, Time::as_micros).into());
        narrow("at < ?", span.until.map_or(i64::MAX, Time::as_micros).into());
    }
    let columns =
        [("client = ?", client), ("provider = ?", provider), ("account = ?", account), ("project = ?", project)];
    for (words, wanted) in columns {
        if let Some(wanted) = wanted {
            narrow(words, wanted.clone().into());
        }
    }
    if let Some(model) = model {
        narrow("? IN (asked, model, provider || '/' || model)", model.clone().into());
    }
    if let Some(status) = status {
        narrow("status >= ?", i64::from(*status.start()).into());
        narrow("status <= ?", i64::from(*status.end()).into());
    }
    if let Some(parent) = filter.parent {
        narrow("parent_id = ?", parent.as_bytes().to_vec().into());
    }
    if filter.failed {
        sql.push_str(" AND outcome <> 'completed'");
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(Value::from(i64::try_from(filter.limit()).unwrap_or(i64::MAX)));
    Ok((sql, values))
}
