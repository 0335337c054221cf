//! The table of spools: what was committed of each, so that nothing is committed again after a kill.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::row::{signed, unsigned};

/// So many are remembered, those that were begun last; a process has one.
const MOST: u32 = 64;

/// Up to which number the work of a spool is committed.
pub(super) fn committed(connection: &Connection, id: i64) -> rusqlite::Result<u64> {
    let mut select = connection.prepare("SELECT last FROM spools WHERE id = ?1")?;
    let last: Option<i64> = select.query_row([id], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, unsigned))
}

/// Notes up to which number it is committed with this step.
pub(super) fn note(step: &Transaction<'_>, id: i64, last: u64) -> rusqlite::Result<()> {
    step.prepare_cached("INSERT OR REPLACE INTO spools VALUES (?1, ?2)")?.execute(params![id, signed(last)]).map(drop)
}

/// Forgets those of long ago.
pub(super) fn trim(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "DELETE FROM spools WHERE id < (SELECT id FROM spools ORDER BY id DESC LIMIT 1 OFFSET ?1)";
    connection.execute(sql, [MOST]).map(drop)
}
