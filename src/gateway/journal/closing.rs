//! How a call's record is closed: what its answer consumed, what that costs, and where that is told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::gauge::Gauge;
use super::super::tally::Uncounted;
use super::super::till::Asked;
use super::{Journal, Overhead};
use crate::kit::Usage;
use crate::store::{Durable, Entry, Outcome, Spend};
use crate::telemetry::overhead;
use crate::wire::tokens::Unsaid;
use crate::wire::usage::{Report, Split};

impl Journal {
    /// What the answer said of itself; where it did not tell its tokens, a guess, and what is left to count.
    fn report(&mut self, entry: &Entry) -> (Report, Option<Unsaid>) {
        let gauge = std::mem::replace(&mut self.gauge, Gauge::Blind);
        if let (Some(told), Some(whole)) = (&mut self.told, gauge.whole()) {
            told.answer(&whole);
        }
        let mut report = gauge.report();
        if report.usage.is_some() || !self.consumed(entry) {
            return (report, None);
        }
        let answer = gauge.heard(&self.endpoint);
        let unsaid = Unsaid { endpoint: self.endpoint.clone(), size: entry.bytes_in, answer };
        (report.usage, report.split) = (Some(unsaid.guess()), Split::Counted);
        (report, Some(unsaid))
    }

    /// Whether a provider has worked on a text for this call: the input was read, however little of an answer came.
    fn consumed(&self, entry: &Entry) -> bool {
        let asked =
            entry.attempts.last().is_some_and(|last| last.fault.is_none() && last.status.is_none_or(|s| s < 300));
        let broke_off = entry.outcome == Outcome::Broken;
        (asked || broke_off) && entry.outcome != Outcome::Failed && self.metered
    }

    /// What that costs.
    fn spend(&self, entry: &Entry, report: Report) -> Spend {
        let (provider, model) = (entry.provider.as_deref(), entry.model.as_deref());
        let asked = Asked { provider: provider.unwrap_or_default(), model: model.unwrap_or_default(), at: entry.at };
        self.books.till.settle(&asked, report)
    }

    /// How many tokens the call took in both directions, as its answer said; known once it is recorded.
    pub(in crate::gateway) const fn tokens(&self) -> Option<u64> {
        self.tokens
    }

    /// Records the call. Resolves when the record is durable; queued even if nobody waits.
    pub(in crate::gateway) fn finish(&mut self, outcome: Outcome, status: u16) -> Durable {
        let total_us = self.elapsed_us();
        self.waited();
        match self.entry.take() {
            None => Box::pin(std::future::ready(())),
            Some(mut entry) => {
                self.books.in_flight.fetch_sub(1, Ordering::AcqRel);
                entry.outcome = outcome;
                entry.status = status;
                entry.total_us = total_us;
                let (report, unsaid) = self.report(&entry);
                let uncounted = unsaid.map(|unsaid| (unsaid, report.clone()));
                entry.spend = self.spend(&entry, report);
                self.tokens = entry.spend.usage.as_ref().map(Usage::total);
                // a call that failed took no tokens; one whose answer did not say keeps its estimate
                let tokens = if outcome == Outcome::Failed { Some(0) } else { self.tokens };
                if let (Some(guest), Some(tokens)) = (&mut self.guest, tokens) {
                    guest.used(tokens);
                }
                self.purse.charge(&mut entry.spend);
                if let Some(tap) = self.tap.take() {
                    tap.ends(&entry);
                }
                self.overhead = overhead_of(&entry);
                self.books.telemetry.ended(&entry, self.trace.as_ref(), self.told.take(), &self.gaps);
                match uncounted {
                    None => self.books.close(entry, &mut self.purse),
                    Some((unsaid, report)) => self.record_and_count(entry, report, unsaid),
                }
            }
        }
    }

    /// The answer's last bytes leave, which were held back for so long: what the gateway itself took is counted.
    pub(in crate::gateway) fn released(&mut self, held: Duration) {
        if let Some(Overhead { provider, before_us }) = self.overhead.take() {
            self.books.telemetry.meters.overhead(&provider, before_us.saturating_add(super::micros(held)));
        }
    }

    /// Records the guess at once, and leaves the count to the tally.
    fn record_and_count(&mut self, entry: Entry, report: Report, unsaid: Unsaid) -> Durable {
        let durable = self.books.ledger.record(entry.clone());
        let bill = self.bill.take().map(|bill| bill.of(self.guest.as_ref()));
        // what is set aside stays so until the count is known
        let (request, purse) = (self.request.take(), std::mem::take(&mut self.purse));
        self.books.tally.count(Uncounted { entry, report, unsaid, request, bill, purse });
        durable
    }
}

fn overhead_of(entry: &Entry) -> Option<Overhead> {
    Some(Overhead { provider: entry.provider.clone()?, before_us: overhead(entry)? })
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.entry.is_some() {
            drop(self.finish(Outcome::Left, 499));
        }
        self.released(Duration::ZERO);
    }
}
