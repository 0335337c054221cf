//! The table of holds.

use rusqlite::{Connection, Row, Transaction, params};

use super::super::Hold;
use crate::kit::CallId;

/// Puts a hold in, over an earlier one of the same call.
pub(super) fn write(step: &Transaction<'_>, id: CallId, hold: &Hold) -> rusqlite::Result<()> {
    let text = serde_json::to_string(hold).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = step.prepare_cached("INSERT OR REPLACE INTO holds VALUES (?1, ?2)")?;
    insert.execute(params![id.as_bytes().as_slice(), text]).map(drop)
}

/// Takes the hold of a call out.
pub(super) fn remove(step: &Transaction<'_>, id: CallId) -> rusqlite::Result<()> {
    step.prepare_cached("DELETE FROM holds WHERE id = ?1")?.execute(params![id.as_bytes().as_slice()]).map(drop)
}

/// Every hold.
pub(super) fn all(reader: &Connection) -> rusqlite::Result<Vec<(CallId, Hold)>> {
    let mut select = reader.prepare_cached("SELECT id, hold FROM holds ORDER BY id")?;
    let read = |row: &Row<'_>| Ok((CallId::from_bytes(row.get(0)?), row.get::<_, String>(1)?));
    let rows = select.query_map([], read)?.collect::<Result<Vec<_>, _>>()?;
    // one that another version wrote in another way cannot be charged to anybody
    Ok(rows.into_iter().filter_map(|(id, text)| Some((id, serde_json::from_str(&text).ok()?))).collect())
}
