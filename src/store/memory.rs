//! A ledger that forgets with the process: for tests, and for those who want nothing on disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{By, Counting, Durable, Entry, Filter, Ledger, LedgerError, Over, Span, Spent, Total, prefix};
use crate::config::Keep;
use crate::kit::{CallId, Money, Time};

/// The most entries that are kept; the oldest leave first.
const CAPACITY: usize = 10_000;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Whose calls: client, project, session, provider, account, model.
type Names = [Option<String>; 6];

/// Entries in memory, by id and so by age.
#[derive(Default)]
pub struct Memory {
    // a std mutex: it is held for one map operation and never across an await
    entries: Mutex<BTreeMap<CallId, Entry>>,
    /// What those cost that have left, by the hour in which they came. Taken while `entries` is held, never the other way.
    gone: Mutex<BTreeMap<(Time, Names), Money>>,
}

impl Memory {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<CallId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> MutexGuard<'_, BTreeMap<(Time, Names), Money>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Memory {
    fn record(&self, entry: Entry) -> Durable {
        let mut entries = self.entries();
        entries.insert(entry.id, entry);
        if entries.len() > CAPACITY
            && let Some((_, entry)) = entries.pop_first()
            && let Some(cost) = entry.spend.cost
        {
            let hour = Time::from_micros(entry.at.as_micros().div_euclid(HOUR) * HOUR);
            let mut gone = self.gone();
            let sum = gone.entry((hour, names(&entry))).or_default();
            *sum = sum.saturating_add(cost);
        }
        Box::pin(std::future::ready(()))
    }

    fn spent(&self, over: Over) -> Counting {
        let entries = self.entries();
        let here = entries.values().filter_map(|entry| Some((entry.at, names(entry), entry.spend.cost?)));
        let gone = self.gone();
        let left = gone.iter().map(|((hour, names), cost)| (*hour, names.clone(), *cost));
        let wanted = |at: Time| !matches!(over, Over::Since(Some(since)) if at < since);
        let all = here.chain(left).filter(|(at, ..)| wanted(*at));
        let spent = all.map(|(last, [client, project, session, provider, account, model], cost)| {
            let session_id = session.filter(|_| over == Over::Sessions);
            Spent { client: client.unwrap_or_default(), project, session_id, provider, account, model, cost, last }
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

fn names(entry: &Entry) -> Names {
    let Entry { client, context, provider, account, model, .. } = entry;
    let (project, session) = (context.project.clone(), context.session_id.clone());
    [Some(client.clone()), project, session, provider.clone(), account.clone(), model.clone()]
}
