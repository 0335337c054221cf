//! One leader per home: two gateways on one ledger and one set of accounts would fight over both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::Failure;
use crate::kit::Clock;
use crate::kit::file::Lock;

/// How often the lock is asked for before it counts as taken: a command that looks whether somebody leads holds it for
/// an instant.
const TRIES: u32 = 5;

/// Holds the home until dropped; the system lets go of it when the process dies.
#[derive(Debug)]
pub(super) struct Leader(#[expect(dead_code, reason = "held, not read")] Lock);

/// Who leads a home.
#[derive(Debug)]
pub(super) struct Holder {
    /// Its process, where it has said so.
    pub(super) pid: Option<u32>,
    since: String,
}

/// Takes the lead of a home, or says who has it.
pub(super) async fn claim(state: &Path) -> Result<Leader, Failure> {
    let path = lock_file(state);
    for _ in 0..TRIES {
        if let Some(mut lock) = Lock::try_now(&path).map_err(Failure::new)? {
            let words = format!("{}\n{}\n", std::process::id(), Clock::system().now());
            lock.write(&words)
                .map_err(|error| Failure::new(format_args!("cannot write {}: {error}", path.display())))?;
            return Ok(Leader(lock));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let Holder { pid, since } = read(&path);
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"));
    Err(Failure::new(format_args!(
        "a gateway runs on this home already: {who}{since}; stop it with keywheel stop, or choose another place with --home DIR"
    )))
}

/// Who leads a home now; `None` when nobody does.
pub(super) fn holder(state: &Path) -> Option<Holder> {
    let path = lock_file(state);
    if !path.exists() {
        return None;
    }
    match Lock::try_now(&path) {
        Ok(None) => Some(read(&path)),
        Ok(Some(_)) | Err(_) => None,
    }
}

fn lock_file(state: &Path) -> PathBuf {
    state.join("leader.lock")
}

/// What the holder has written; it may not have come to it yet.
fn read(path: &Path) -> Holder {
    let words = fs::read_to_string(path).unwrap_or_default();
    let mut lines = words.lines();
    let pid = lines.next().and_then(|pid| pid.parse().ok());
    let since = lines.next().map(|since| format!(", since {since}")).unwrap_or_default();
    Holder { pid, since }
}
