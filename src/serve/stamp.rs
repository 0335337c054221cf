//! Tells whether a file has changed, from one `stat` that follows links.

use std::path::Path;
use std::time::SystemTime;

/// What changes when a file is written or replaced. All are `None` while it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, u64, Option<SystemTime>)>);

impl Stamp {
    /// The stamp of a file now.
    pub(super) fn of(path: &Path) -> Self {
        let Ok(meta) = std::fs::metadata(path) else { return Self(None) };
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        Self(Some((inode, meta.len(), meta.modified().ok())))
    }
}
