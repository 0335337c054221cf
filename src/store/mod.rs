//! What must outlive the process: one entry per call with its attempts and decisions.

pub mod entry;

use std::future::Future;
use std::pin::Pin;

pub use entry::{Attempt, Context, Decision, Entry, Filter, Outcome};

/// Why the ledger could not be read or opened; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database refused.
    #[error("the ledger at {0} cannot be used: {1}; if another program holds it, close that program")]
    Database(String, String),
    /// No entry, or several, begin with these characters.
    #[error("{0} call ids begin with {1:?}; give more of the id")]
    Ambiguous(usize, String),
}

/// Resolves when the entry is durable, or when the ledger has given up on it and said so.
pub type Durable = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// The durable record of calls. One contract suite runs against every implementation.
pub trait Ledger: Send + Sync {
    /// Queues an entry at once, whether or not the answer is awaited; never blocks and never fails towards the caller.
    /// An entry of the same id replaces the earlier one.
    fn record(&self, entry: Entry) -> Durable;

    /// Entries that pass the filter, newest first. Blocking: call it off the async threads.
    fn list(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError>;

    /// The one entry whose id begins with `prefix`; `None` when there is none. Blocking.
    fn find(&self, prefix: &str) -> Result<Option<Entry>, LedgerError>;

    /// Waits until all that was queued is durable. Blocking; called before the process ends.
    fn flush(&self);
}
