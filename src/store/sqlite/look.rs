//! What a ledger's file holds, for those who look after it.

use std::path::Path;

use rusqlite::Connection;

use super::schema;
use crate::kit::Time;
use crate::store::LedgerError;

/// The state of a ledger's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The schema it is written in.
    pub schema: i64,
    /// The schema that this version writes.
    pub known: i64,
    /// Bytes of the database and of its log.
    pub bytes: u64,
    /// Bytes of those that are free for new entries.
    pub free: u64,
    /// How many calls were ever recorded; entries that have left are among them.
    pub calls: u64,
    /// When the oldest call came whose entry is kept.
    pub oldest: Option<Time>,
    /// When the newest came.
    pub newest: Option<Time>,
}

pub(super) fn look(path: &Path) -> Result<Look, LedgerError> {
    let connection = schema::reader(path)?;
    read(&connection, path).map_err(schema::refused(path))
}

fn read(connection: &Connection, path: &Path) -> rusqlite::Result<Look> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let at = |order: &str| {
        let mut select = connection.prepare(&format!("SELECT at FROM calls ORDER BY id {order} LIMIT 1"))?;
        let mut rows = select.query([])?;
        rows.next()?.map(|row| row.get(0).map(Time::from_micros)).transpose()
    };
    let (schema, known) = (pragma("user_version")?, schema::known());
    let calls = match schema == known {
        true => connection.query_row("SELECT coalesce(sum(calls), 0) FROM sums", [], |row| row.get(0))?,
        false => connection.query_row("SELECT count(*) FROM calls", [], |row| row.get(0))?,
    };
    let log = Path::new(&format!("{}-wal", path.display())).metadata().map_or(0, |log| log.len());
    let size = |pages: i64, each: i64| super::row::unsigned(pages.saturating_mul(each));
    let page = pragma("page_size")?;
    Ok(Look {
        schema,
        known,
        bytes: size(pragma("page_count")?, page) + log,
        free: size(pragma("freelist_count")?, page),
        calls: super::row::unsigned(calls),
        oldest: at("ASC")?,
        newest: at("DESC")?,
    })
}
