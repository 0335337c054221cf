//! The table of choices: written with their call, read when somebody asks, and pruned as new ones come.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::{Choice, Entry};
use crate::kit::{CallId, Time};

/// The most calls whose choices are kept.
const MOST: i64 = 100_000;
/// For how long, in microseconds.
const LONGEST: i64 = 7 * 86_400 * 1_000_000;
/// So many calls with choices are written between two looks for older ones.
const BETWEEN: u32 = 500;

/// Counts what was written since the last look for what is too old.
pub(super) struct Pruning(u32);

impl Default for Pruning {
    /// The first look is at the first write: the process may have been away for long.
    fn default() -> Self {
        Self(BETWEEN)
    }
}

/// Writes the choices of an entry, where it has any.
pub(super) fn write(step: &Transaction<'_>, entry: &Entry, pruning: &mut Pruning) -> rusqlite::Result<()> {
    if entry.choices.is_empty() {
        return Ok(());
    }
    let text =
        serde_json::to_string(&entry.choices).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = step.prepare_cached("INSERT OR REPLACE INTO choices VALUES (?1, ?2, ?3)")?;
    insert.execute(params![entry.id.as_bytes().as_slice(), entry.at.as_micros(), text])?;
    pruning.0 += 1;
    if pruning.0 >= BETWEEN {
        pruning.0 = 0;
        prune(step, entry.at)?;
    }
    Ok(())
}

/// Takes out what is too old, and what is too much. Ids are in the order of arrival.
fn prune(step: &Transaction<'_>, now: Time) -> rusqlite::Result<()> {
    let oldest: Option<Vec<u8>> = step
        .query_row("SELECT id FROM choices ORDER BY id DESC LIMIT 1 OFFSET ?1", [MOST], |row| row.get(0))
        .optional()?;
    if let Some(oldest) = oldest {
        step.execute("DELETE FROM choices WHERE id <= ?1", params![oldest])?;
    }
    // what is too old stands together at the beginning
    let since = now.as_micros().saturating_sub(LONGEST);
    let first_kept: Option<Vec<u8>> = step
        .query_row("SELECT id FROM choices WHERE at >= ?1 ORDER BY id LIMIT 1", [since], |row| row.get(0))
        .optional()?;
    if let Some(first_kept) = first_kept {
        step.execute("DELETE FROM choices WHERE id < ?1", params![first_kept])?;
    }
    Ok(())
}

/// The choices of a call; empty where there was none, or they are forgotten.
pub(super) fn read(reader: &Connection, id: CallId) -> rusqlite::Result<Vec<Choice>> {
    let mut select = reader.prepare_cached("SELECT choices FROM choices WHERE id = ?1")?;
    let text: Option<String> = select.query_row(params![id.as_bytes().as_slice()], |row| row.get(0)).optional()?;
    // one that another version wrote in another way is as good as forgotten
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}
