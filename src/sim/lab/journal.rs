//! What a lab saw: every request, byte for byte, and which answers the client did not wait for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use tokio::sync::watch;

use super::door::Room;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its head had arrived.
    pub at: Instant,
    /// The name of its key; empty when it came without one that was given out.
    pub key: String,
    /// Its method.
    pub method: Method,
    /// Its path with the query.
    pub path_and_query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; what had arrived of it, when the client left in the middle.
    pub body: Bytes,
    /// Who connected.
    pub peer: SocketAddr,
    /// The protocol it came by.
    pub http_version: Version,
    /// When the answer had ended, or was broken off by the lab itself.
    pub ended: Option<Instant>,
    /// When the client left before the end of the answer.
    pub closed: Option<Instant>,
}

/// The record, and a bell that rings when it changes.
#[derive(Default)]
pub(super) struct Journal {
    entries: Mutex<Vec<Seen>>,
    bell: watch::Sender<()>,
    pub(super) in_flight: AtomicUsize,
    pub(super) max_in_flight: AtomicUsize,
    pub(super) connections: AtomicUsize,
}

impl Journal {
    pub(super) fn all(&self) -> Vec<Seen> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `found` finds something.
    pub(super) async fn wait<T>(&self, within: Duration, found: impl Fn(&[Seen]) -> Option<T>) -> Option<T> {
        let mut bell = self.bell.subscribe();
        let look = async {
            loop {
                let seen = found(&self.entries.lock().unwrap_or_else(PoisonError::into_inner));
                match seen {
                    Some(seen) => return seen,
                    // the sender lives as long as we do
                    None => drop(bell.changed().await),
                }
            }
        };
        tokio::time::timeout(within, look).await.ok()
    }

    fn write(&self, seen: Seen) -> usize {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(seen);
        self.bell.send_replace(());
        entries.len() - 1
    }

    fn end(&self, entry: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries[entry].ended.get_or_insert_with(Instant::now);
        self.bell.send_replace(());
    }

    fn close(&self, entry: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries[entry].closed.get_or_insert_with(Instant::now);
        self.bell.send_replace(());
    }
}

/// Follows one request to the end of its answer. Dropped before that, the client has left.
pub(super) struct Visit {
    room: Arc<Room>,
    arriving: Option<Seen>,
    entry: Option<usize>,
    whole: bool,
}

impl Visit {
    /// A request whose head has arrived.
    pub(super) fn begin(room: Arc<Room>, seen: Seen) -> Self {
        let now = room.journal.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        room.journal.max_in_flight.fetch_max(now, Ordering::SeqCst);
        Self { room, arriving: Some(seen), entry: None, whole: false }
    }

    /// The body is there.
    pub(super) fn arrived(&mut self, body: Bytes) {
        if let Some(seen) = self.arriving.take() {
            self.entry = Some(self.room.journal.write(Seen { body, ..seen }));
        }
    }

    /// The answer has ended, or we broke it off ourselves.
    pub(super) fn end(&mut self) {
        self.whole = true;
        if let Some(entry) = self.entry {
            self.room.journal.end(entry);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.arrived(Bytes::new());
        self.room.journal.in_flight.fetch_sub(1, Ordering::SeqCst);
        if let Some(entry) = self.entry.filter(|_| !self.whole) {
            self.room.journal.close(entry);
        }
    }
}
