//! The one writer: a thread that commits whatever is queued in one transaction.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::choices::{self, Pruning};
use super::frame::{self, Work};
use super::prune::Pruner;
use super::queue::{Batch, Queue};
use super::row::Rows;
use super::sums::{Sums, Times};
use super::{holds, spent, spools};
use crate::kit::{CallId, Time};
use crate::store::Spent;

/// A commit that takes longer is told of in the log.
const LONG: Duration = Duration::from_secs(1);
/// Between two tries of a batch that the disk refused.
const RETRY: Duration = Duration::from_millis(250);
/// Between two steps of pruning, so that it takes a part of one core at most.
const REST: Duration = Duration::from_millis(2);
/// Between two looks whether entries have been kept for long enough.
const LOOK: Duration = Duration::from_secs(10);

/// What a commit found out.
#[derive(Default)]
struct Committed {
    /// When the newest call of it came.
    newest: Option<Time>,
    /// What calls cost, as often as it was asked.
    counted: Vec<Vec<Spent>>,
}

/// The thread's work until the queue closes.
pub(super) fn run(queue: &Arc<Queue>, mut connection: Connection) {
    let mut pruning = Pruning::default();
    let (mut pruner, mut looked) = (Pruner::default(), Instant::now());
    while let Some(mut batch) = queue.next(pruner.is_due().then_some(REST)) {
        let Some(committed) = persist(queue, &mut connection, &batch, &mut pruning) else { return };
        for ((.., tell), counted) in batch.counts.drain(..).zip(committed.counted) {
            // whoever does not wait any more has dropped the receiver
            drop(tell.send(counted));
        }
        committed.newest.into_iter().for_each(|newest| pruner.recorded(newest));
        if looked.elapsed() > LOOK {
            looked = Instant::now();
            pruner.wake();
        }
        if pruner.is_due() {
            prune(queue, &mut pruner, &mut connection, batch.length);
        }
        queue.give_back(batch);
    }
}

/// Commits a batch, as often as it takes. `None` when the ledger closes before it could be done.
fn persist(queue: &Queue, connection: &mut Connection, batch: &Batch, pruning: &mut Pruning) -> Option<Committed> {
    let began = Instant::now();
    let mut failed = false;
    loop {
        let last_try = queue.closes();
        let result = match (batch.length, batch.counts.len()) {
            (0, 0) => Ok(Committed::default()),
            _ => commit(connection, batch, queue.spool_id(), pruning),
        };
        match result {
            Ok(committed) => {
                queue.note(batch, None);
                if failed || began.elapsed() > LONG {
                    let behind = batch.came.map(|came| came.elapsed()).unwrap_or_default();
                    tracing::warn!(entries = batch.length, "the ledger is written again after {behind:?}");
                }
                return Some(committed);
            }
            Err(error) => {
                queue.note(batch, Some(&error));
                if !failed {
                    tracing::error!("the ledger cannot be written, answers go out all the same: {error}");
                }
                failed = true;
                if last_try {
                    let entries = queue.lag().map_or(0, |lag| lag.queued);
                    tracing::error!(
                        entries,
                        "the ledger closes before its last entries are in it, which the next start brings in as far as there was room for them beside it: {error}"
                    );
                    return None;
                }
                queue.pause(RETRY);
            }
        }
    }
}

/// Where it fails nothing is lost: the next look tries again.
fn prune(queue: &Queue, pruner: &mut Pruner, connection: &mut Connection, written: usize) {
    let Some(keep) = queue.kept() else { return pruner.rest() };
    if let Err(error) = pruner.step(connection, keep, written) {
        pruner.rest();
        tracing::warn!("old entries could not be taken out of the ledger: {error}");
    }
}

/// Writes a batch of the spool with this id, where there is one.
fn commit(
    connection: &mut Connection,
    batch: &Batch,
    spool: Option<i64>,
    pruning: &mut Pruning,
) -> rusqlite::Result<Committed> {
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut committed = Committed::default();
    let mut sums = Sums::default();
    let mut rows = Rows::of(&step)?;
    let mut counts = batch.counts.iter().peekable();
    let last = last_entries(batch);
    // in their order: a count holds the entries before it, and none behind it
    for (at, frame) in frame::frames(&batch.frames).enumerate() {
        while let Some((_, over, _)) = counts.next_if(|(behind, ..)| *behind <= at) {
            sums.write(&step)?;
            committed.counted.push(spent::spent(&step, *over)?);
        }
        // a guess, and the count is here already
        if batch.counts.is_empty() && frame.entry_of().is_some_and(|(id, only)| only && last.get(&id) > Some(&at)) {
            continue;
        }
        let work = match frame.work() {
            Ok(work) => work,
            Err(error) => {
                tracing::error!("an entry for the ledger cannot be read: {error}");
                continue;
            }
        };
        if let Some(entry) = work.entry() {
            if let Some(replaced) = rows.put(entry)? {
                sums.count(&replaced, Times::TakenAway);
            }
            sums.count(entry, Times::Added);
            choices::write(&step, entry, pruning)?;
            committed.newest = committed.newest.max(Some(entry.at));
        }
        match &work {
            Work::Entry(_) => {}
            Work::Settle(entry) => holds::remove(&step, entry.id)?,
            Work::Hold(id, hold) => holds::write(&step, *id, hold)?,
        }
    }
    sums.write(&step)?;
    for (_, over, _) in counts {
        committed.counted.push(spent::spent(&step, *over)?);
    }
    if let Some(spool) = spool.filter(|_| batch.last > 0) {
        spools::note(&step, spool, batch.last)?;
    }
    drop(rows);
    step.commit()?;
    Ok(committed)
}

/// By its call, which of several entries is the last.
fn last_entries(batch: &Batch) -> HashMap<CallId, usize> {
    let entries = frame::frames(&batch.frames).enumerate();
    entries.filter_map(|(at, frame)| Some((frame.entry_of()?.0, at))).collect()
}

/// Commits what an earlier process left in its spool: frames up to this number.
pub(super) fn recover(connection: &mut Connection, spool: i64, frames: Vec<u8>, last: u64) -> rusqlite::Result<()> {
    let batch = Batch { frames, last, ..Batch::default() };
    commit(connection, &batch, Some(spool), &mut Pruning::default())?;
    spools::trim(connection)
}
