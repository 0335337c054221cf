//! How many connections there may be: fewer than descriptors, so that the files and upstreams of calls under way can
//! still be opened, and one too many hears why.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::door::Standing;
use crate::kit::{Fault, fault};

/// Connections beyond the limit that are told so at the same time; others are closed at once.
const STOOLS: usize = 64;
/// Descriptors that are not connections: ledger, logs, listeners, credential commands.
const KEPT: u64 = 64;

/// The seats for connections.
pub(super) struct Seats {
    seats: Arc<Semaphore>,
    stools: Arc<Semaphore>,
    full: Arc<Fault>,
}

impl Seats {
    /// As many as the descriptor limit allows, or fewer when `most` says so.
    pub(super) fn new(most: Option<usize>) -> Self {
        let all = by_descriptors(raise_limit()).min(most.unwrap_or(usize::MAX));
        let words = format!(
            "all {all} connections of this gateway are in use; close some, or raise its limit on open files (ulimit -n)"
        );
        let full = Fault::new(fault::Kind::Overloaded(Some(Duration::from_secs(1))), words);
        let semaphore = |seats| Arc::new(Semaphore::new(seats));
        Self { seats: semaphore(all), stools: semaphore(STOOLS), full: Arc::new(full) }
    }

    /// A seat for a connection. Beyond the limit it gets a stool on which it may only hear a 503, and `None` when those
    /// are taken too.
    pub(super) fn take(&self, standing: Standing) -> Option<(OwnedSemaphorePermit, Standing)> {
        if let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            return Some((seat, standing));
        }
        let stool = Arc::clone(&self.stools).try_acquire_owned().ok()?;
        Some((stool, Standing::Barred(Arc::clone(&self.full))))
    }
}

/// A call needs two descriptors, one towards its client and one upstream.
fn by_descriptors(limit: u64) -> usize {
    let seats = limit.saturating_sub(KEPT) / 2;
    usize::try_from(seats).unwrap_or(usize::MAX).clamp(8, Semaphore::MAX_PERMITS)
}

/// Raises the soft limit on open files to the hard one, and says what it is then.
#[cfg(unix)]
fn raise_limit() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 256 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Windows counts handles in millions; the limit only keeps memory in bounds.
#[cfg(not(unix))]
fn raise_limit() -> u64 {
    16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fewer_seats_than_descriptors_even_when_those_are_few() {
        assert_eq!(by_descriptors(1024), 480);
        assert_eq!(by_descriptors(100), 18);
        assert_eq!(by_descriptors(0), 8);
        let seats = Seats::new(Some(1));
        let first = seats.take(Standing::Owner).expect("a seat");
        assert!(matches!(first.1, Standing::Owner));
        let stools: Vec<_> = (0..STOOLS).map(|_| seats.take(Standing::Owner).expect("a stool")).collect();
        assert!(stools.iter().all(|(_, standing)| matches!(standing, Standing::Barred(_))));
        assert!(seats.take(Standing::Owner).is_none());
        drop(first);
        assert!(matches!(seats.take(Standing::Owner).expect("a seat").1, Standing::Owner));
    }
}
