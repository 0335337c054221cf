//! What is yet to be written, between those who record and the thread that writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::frame::{self, Work};
use super::spool::Spool;
use crate::config::Keep;
use crate::store::{Lag, Over, Spent};

/// A commit that takes longer is said to lag.
const SLOW: Duration = Duration::from_secs(1);
/// How long `flush` waits for a disk that refuses.
const FLUSH: Duration = Duration::from_secs(5);
/// For how long work is gathered for a commit. Nobody waits for it: what is gathered stands in the spool.
const GATHER: Duration = Duration::from_millis(25);
/// The same where somebody waits and the last commit had a crowd, since a commit costs as much as ten entries.
const GATHER_BRIEFLY: Duration = Duration::from_micros(500);
/// So much work in one commit is a crowd.
const CROWD: usize = 4;
/// Bytes of work in one commit: a few thousand entries.
const FULL: usize = 1 << 20;

/// The queue of a ledger.
pub(super) struct Queue {
    // a std mutex: it is held for a copy or a swap, never across an await or a disk access
    state: Mutex<State>,
    /// There is work, somebody waits for it, or the ledger closes.
    work: Condvar,
    /// More is committed, or the disk refused.
    done: Condvar,
    committed: AtomicU64,
    /// Where work stands until it is committed; `None` where somebody waits for each commit.
    spool: Option<Spool>,
}

#[derive(Default)]
struct State {
    pending: VecDeque<Batch>,
    /// An empty batch, to be filled again.
    spare: Batch,
    /// The batch in the thread's hands: how much work, and when the first of it came.
    writing: Option<(usize, Instant)>,
    /// The number of the last work.
    last: u64,
    /// Who waits for a commit, and up to which number.
    waiting: Vec<(u64, oneshot::Sender<bool>)>,
    /// Somebody blocks until all is committed.
    hurry: bool,
    failure: Option<String>,
    /// Whether the thread sleeps, and whether it would like to hear of work or only of somebody who waits.
    asleep: bool,
    gathering: bool,
    /// How much work the last batch had.
    crowd: usize,
    keep: Option<Keep>,
    closing: bool,
}

/// Work for one commit, in the order in which it came.
#[derive(Default)]
pub(super) struct Batch {
    /// Frames one behind another.
    pub(super) frames: Vec<u8>,
    /// How many.
    pub(super) length: usize,
    /// The number of the last.
    pub(super) last: u64,
    /// Who asks what calls cost, and behind how many frames.
    pub(super) counts: Vec<(usize, Over, oneshot::Sender<Vec<Spent>>)>,
    /// When the first came.
    pub(super) came: Option<Instant>,
}

/// Work that was queued: as soon as this is waited for or dropped it stands in the spool too, where that takes it.
pub(super) struct Queued {
    queue: Arc<Queue>,
    /// Empty once it was given to the spool.
    frame: Vec<u8>,
    number: u64,
}

