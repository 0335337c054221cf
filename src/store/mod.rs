//! What must outlive the process: one entry per call with its attempts and decisions.

pub mod choice;
pub mod entry;
pub mod filter;
pub mod hold;
pub mod memory;
mod prefix;
mod spend;
pub mod sqlite;
mod total;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use crate::config::Keep;
use crate::kit::CallId;

pub use choice::Choice;
pub use entry::{Attempt, Context, Decision, Entry, Outcome};
pub use filter::{Filter, Span};
pub use hold::{Hold, Over, Spent};
pub use memory::Memory;
pub use spend::Spend;
pub use sqlite::{Look, Sqlite};
pub use total::{By, Total};

/// Why the ledger could not be read or opened; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database refused: its path, its words, and what to do.
    #[error("the ledger at {0} cannot be used: {1}; {2}")]
    Database(PathBuf, String, &'static str),
    /// The file was written by a later version: its path, its schema, the newest schema known here.
    #[error("the ledger at {0} was written by a newer keywheel (schema {1}, this one knows {2}); use that version")]
    Newer(PathBuf, i64, i64),
    /// Its file or folder is not private, or cannot be made.
    #[error("the ledger cannot be opened: {0}")]
    File(#[from] crate::kit::file::FileError),
    /// Several entries begin with these characters.
    #[error("{0} call ids begin with {1:?}; give more of the id")]
    Ambiguous(usize, String),
}

/// Resolves when the entry is durable, or when the ledger has given up waiting for it and says so in `lag`. Await it
/// inside a tokio runtime.
pub type Durable = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Resolves to whether a hold is durable; `false` when the ledger failed or took too long. Await it inside a tokio runtime.
pub type Held = Pin<Box<dyn Future<Output = bool> + Send + Sync>>;

/// Resolves to what was spent, or to nothing where the ledger closed before it could say.
pub type Counting = Pin<Box<dyn Future<Output = Option<Vec<Spent>>> + Send + Sync>>;

/// How far the ledger is behind. Nothing is lost: what is queued is tried again until it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// How many entries wait to be written.
    pub queued: usize,
    /// How long the oldest of them has waited.
    pub behind: Duration,
    /// The last failure in words; `None` when the disk is merely slow.
    pub why: Option<String>,
}

/// The durable record of calls. One contract suite runs against every implementation.
pub trait Ledger: Send + Sync {
    /// Queues an entry at once, whether or not the answer is awaited; never blocks and never fails towards the caller.
    /// An entry of the same id replaces the earlier one.
    fn record(&self, entry: Entry) -> Durable;

    /// Queues what a call may cost at most, to be durable before the call is sent; a later one of the same call replaces it.
    fn hold(&self, id: CallId, hold: Hold) -> Held {
        // for a ledger that forgets with the process
        let _ = (id, hold);
        Box::pin(std::future::ready(true))
    }

    /// As `record`, and takes out the call's hold in the same step.
    fn settle(&self, entry: Entry) -> Durable {
        self.record(entry)
    }

    /// Holds of calls whose entry never came, as an earlier process left them. Blocking.
    fn holds(&self) -> Result<Vec<(CallId, Hold)>, LedgerError> {
        Ok(Vec::new())
    }

    /// What calls cost, those included that have left by age or for room: exactly those that were queued before this was
    /// asked.
    fn spent(&self, over: Over) -> Counting;

    /// Entries that pass the filter, newest first. Blocking: call it off the async threads.
    fn list(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError>;

    /// The one entry whose id begins with `prefix`; `None` when there is none. Blocking.
    fn find(&self, prefix: &str) -> Result<Option<Entry>, LedgerError>;

    /// Sums by one or several keys over the calls that came in a span, the dearest first, then the most used. Blocking.
    fn totals(&self, by: &[By], span: Span) -> Result<Vec<Total>, LedgerError>;

    /// For how long entries are kept, from now on. Sums outlive their entries.
    fn keep(&self, keep: Keep);

    /// Waits until all that was queued can be read, at most a few seconds where the disk refuses. Blocking; called before
    /// the process ends.
    fn flush(&self);

    /// How far it is behind; `None` when all is well.
    fn lag(&self) -> Option<Lag> {
        None
    }
}
