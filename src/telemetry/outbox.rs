//! Calls on their way to a collector: a bounded queue that no call ever waits for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use super::told::Ended;

/// The most calls that wait to be sent; a call is about two kilobytes.
const ROOM: usize = 4096;

/// The queue, from the calls' side. It takes nothing while nobody sends.
pub struct Outbox {
    open: AtomicBool,
    queue: mpsc::Sender<Ended>,
    // a std mutex: it is held to take the other side, once
    other_side: Mutex<Option<mpsc::Receiver<Ended>>>,
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Default for Outbox {
    fn default() -> Self {
        let (queue, other_side) = mpsc::channel(ROOM);
        let (open, sent, dropped) = Default::default();
        Self { open, queue, other_side: Mutex::new(Some(other_side)), sent, dropped }
    }
}

impl Outbox {
    /// Whether anybody sends.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Queues a call; one for which there is no room is counted and forgotten.
    pub fn push(&self, ended: Ended) {
        if self.queue.try_send(ended).is_err() {
            self.dropped(1);
        }
    }

    /// How many spans were sent, and how many calls and spans were not.
    pub fn counts(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }

    pub(super) fn open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    pub(super) fn other_side(&self) -> Option<mpsc::Receiver<Ended>> {
        self.other_side.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn sent(&self, spans: u64) {
        self.sent.fetch_add(spans, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, spans: u64) {
        self.dropped.fetch_add(spans, Ordering::Relaxed);
    }
}
