//! A ledger that forgets with the process: for tests, and for those who want nothing on disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{By, Counting, Durable, Entry, Filter, Ledger, LedgerError, Span, Spent, Total, prefix};
use crate::config::Keep;
use crate::kit::{CallId, Time};

/// The most entries that are kept; the oldest leave first.
const CAPACITY: usize = 10_000;

/// Entries in memory, by id and so by age.
#[derive(Default)]
pub struct Memory {
    // a std mutex: it is held for one map operation and never across an await
    entries: Mutex<BTreeMap<CallId, Entry>>,
}

impl Memory {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<CallId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Memory {
    fn record(&self, entry: Entry) -> Durable {
        let mut entries = self.entries();
        entries.insert(entry.id, entry);
        if entries.len() > CAPACITY {
            entries.pop_first();
        }
        Box::pin(std::future::ready(()))
    }

    fn spent(&self, since: Time) -> Counting {
        let entries = self.entries();
        let priced = entries.values().filter(|entry| entry.at >= since);
        let spent = priced.filter_map(|entry| {
            Some(Spent {
                cost: entry.spend.cost?,
                client: entry.client.clone(),
                project: entry.context.project.clone(),
                session_id: entry.context.session_id.clone(),
                provider: entry.provider.clone(),
                account: entry.account.clone(),
                model: entry.model.clone(),
            })
        });
        Box::pin(std::future::ready(Some(spent.collect())))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
        let entries = self.entries();
        Ok(entries.values().rev().filter(|entry| filter.passes(entry)).take(filter.limit()).map(row).collect())
    }

    fn find(&self, prefix: &str) -> Result<Option<Entry>, LedgerError> {
        let Some(range) = prefix::range(prefix) else { return Ok(None) };
        let entries = self.entries();
        let mut found = entries.range(range);
        match (found.next(), found.count()) {
            (first, 0) => Ok(first.map(|(_, entry)| entry.clone())),
            (_, more) => Err(LedgerError::Ambiguous(more + 1, prefix.to_owned())),
        }
    }

    fn totals(&self, by: &[By], span: Span) -> Result<Vec<Total>, LedgerError> {
        let mut totals: BTreeMap<Vec<String>, Total> = BTreeMap::new();
        for entry in self.entries().values().filter(|entry| span.has(entry.at)) {
            let keys: Vec<String> = by.iter().map(|by| by.key(entry)).collect();
            let total = totals.entry(keys.clone()).or_insert_with(|| Total { keys, ..Total::default() });
            total.add(entry);
        }
        let mut totals: Vec<Total> = totals.into_values().collect();
        Total::sort(&mut totals);
        Ok(totals)
    }

    /// What is forgotten with the process is kept as long as there is room.
    fn keep(&self, _: Keep) {}

    fn flush(&self) {}
}

/// An entry as a list shows it.
fn row(entry: &Entry) -> Entry {
    Entry { choices: Vec::new(), ..entry.clone() }
}
