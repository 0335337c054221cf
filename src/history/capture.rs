//! The way into history: taps for calls, a bounded queue to the thread that writes, and how it is doing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::folder::Disk;
use super::keys::Keys;
use super::scribe::Scribe;
use super::tap::{Taken, Tap};
use crate::config::{Live, Settings};
use crate::kit::{Clock, Time};
use crate::redact::Known;
use crate::wire::Call;

/// The most bytes of bodies that are held for history, under way and waiting to be written.
const MOST_HELD: usize = 256 << 20;
/// The most calls that wait to be written.
const MOST_WAITING: usize = 1024;
/// How long the end of the process waits for what is queued.
const FLUSH: Duration = Duration::from_secs(5);

/// History's door, for whoever has calls. Clones lead to the same history.
#[derive(Clone)]
pub struct Capture(Option<Door>);

#[derive(Clone)]
struct Door {
    queue: SyncSender<Work>,
    shared: Arc<Shared>,
}

/// What the calls, the thread and the faces share.
pub(super) struct Shared {
    held: AtomicUsize,
    dropped: AtomicU64,
    refused: AtomicBool,
    clock: Clock,
    // a std mutex: held to read or replace a sentence
    words: Mutex<Words>,
}

#[derive(Default)]
struct Words {
    refused: Option<String>,
    dropped: Option<(Time, String)>,
}

/// How history is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why nothing is kept, where something should be.
    pub refused: Option<String>,
    /// How many exchanges were dropped since the start.
    pub dropped: u64,
    /// When the last of them was, and why.
    pub last: Option<(Time, String)>,
}

/// What the thread is asked to do.
pub(super) enum Work {
    Keep(Box<Taken>),
    /// The settings or the vault may have changed.
    Look,
    /// Says when all before it is done.
    Tell(SyncSender<()>),
}

impl Capture {
    /// No history at all.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Starts the thread that writes. It ends when the last clone is dropped.
    pub fn start(
        settings: Live,
        keys: Arc<dyn Keys>,
        known: Arc<Known>,
        disk: impl Disk + 'static,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let (queue, work) = sync_channel(MOST_WAITING);
        let shared = Arc::new(Shared {
            held: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            clock,
            words: Mutex::default(),
        });
        let mut scribe = Scribe::new(settings, keys, known, disk, Arc::clone(&shared));
        std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            loop {
                match work.recv_timeout(scribe.pause()) {
                    Ok(Work::Keep(taken)) => scribe.keep(*taken),
                    Ok(Work::Look) => scribe.look(),
                    Ok(Work::Tell(done)) => drop(done),
                    Err(RecvTimeoutError::Timeout) => scribe.look(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        let capture = Self(Some(Door { queue, shared }));
        capture.look();
        Ok(capture)
    }

    /// Collects what passes by of a call, where calls like it may be kept.
    pub fn tap(&self, call: &Call, settings: &Arc<Settings>) -> Option<Box<Tap>> {
        let door = self.0.as_ref()?;
        if !settings.capture.may_keep(&call.caller.name, call.endpoint.path())
            || door.shared.refused.load(Ordering::Relaxed)
        {
            return None;
        }
        Tap::open(self, call, settings)
    }

    /// The settings or the vault may have changed.
    pub fn look(&self) {
        if let Some(door) = &self.0 {
            // a full queue means that it is at work, and looks by itself
            drop(door.queue.try_send(Work::Look));
        }
    }

    /// How it is doing.
    pub fn standing(&self) -> Standing {
        let Some(Door { shared, .. }) = &self.0 else { return Standing::default() };
        let words = shared.words();
        let (refused, last) = (words.refused.clone(), words.dropped.clone());
        Standing { refused, dropped: shared.dropped.load(Ordering::Relaxed), last }
    }

    /// Waits until what was queued is written, at most a few seconds. Blocking; called before the process ends.
    pub fn flush(&self) {
        let Some(door) = &self.0 else { return };
        let (done, told) = sync_channel(1);
        if door.queue.try_send(Work::Tell(done)).is_ok() {
            // the thread drops its end once it comes to it
            let _ended = told.recv_timeout(FLUSH);
        }
    }

    /// Room for so many bytes; `None`, and counted, when too much is held already.
    pub(super) fn hold(&self, bytes: usize) -> Option<Held> {
        let door = self.0.as_ref()?;
        let mut held = Held { shared: Arc::clone(&door.shared), bytes: 0 };
        if held.more(bytes) {
            return Some(held);
        }
        self.dropped("too many long bodies were under way at once");
        None
    }

    /// Hands work to the thread; what it has no room for is dropped and counted.
    pub(super) fn hand_on(&self, work: Work) {
        let Some(door) = &self.0 else { return };
        match door.queue.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.dropped("the disk is slower than the calls"),
            Err(TrySendError::Disconnected(_)) => self.dropped("the thread that writes has ended"),
        }
    }

    pub(super) fn dropped(&self, why: &str) {
        if let Some(door) = &self.0 {
            door.shared.dropped(why);
        }
    }
}

impl Shared {
    /// Counts an exchange that is not kept.
    pub(super) fn dropped(&self, why: &str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let said = (self.clock.now(), why.to_owned());
        let before = self.words().dropped.replace(said);
        if before.is_none_or(|(_, before)| before != why) {
            tracing::warn!("prompts and answers are dropped: {why}; the calls themselves go on");
        }
    }

    /// Notes why nothing can be kept, or that it can; the log hears of a change.
    pub(super) fn refuse(&self, why: Option<String>) {
        self.refused.store(why.is_some(), Ordering::Relaxed);
        let before = std::mem::replace(&mut self.words().refused, why.clone());
        match (before, why) {
            (before, Some(why)) if before.as_ref() != Some(&why) => {
                tracing::warn!("prompts and answers are not kept: {why}");
            }
            (Some(_), None) => tracing::info!("prompts and answers are kept again"),
            _ => {}
        }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are held for history, given back when dropped.
pub(super) struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Held {
    /// Takes more; whether there was room.
    pub(super) fn more(&mut self, bytes: usize) -> bool {
        let before = self.shared.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MOST_HELD {
            self.shared.held.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
