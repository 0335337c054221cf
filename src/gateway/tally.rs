//! Counts the tokens of answers that did not say how many they were, beside the calls and after them.
//!
//! Usage nearly always comes, so all that a call pays is its own body kept alive, up to a bound, and the text of its
//! answer. A call without usage is recorded at once with a guess by its length, so that neither a budget nor a crash finds
//! nothing; one thread then counts, and records it again. The thread ends when it was idle for a while, and the
//! vocabulary's memory with it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::books::close;
use super::budgets::Budgets;
use super::purse::Purse;
use super::till::{Asked, Till};
use crate::accounts::Bill;
use crate::kit::Usage;
use crate::store::{Entry, Ledger};
use crate::wire::tokens::{Unsaid, Vocabulary};
use crate::wire::usage::{Report, Split};
use crate::wire::{Call, Json, Payload};

/// How much of requests and answers may be kept for counting, in all.
const MOST_HELD: usize = 64 << 20;
/// A larger body is mostly pictures, and its length says nothing of them either way.
const LARGEST: usize = 8 << 20;
/// How long the vocabulary is kept for the next call.
const IDLE: Duration = Duration::from_secs(300);
/// How long the end of the process waits for what is left to count.
const SETTLE: Duration = Duration::from_secs(3);

/// Where calls go whose answer did not say what it consumed.
pub(super) struct Tally(Arc<Desk>);

/// A request body that is kept for its count.
pub(super) struct Held {
    body: Bytes,
    desk: Arc<Desk>,
}

/// A recorded call whose tokens are yet to be counted.
pub(super) struct Uncounted {
    pub(super) entry: Entry,
    /// What the answer did say.
    pub(super) report: Report,
    pub(super) unsaid: Unsaid,
    pub(super) request: Option<Held>,
    /// Where the guess was charged.
    pub(super) bill: Option<Bill>,
    /// What is set aside of budgets until the count is known.
    pub(super) purse: Purse,
}

struct Desk {
    ledger: Arc<dyn Ledger>,
    till: Arc<Till>,
    budgets: Arc<Budgets>,
    held: AtomicUsize,
    // a std mutex: it is held for a push or a pop, never while something is counted
    queue: Mutex<Queue>,
    work: Condvar,
    idle: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Uncounted>,
    /// Whether the thread runs, and whether it has something in its hands.
    running: bool,
    counting: bool,
}

impl Tally {
    pub(super) fn new(ledger: Arc<dyn Ledger>, till: Arc<Till>, budgets: Arc<Budgets>) -> Self {
        let held = AtomicUsize::new(0);
        Self(Arc::new(Desk {
            ledger,
            till,
            budgets,
            held,
            queue: Mutex::default(),
            work: Condvar::new(),
            idle: Condvar::new(),
        }))
    }

    /// Keeps the body of a call, as long as there is room.
    pub(super) fn hold(&self, call: &Call) -> Option<Held> {
        let Payload::Json(json) = &call.payload else { return None };
        let size = json.bytes().len();
        if !Unsaid::countable(&call.endpoint) || size > LARGEST {
            return None;
        }
        // dropped again, where there is no room
        let held = Held { body: json.bytes().clone(), desk: Arc::clone(&self.0) };
        (self.0.held.fetch_add(size, Ordering::AcqRel) + size <= MOST_HELD).then_some(held)
    }

    /// Counts a call in its turn. Where too much waits, the guess stays.
    pub(super) fn count(&self, job: Uncounted) {
        let mut queue = self.0.queue();
        let waiting: usize = queue.jobs.len() * (64 << 10);
        if waiting + self.0.held.load(Ordering::Acquire) > 2 * MOST_HELD {
            tracing::warn!(call = %job.entry.id, "too many calls without usage: the tokens of this one are guessed");
            drop(queue);
            self.0.close(job.entry, job.purse);
            return;
        }
        queue.jobs.push_back(job);
        if queue.running {
            self.0.work.notify_one();
            return;
        }
        let desk = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("tokens".to_owned());
        queue.running = thread.spawn(move || Running(desk).run()).is_ok();
    }

    /// Waits until all is counted, at most a few seconds. Blocking.
    pub(super) fn settle(&self) {
        let busy = |queue: &mut Queue| queue.running && (queue.counting || !queue.jobs.is_empty());
        drop(self.0.idle.wait_timeout_while(self.0.queue(), SETTLE, busy));
    }
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call; `None` when none came for long.
    fn next(&self) -> Option<Uncounted> {
        let mut queue = self.queue();
        queue.counting = false;
        if queue.jobs.is_empty() {
            self.idle.notify_all();
        }
        let none = |queue: &mut Queue| queue.jobs.is_empty();
        let (mut queue, _) = self.work.wait_timeout_while(queue, IDLE, none).unwrap_or_else(PoisonError::into_inner);
        let job = queue.jobs.pop_front();
        queue.counting = job.is_some();
        // said under the same lock: whoever comes next starts another thread
        queue.running = job.is_some();
        job
    }

    fn count(&self, job: Uncounted, words: &Vocabulary) {
        let Uncounted { mut entry, report, unsaid, request, bill, purse } = job;
        let body = request.as_ref().and_then(|held| Json::parse(held.body.clone()).ok());
        let usage = unsaid.count(body.as_ref(), words);
        if let Some(bill) = bill {
            bill.correct(report.usage.as_ref().map_or(0, Usage::total), usage.total());
        }
        let (provider, model) = (entry.provider.clone(), entry.model.clone());
        let asked = Asked {
            provider: provider.as_deref().unwrap_or_default(),
            model: model.as_deref().unwrap_or_default(),
            at: entry.at,
        };
        entry.spend = self.till.settle(&asked, Report { usage: Some(usage), split: Split::Counted, ..report });
        purse.charge(&mut entry.spend);
        self.close(entry, purse);
    }

    fn close(&self, entry: Entry, mut purse: Purse) {
        drop(close(&*self.ledger, &self.budgets, entry, &mut purse));
    }
}

/// The thread. However it ends, the next call finds that it has.
struct Running(Arc<Desk>);

impl Running {
    fn run(self) {
        let Some(words) = Vocabulary::load() else { return };
        while let Some(job) = self.0.next() {
            self.0.count(job, &words);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.queue();
            (queue.running, queue.counting) = (false, false);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.desk.held.fetch_sub(self.body.len(), Ordering::AcqRel);
    }
}
