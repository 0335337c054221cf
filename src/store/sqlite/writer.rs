//! The one writer: a thread that commits whatever is queued in one transaction. A lone entry is written at once; where
//! several came together the last time, the thread gathers for a moment, since a commit costs as much as ten entries.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::super::{Entry, Hold, Lag, Over, Spent};
use super::choices::{self, Pruning};
use super::prune::Pruner;
use super::sums::{Sums, Times};
use super::{holds, row, spent};
use crate::config::Keep;
use crate::kit::CallId;

/// A commit that takes longer is said to lag.
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// Between two tries of a batch that the disk refused.
const RETRY: Duration = Duration::from_millis(250);
/// How long `flush` waits for a disk that refuses.
const FLUSH: Duration = Duration::from_secs(5);
/// How long a crowd is gathered.
const GATHER: Duration = Duration::from_micros(500);
/// So many entries in one commit are a crowd.
const CROWD: usize = 4;
/// Between two steps of pruning, so that it takes a part of one core at most.
const REST: Duration = Duration::from_millis(2);
/// Between two looks whether entries have been kept for long enough.
const LOOK: Duration = Duration::from_secs(10);
/// The most entries of one transaction, so that its first one does not wait for a long queue.
const BATCH: usize = 512;

/// What is yet to be written, between those who record and the thread that writes.
#[derive(Default)]
pub(super) struct Queue {
    // a std mutex: it is held for a push or a swap, never across an await or a disk access
    state: Mutex<State>,
    /// There is work, or the ledger closes.
    work: Condvar,
    /// Nothing is left to write.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    pending: Vec<Pending>,
    /// The batch in the thread's hands: how many entries, and when the first of them came.
    writing: Option<(usize, Instant)>,
    failure: Option<String>,
    asleep: bool,
    /// How many entries the last batch had.
    last: usize,
    keep: Option<Keep>,
    closing: bool,
}

/// What the thread is asked to do, in the order in which it is asked.
pub(super) enum Work {
    /// Write an entry.
    Entry(Box<Entry>),
    /// Write an entry and take out its hold.
    Settle(Box<Entry>),
    /// Write what a call may cost at most.
    Hold(CallId, Box<Hold>),
    /// Say what calls cost.
    Count(Over, Option<oneshot::Sender<Vec<Spent>>>),
}

struct Pending {
    work: Work,
    came: Instant,
    /// Taken once told: a batch that is tried again keeps nobody waiting.
    done: Option<oneshot::Sender<bool>>,
}

impl Pending {
    /// The entry that it writes, where it writes one.
    const fn entry(&self) -> Option<&Entry> {
        match &self.work {
            Work::Entry(entry) | Work::Settle(entry) => Some(entry),
            Work::Hold(..) | Work::Count(..) => None,
        }
    }
}

impl Queue {
    /// Queues work; the receiver hears of its commit, or of the first failure to commit it.
    pub(super) fn push(&self, work: Work) -> oneshot::Receiver<bool> {
        let (done, told) = oneshot::channel();
        let mut state = self.state();
        state.pending.push(Pending { work, came: Instant::now(), done: Some(done) });
        // waking a thread costs a system call; one that is at work looks at the queue again by itself
        if state.asleep {
            self.work.notify_one();
        }
        told
    }

    /// How far the writing is behind.
    pub(super) fn lag(&self) -> Option<Lag> {
        let state = self.state();
        let (writing, since) = state.writing.map_or((0, None), |(count, since)| (count, Some(since)));
        let oldest = since.or_else(|| state.pending.first().map(|pending| pending.came))?;
        let lag = Lag { queued: writing + state.pending.len(), behind: oldest.elapsed(), why: state.failure.clone() };
        (lag.why.is_some() || lag.behind > SLOW).then_some(lag)
    }

    /// Waits until nothing is left to write, or the disk has refused for too long.
    pub(super) fn flush(&self) {
        let busy = |state: &mut State| state.writing.is_some() || !state.pending.is_empty();
        let (state, late) =
            self.idle.wait_timeout_while(self.state(), FLUSH, busy).unwrap_or_else(PoisonError::into_inner);
        if late.timed_out() {
            tracing::error!(entries = state.pending.len(), "the ledger could not be written in time");
        }
    }

    /// For how long entries are kept.
    pub(super) fn keep(&self, keep: Keep) {
        self.state().keep = Some(keep);
    }

