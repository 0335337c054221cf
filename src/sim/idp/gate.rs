//! Stops requests at an exact place, so that a test can end the one who asks just there.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// Where a request for a token is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has arrived and nothing was done for it.
    Arrived,
    /// It was worked on, and the answer was not sent.
    Answered,
}

#[derive(Default)]
pub(super) struct Gate {
    at: watch::Sender<Option<Stage>>,
    held: AtomicUsize,
}

impl Gate {
    pub(super) fn hold(&self, stage: Stage) {
        self.at.send_replace(Some(stage));
    }

    pub(super) fn release(&self) {
        self.at.send_replace(None);
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Waits here while this place is closed. Dropped when the one who asked has gone.
    pub(super) async fn pass(&self, stage: Stage) {
        let mut at = self.at.subscribe();
        if *at.borrow() != Some(stage) {
            return;
        }
        self.held.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(&self.held);
        // the sender lives as long as we do
        drop(at.wait_for(|now| *now != Some(stage)).await);
    }
}

struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
