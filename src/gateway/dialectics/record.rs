//! The ledger entry of the call that legs belong to. What the legs cost stands in their own entries, so this one costs
//! nothing itself: sums over the ledger count every leg once, and whoever shows this call adds its legs up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::gateway::books::Books;
use crate::gateway::journal::Journal;
use crate::kit::Money;
use crate::store::{Decision, Durable, Entry, Outcome, Spend};
use crate::wire::Call;

/// The record of one dialectic. Dropped unfinished, the client has left.
pub(super) struct Record {
    entry: Option<Entry>,
    started: Instant,
    books: Arc<Books>,
}

impl Record {
    /// Begins with the call's arrival.
    pub(super) fn open(call: &Call, name: &str, books: Arc<Books>) -> Self {
        // between two rounds no leg is under way, and a gateway that stops must wait for the next
        books.in_flight.fetch_add(1, Ordering::AcqRel);
        let mut entry = Journal::arrived(call);
        entry.provider = Some(super::PROVIDER.to_owned());
        entry.model = Some(name.to_owned());
        entry.spend = Spend { cost: Some(Money::ZERO), ..Spend::default() };
        Self { entry: Some(entry), started: Instant::now(), books }
    }

    /// Notes what became of a leg that did not answer.
    pub(super) fn absent(&mut self, model: &str, verdict: String) {
        if let Some(entry) = &mut self.entry {
            entry.decisions.push(Decision { route: model.to_owned(), account: String::new(), verdict });
        }
    }

    /// Counts bytes that are handed to the client.
    pub(super) fn sent(&mut self, bytes: usize) {
        let now = self.elapsed_us();
        if let Some(entry) = &mut self.entry {
            entry.first_byte_us.get_or_insert(now);
            entry.bytes_out += bytes as u64;
        }
    }

    /// Records the call. Resolves when the record is durable; queued even if nobody waits.
    pub(super) fn finish(&mut self, outcome: Outcome, status: u16) -> Durable {
        let total_us = self.elapsed_us();
        let Some(mut entry) = self.entry.take() else { return Box::pin(std::future::ready(())) };
        self.books.in_flight.fetch_sub(1, Ordering::AcqRel);
        (entry.outcome, entry.status, entry.total_us) = (outcome, status, total_us);
        self.books.ledger.record(entry)
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.entry.is_some() {
            drop(self.finish(Outcome::Left, 499));
        }
    }
}
