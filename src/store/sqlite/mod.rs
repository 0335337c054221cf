//! The ledger in one SQLite file: one thread writes, one connection reads beside it.

mod choices;
mod holds;
mod row;
mod schema;
mod spend;
mod totals;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::{By, Counting, Durable, Entry, Filter, Held, Hold, Lag, Ledger, LedgerError, Total, prefix};
use crate::kit::{CallId, Time};
use writer::{Queue, Work};

/// A ledger in a file. Dropping it writes what is queued and ends the writer.
pub struct Sqlite {
    path: PathBuf,
    queue: Arc<Queue>,
    // a std mutex: reads are blocking anyway, and people ask for them one at a time
    reader: Mutex<Connection>,
    writer: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens the file, making it 0600 or bringing it to today's schema where needed. Its folder must exist.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let connection = schema::writer(path)?;
        let reader = Mutex::new(schema::reader(path)?);
        let queue = Arc::new(Queue::default());
        let writer = std::thread::Builder::new().name("ledger".to_owned()).spawn({
            let queue = queue.clone();
            move || writer::run(&queue, connection)
        });
        let writer = writer
            .map_err(|error| LedgerError::Database(path.to_owned(), error.to_string(), "raise the limit of threads"))?;
        Ok(Self { path: path.to_owned(), queue, reader, writer: Some(writer) })
    }

    fn write(&self, work: Work) -> Durable {
        let told = self.queue.push(work);
        // either way the answer goes out: `lag` says when the entry is not yet written
        Box::pin(async move { drop(tokio::time::timeout(writer::SLOW, told).await) })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Sqlite {
    fn record(&self, entry: Entry) -> Durable {
        self.write(Work::Entry(Box::new(entry)))
    }

    fn hold(&self, id: CallId, hold: Hold) -> Held {
        let told = self.queue.push(Work::Hold(id, Box::new(hold)));
        Box::pin(async move { matches!(tokio::time::timeout(writer::SLOW, told).await, Ok(Ok(true))) })
    }

    fn settle(&self, entry: Entry) -> Durable {
        self.write(Work::Settle(Box::new(entry)))
    }

    fn holds(&self) -> Result<Vec<(CallId, Hold)>, LedgerError> {
        holds::all(&self.reader()).map_err(schema::refused(&self.path))
    }

    fn spent(&self, since: Time) -> Counting {
        let (tell, told) = tokio::sync::oneshot::channel();
        drop(self.queue.push(Work::Count(since, Some(tell))));
        Box::pin(async move { told.await.ok() })
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
        let (sql, values) = select(filter);
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&sql).map_err(schema::refused(&self.path))?;
        let rows = statement.query_map(params_from_iter(values), row::read).map_err(schema::refused(&self.path))?;
        rows.collect::<Result<_, _>>().map_err(schema::refused(&self.path))
    }

    fn find(&self, prefix: &str) -> Result<Option<Entry>, LedgerError> {
        let Some(range) = prefix::range(prefix) else { return Ok(None) };
        let bounds = params![range.start().as_bytes().as_slice(), range.end().as_bytes().as_slice()];
        let sql = format!("SELECT {} FROM calls WHERE id BETWEEN ?1 AND ?2 LIMIT 2", row::COLUMNS);
        let find = |reader: &Connection| {
            let mut found: Vec<Entry> =
                reader.prepare_cached(&sql)?.query_map(bounds, row::read)?.collect::<Result<_, _>>()?;
            let count: i64 = match found.len() {
                0 | 1 => 1,
                _ => reader
                    .query_row("SELECT count(*) FROM calls WHERE id BETWEEN ?1 AND ?2", bounds, |row| row.get(0))?,
            };
            let mut found = found.pop();
            if let Some(entry) = &mut found {
                entry.choices = choices::read(reader, entry.id)?;
            }
            Ok((found, usize::try_from(count).unwrap_or(usize::MAX)))
        };
        match find(&self.reader()).map_err(schema::refused(&self.path))? {
            (found, 1) => Ok(found),
            (_, several) => Err(LedgerError::Ambiguous(several, prefix.to_owned())),
        }
    }

    fn totals(&self, by: By, since: Option<Time>) -> Result<Vec<Total>, LedgerError> {
        totals::totals(&self.reader(), by, since).map_err(schema::refused(&self.path))
    }

    fn flush(&self) {
        self.queue.flush();
    }

    fn lag(&self) -> Option<Lag> {
        self.queue.lag()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // a writer that panicked has said so on stderr
            drop(writer.join());
        }
    }
}

/// The query for a filter, and its values.
fn select(filter: &Filter) -> (String, Vec<Value>) {
    let mut sql = format!("SELECT {} FROM calls WHERE 1", row::COLUMNS);
    let mut values = Vec::new();
    if let Some(since) = filter.since {
        sql.push_str(" AND at >= ?");
        values.push(Value::from(since.as_micros()));
    }
    if let Some(client) = &filter.client {
        sql.push_str(" AND client = ?");
        values.push(Value::from(client.clone()));
    }
    if let Some(account) = &filter.account {
        sql.push_str(" AND account = ?");
        values.push(Value::from(account.clone()));
    }
    if let Some(parent) = filter.parent {
        sql.push_str(" AND parent_id = ?");
        values.push(Value::from(parent.as_bytes().to_vec()));
    }
    if filter.failed {
        sql.push_str(" AND outcome <> 'completed'");
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(Value::from(i64::try_from(filter.limit()).unwrap_or(i64::MAX)));
    (sql, values)
}