    /// Lets the thread end once it has written what is queued.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is queued to a batch, waiting while there is nothing to write; with other work to do only for a moment,
    /// after which the batch may be empty. `false` when all is written and the ledger closes.
    fn fill(&self, batch: &mut Vec<Pending>, other_work: bool) -> bool {
        let mut state = self.state();
        if batch.is_empty() && state.pending.is_empty() {
            state.writing = None;
            self.idle.notify_all();
        }
        while batch.is_empty() && state.pending.is_empty() {
            if state.closing {
                return false;
            }
            state.asleep = true;
            if other_work {
                state = self.work.wait_timeout(state, REST).unwrap_or_else(PoisonError::into_inner).0;
                state.asleep = false;
                break;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep = false;
        }
        if batch.is_empty() && !state.pending.is_empty() && state.last >= CROWD {
            // nobody wakes it: whoever comes meanwhile pays for no system call
            let more = |state: &mut State| state.pending.len() < BATCH && !state.closing;
            state = self.work.wait_timeout_while(state, GATHER, more).unwrap_or_else(PoisonError::into_inner).0;
        }
        if batch.is_empty() && state.pending.len() <= BATCH {
            std::mem::swap(batch, &mut state.pending);
        } else {
            let room = BATCH.saturating_sub(batch.len()).min(state.pending.len());
            batch.extend(state.pending.drain(..room));
        }
        state.last = batch.len();
        state.writing = batch.first().map(|first| (batch.len(), first.came));
        true
    }

    /// Notes how a commit went, before anybody is told of it: whoever is told may ask for the lag at once.
    fn note(&self, result: &rusqlite::Result<()>) {
        let mut state = self.state();
        state.failure = result.as_ref().err().map(ToString::to_string);
        if result.is_ok() {
            state.writing = None;
        }
    }

    /// Pauses before the next try, not longer than until the ledger closes.
    fn pause(&self) {
        drop(self.work.wait_timeout_while(self.state(), RETRY, |state| !state.closing));
    }
}

/// The thread's work until the queue closes.
pub(super) fn run(queue: &Arc<Queue>, mut connection: Connection) {
    let mut batch = Vec::new();
    let mut failing = false;
    let mut pruning = Pruning::default();
    let (mut pruner, mut looked) = (Pruner::default(), Instant::now());
    while queue.fill(&mut batch, pruner.is_due()) {
        let (began, last_try) = (Instant::now(), queue.state().closing);
        let result = if batch.is_empty() { Ok(()) } else { commit(&mut connection, &mut batch, &mut pruning) };
        queue.note(&result);
        for pending in &mut batch {
            // whoever does not wait any more has dropped the receiver
            pending.done.take().map(|done| done.send(result.is_ok()));
        }
        match result {
            Ok(()) => {
                if failing || began.elapsed() > SLOW {
                    let behind = batch.first().map(|first| first.came.elapsed()).unwrap_or_default();
                    tracing::warn!(entries = batch.len(), "the ledger is written again after {behind:?}");
                }
                failing = false;
                batch.iter().filter_map(Pending::entry).for_each(|entry| pruner.recorded(entry.at));
                if looked.elapsed() > LOOK {
                    looked = Instant::now();
                    pruner.wake();
                }
                if pruner.is_due() {
                    prune(queue, &mut pruner, &mut connection, batch.len());
                }
                batch.clear();
            }
            Err(error) => {
                if !failing {
                    tracing::error!("the ledger cannot be written, answers go out all the same: {error}");
                }
                failing = true;
                if last_try {
                    tracing::error!(entries = batch.len(), "the ledger closes without its last entries: {error}");
                    return;
                }
                queue.pause();
            }
        }
    }
}

/// Where it fails nothing is lost: the next look tries again.
fn prune(queue: &Queue, pruner: &mut Pruner, connection: &mut Connection, written: usize) {
    let Some(keep) = queue.state().keep else { return pruner.rest() };
    if let Err(error) = pruner.step(connection, keep, written) {
        pruner.rest();
        tracing::warn!("old entries could not be taken out of the ledger: {error}");
    }
}

fn commit(connection: &mut Connection, batch: &mut [Pending], pruning: &mut Pruning) -> rusqlite::Result<()> {
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut replaced, mut counted) = (Vec::new(), Vec::new());
    let mut summed = 0;
    // in their order: a count holds the entries before it, and none behind it
    for (at, pending) in batch.iter().enumerate() {
        match &pending.work {
            Work::Entry(entry) => replaced.extend(row::put(&step, entry)?),
            Work::Settle(entry) => {
                replaced.extend(row::put(&step, entry)?);
                holds::remove(&step, entry.id)?;
            }
            Work::Hold(id, hold) => holds::write(&step, *id, hold)?,
            Work::Count(over, _) => {
                sum_up(&step, &batch[summed..at], &std::mem::take(&mut replaced))?;
                summed = at;
                counted.push((at, spent::spent(&step, *over)?));
            }
        }
    }
    sum_up(&step, &batch[summed..], &replaced)?;
    for entry in batch.iter().filter_map(Pending::entry) {
        choices::write(&step, entry, pruning)?;
    }
    step.commit()?;
    for (at, spent) in counted {
        if let Work::Count(_, tell) = &mut batch[at].work {
            // whoever does not wait any more has dropped the receiver
            tell.take().map(|tell| tell.send(spent));
        }
    }
    Ok(())
}

/// Adds what was written to the sums by the hour, and takes away what it replaced.
fn sum_up(step: &Transaction<'_>, written: &[Pending], replaced: &[Entry]) -> rusqlite::Result<()> {
    let mut sums = Sums::default();
    written.iter().filter_map(Pending::entry).for_each(|entry| sums.count(entry, Times::Added));
    replaced.iter().for_each(|entry| sums.count(entry, Times::TakenAway));
    sums.write(step)
}
