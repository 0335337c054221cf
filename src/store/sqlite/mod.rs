//! The ledger in one SQLite file: one thread writes, one connection reads beside it.

mod choices;
mod holds;
mod look;
mod prune;
mod row;
mod schema;
mod select;
mod spend;
mod spent;
mod sums;
mod totals;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, params, params_from_iter};

pub use look::Look;

use super::{By, Counting, Durable, Entry, Filter, Held, Hold, Lag, Ledger, LedgerError, Over, Span, Total, prefix};
use crate::config::Keep;
use crate::kit::CallId;
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

    /// What a file holds, without changing it, also while a gateway writes it. It must exist.
    pub fn look(path: &Path) -> Result<Look, LedgerError> {
        look::look(path)
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

    fn spent(&self, over: Over) -> Counting {
        let (tell, told) = tokio::sync::oneshot::channel();
        drop(self.queue.push(Work::Count(over, Some(tell))));
        Box::pin(async move { told.await.ok() })
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
        let list = |reader: &Connection| {
            let (sql, values) = select::select(reader, filter)?;
            reader.prepare_cached(&sql)?.query_map(params_from_iter(values), row::read)?.collect::<Result<_, _>>()
        };
        list(&self.reader()).map_err(schema::refused(&self.path))
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

    fn totals(&self, by: &[By], span: Span) -> Result<Vec<Total>, LedgerError> {
        totals::totals(&self.reader(), by, span).map_err(schema::refused(&self.path))
    }

    fn keep(&self, keep: Keep) {
        self.queue.keep(keep);
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
