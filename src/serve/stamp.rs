//! Tells when files have changed, from a `stat` that follows links.
//!
//! A look every half second is what a change within a second needs. Notifications would miss network folders and
//! links that are swapped, and would wake at every write of the ledger in the same folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::AbortHandle;

const EVERY: Duration = Duration::from_millis(500);

/// Follows files until dropped.
pub struct Follow(AbortHandle);

impl Drop for Follow {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Calls `changed` at once, since a file may have changed after it was last read, and then after each change.
pub(super) fn follow(paths: Vec<PathBuf>, changed: impl Fn() + Send + 'static) -> Follow {
    let stamps = move || paths.iter().map(|path| Stamp::of(path)).collect::<Vec<_>>();
    let mut seen = stamps();
    let task = tokio::spawn(async move {
        changed();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = stamps();
            if now != seen {
                seen = now;
                changed();
            }
        }
    });
    Follow(task.abort_handle())
}

/// What changes when a file is written or replaced; `None` while it is missing.
#[derive(PartialEq, Eq)]
struct Stamp(Option<(u64, u64, Option<SystemTime>)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let Ok(meta) = std::fs::metadata(path) else { return Self(None) };
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        Self(Some((inode, meta.len(), meta.modified().ok())))
    }
}