impl Queue {
    /// The queue of a ledger, with a spool or without.
    pub(super) fn of(spool: Option<Spool>) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
            committed: AtomicU64::new(0),
            spool,
        }
    }

    /// Queues work, at once and in memory.
    pub(super) fn push(self: &Arc<Self>, work: &Work<'_>) -> Queued {
        let frame = frame::pack(work);
        let mut state = self.state();
        let number = state.push(&frame);
        // waking a thread costs a system call; one that is at work looks at the queue again by itself
        if std::mem::take(&mut state.asleep) || state.gathering && state.pending.len() > 1 {
            self.work.notify_one();
        }
        drop(state);
        Queued { queue: Arc::clone(self), frame, number }
    }

    /// Queues the question what calls cost, behind all that was queued before.
    pub(super) fn count(&self, over: Over) -> oneshot::Receiver<Vec<Spent>> {
        let (tell, told) = oneshot::channel();
        let mut state = self.state();
        let batch = state.open();
        batch.counts.push((batch.length, over, tell));
        state.hurry = true;
        self.work.notify_one();
        told
    }

    /// How far the writing is behind.
    pub(super) fn lag(&self) -> Option<Lag> {
        let state = self.state();
        let (writing, since) = state.writing.map_or((0, None), |(length, since)| (length, Some(since)));
        let oldest = since.or_else(|| state.pending.iter().find_map(|batch| batch.came))?;
        let queued = writing + state.pending.iter().map(|batch| batch.length).sum::<usize>();
        let lag = Lag { queued, behind: oldest.elapsed(), why: state.failure.clone() };
        (lag.why.is_some() || lag.behind > SLOW).then_some(lag)
    }

    /// Waits until all that was queued is committed, or the disk has refused for too long.
    pub(super) fn flush(&self) {
        if !self.wait(FLUSH, |_| false) {
            tracing::error!("the ledger could not be written in time");
        }
    }

    /// Waits until all that was queued is committed, for a moment at most where the disk is slow, and not at all where it
    /// refuses.
    pub(super) fn catch_up(&self) {
        self.wait(SLOW, |state| state.failure.is_some());
    }

    fn wait(&self, longest: Duration, given_up: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state();
        let last = state.last;
        let more = |state: &State| self.committed() < last && !given_up(state);
        if !more(&state) {
            return true;
        }
        state.hurry = true;
        self.work.notify_one();
        !self
            .done
            .wait_timeout_while(state, longest, |state| more(state))
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .timed_out()
    }

    /// For how long entries are kept.
    pub(super) fn keep(&self, keep: Keep) {
        self.state().keep = Some(keep);
    }

    /// For how long entries are to be kept, once that is known.
    pub(super) fn kept(&self) -> Option<Keep> {
        self.state().keep
    }

    /// The id of its spool.
    pub(super) fn spool_id(&self) -> Option<i64> {
        self.spool.as_ref().map(|spool| spool.id)
    }

    /// Lets the thread end once it has written what is queued.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// Whether it closes.
    pub(super) fn closes(&self) -> bool {
        self.state().closing
    }

    /// The next batch, once there is work and a crowd of it was gathered. With other work to do it is waited for only for
    /// this moment, and the batch may be empty. `None` when all is written and the ledger closes.
    pub(super) fn next(&self, moment: Option<Duration>) -> Option<Batch> {
        self.gather(moment)?;
        if let Some(spool) = &self.spool {
            spool.turn(|| self.state().last);
        }
        let mut state = self.state();
        let batch = state.pending.pop_front().unwrap_or_default();
        state.crowd = batch.length;
        state.hurry &= !state.pending.is_empty();
        state.writing = batch.came.map(|came| (batch.length, came));
        Some(batch)
    }

    /// `None` when all is written and the ledger closes.
    fn gather(&self, moment: Option<Duration>) -> Option<()> {
        let mut state = self.state();
        while state.pending.is_empty() {
            if state.closing {
                return None;
            }
            state.asleep = true;
            state = match moment {
                Some(moment) => self.work.wait_timeout(state, moment).unwrap_or_else(PoisonError::into_inner).0,
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.asleep = false;
            if moment.is_some() && state.pending.is_empty() {
                return Some(());
            }
        }
        let wait_while = |state, longest, more: &dyn Fn(&State) -> bool| {
            let waits_on =
                |state: &mut State| more(state) && !state.hurry && !state.closing && state.pending.len() == 1;
            self.work.wait_timeout_while(state, longest, waits_on).unwrap_or_else(PoisonError::into_inner).0
        };
        state.gathering = true;
        state = wait_while(state, moment.unwrap_or(GATHER), &|state| state.waiting.is_empty());
        state.gathering = false;
        if !state.waiting.is_empty() && state.crowd >= CROWD {
            // nobody wakes it: whoever comes meanwhile pays for no system call
            drop(wait_while(state, GATHER_BRIEFLY, &|_| true));
        }
        Some(())
    }

    /// Notes how a commit went, and tells those who wait for it. Who is told may ask for the lag at once.
    pub(super) fn note(&self, batch: &Batch, error: Option<&rusqlite::Error>) {
        let mut state = self.state();
        state.failure = error.map(ToString::to_string);
        if error.is_none() {
            state.writing = None;
            state.hurry &= !state.pending.is_empty();
            self.committed.fetch_max(batch.last, Ordering::AcqRel);
        }
        // where the disk refuses nobody waits on: what came behind the batch would not fare better
        let told: Vec<_> =
            state.waiting.extract_if(.., |(number, _)| error.is_some() || *number <= batch.last).collect();
        drop(state);
        if let (None, Some(spool)) = (error, &self.spool) {
            spool.committed(self.committed());
        }
        self.done.notify_all();
        for (_, tell) in told {
            // whoever does not wait any more has dropped the receiver
            tell.send(error.is_none()).ok();
        }
    }

    /// Takes a batch back that was written.
    pub(super) fn give_back(&self, mut batch: Batch) {
        batch.clear();
        self.state().spare = batch;
    }

    /// Pauses before the next try, not longer than until the ledger closes.
    pub(super) fn pause(&self, pause: Duration) {
        drop(self.work.wait_timeout_while(self.state(), pause, |state| !state.closing));
    }

    fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Hears of the commit of this number, or of the next failure to commit anything.
    fn told(&self, number: u64) -> oneshot::Receiver<bool> {
        let (tell, told) = oneshot::channel();
        let mut state = self.state();
        if self.committed() >= number {
            tell.send(true).ok();
            return told;
        }
        state.waiting.push((number, tell));
        if state.gathering || state.asleep {
            self.work.notify_one();
        }
        told
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds work; gives its number.
    fn push(&mut self, frame: &[u8]) -> u64 {
        self.last += 1;
        let last = self.last;
        let batch = self.open();
        batch.frames.extend_from_slice(frame);
        batch.length += 1;
        batch.last = last;
        batch.came.get_or_insert_with(Instant::now);
        last
    }

    /// The batch that has room.
    fn open(&mut self) -> &mut Batch {
        if self.pending.back().is_none_or(|batch| batch.frames.len() >= FULL) {
            let spare = std::mem::take(&mut self.spare);
            self.pending.push_back(spare);
        }
        let at = self.pending.len() - 1;
        &mut self.pending[at]
    }
}

impl Batch {
    fn clear(&mut self) {
        let Self { frames, length, last, counts, came } = self;
        frames.clear();
        counts.clear();
        (*length, *last, *came) = (0, 0, None);
    }
}

impl Queued {
    /// Whether it is safe from the end of the process now; `false` when the disk refuses or takes too long.
    pub(super) async fn safe(mut self) -> bool {
        self.spool() || matches!(tokio::time::timeout(SLOW, self.queue.told(self.number)).await, Ok(Ok(true)))
    }

    /// Writes it into the spool, unless it is committed already. Whether it is safe so.
    fn spool(&mut self) -> bool {
        let mut frame = std::mem::take(&mut self.frame);
        if frame.is_empty() || self.queue.committed() >= self.number {
            return !frame.is_empty();
        }
        frame::number(&mut frame, self.number);
        self.queue.spool.as_ref().is_some_and(|spool| spool.write(&frame))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        // where the spool does not take it, it is committed all the same
        self.spool();
    }
}

impl Drop for Queue {
    /// The spool stays for the next process where something in it is not committed.
    fn drop(&mut self) {
        let all = self.committed() >= self.state().last;
        self.spool.iter_mut().filter(|_| all).for_each(Spool::remove);
    }
}
