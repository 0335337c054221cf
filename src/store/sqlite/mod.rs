//! The ledger in one SQLite file: one thread writes, one connection reads beside it. What is yet to be written stands in a
//! spool.

mod choices;
mod frame;
mod holds;
mod look;
mod prune;
mod queue;
mod row;
mod schema;
mod select;
mod spend;
mod spent;
mod spool;
mod spools;
mod sums;
mod totals;
mod writer;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, params, params_from_iter};

pub use look::Look;

use super::{By, Counting, Durable, Entry, Filter, Held, Hold, Lag, Ledger, LedgerError, Over, Span, Total, prefix};
use crate::config::Keep;
use crate::kit::CallId;
use frame::Work;
use queue::Queue;
use spool::Spool;

/// A ledger in a file. Dropping it writes what is queued and ends the writer.
pub struct Sqlite {
    path: PathBuf,
    queue: Arc<Queue>,
    // a std mutex: reads are blocking anyway, and people ask for them one at a time
    reader: Mutex<Connection>,
    writer: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens the file, making it 0600 or bringing it to today's schema where needed. Its folder must exist. Entries are
    /// durable as soon as they stand in its spool, beside it; what a process that was killed left there is written now.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::start(path, Some(Spool::of(path)))
    }

    /// The same without a spool, as where none can be made: entries are durable once they are committed.
    pub fn without_spool(path: &Path) -> Result<Self, LedgerError> {
        Self::start(path, None)
    }

    fn start(path: &Path, spool: Option<Spool>) -> Result<Self, LedgerError> {
        let mut connection = schema::writer(path)?;
        spool::recover(path, &mut connection, writer::recover);
        let reader = Mutex::new(schema::reader(path)?);
        let queue = Arc::new(Queue::of(spool));
        let writer = std::thread::Builder::new().name("ledger".to_owned()).spawn({
            let queue = queue.clone();
            move || writer::run(&queue, connection)
        });
        let writer = writer
            .map_err(|error| LedgerError::Database(path.to_owned(), error.to_string(), "raise the limit of threads"))?;
        Ok(Self { path: path.to_owned(), queue, reader, writer: Some(writer) })
    }

    fn write(&self, work: &Work<'_>) -> Durable {
        let queued = self.queue.push(work);
        // either way the answer goes out: `lag` says when the entry is not yet written
        Box::pin(async move {
            queued.safe().await;
        })
    }

    /// What a file holds, without changing it, also while a gateway writes it. It must exist.
    pub fn look(path: &Path) -> Result<Look, LedgerError> {
        look::look(path)
    }

    /// The connection that reads, once all that was queued is there to be read, as far as the disk allows.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.queue.catch_up();
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Sqlite {
    fn record(&self, entry: Entry) -> Durable {
        self.write(&Work::Entry(Cow::Owned(entry)))
    }

    fn hold(&self, id: CallId, hold: Hold) -> Held {
        let queued = self.queue.push(&Work::Hold(id, Cow::Owned(hold)));
        Box::pin(queued.safe())
    }

    fn settle(&self, entry: Entry) -> Durable {
        self.write(&Work::Settle(Cow::Owned(entry)))
    }

    fn holds(&self) -> Result<Vec<(CallId, Hold)>, LedgerError> {
        holds::all(&self.reader()).map_err(schema::refused(&self.path))
    }

    fn spent(&self, over: Over) -> Counting {
        let told = self.queue.count(over);
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
