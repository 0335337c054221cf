//! Says when a file changed from which settings are read.
//!
//! Folders are watched and not files: editors save by renaming a new file over the old one, which ends a watch on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::home::Paths;

/// One save gives up to a dozen events; the callback waits for this much quiet.
const QUIET: Duration = Duration::from_millis(150);

/// After so many events without a quiet spell the callback comes nevertheless.
const PATIENCE: u32 = 200;

/// A watch; it ends when dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// Why files cannot be watched; changes are then seen only on reload.
#[derive(Debug, thiserror::Error)]
#[error("changes of {0} cannot be watched: {1}; run `keywheel reload` after an edit")]
pub struct WatchError(PathBuf, #[source] notify::Error);

/// Calls back, on a thread of its own, after the settings file, a provider or price file or the project's file changed, appeared
/// or went. A change may have been reported by the time the watch stands, so load after starting it.
pub fn watch(paths: &Paths, changed: impl Fn() + Send + 'static) -> Result<Watch, WatchError> {
    // one place: an event that finds it taken adds nothing
    let (events, received) = mpsc::sync_channel(1);
    let sources = Sources::of(paths);
    let folders = sources.folders(&paths.config);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| sources.concern(&event)) {
            let _ = events.try_send(());
        }
    })
    .map_err(|error| WatchError(paths.file.clone(), error))?;
    for (folder, depth) in folders {
        let watched = watcher.watch(&folder, depth);
        watched.map_err(|error| WatchError(folder, error))?;
    }
    thread::spawn(move || deliver(&received, changed));
    Ok(Watch { _watcher: watcher })
}

/// Below the configuration folder: providers, prices of the user's own, and imported ones.
const FOLDERS: [&str; 3] = ["providers", "pricing", "pricing/imported"];

/// What is watched, each under every name that an event may give it.
struct Sources {
    files: BTreeSet<PathBuf>,
    /// Folders whose TOML files count.
    folders: BTreeSet<PathBuf>,
}

impl Sources {
    fn of(paths: &Paths) -> Self {
        let files = [Some(&paths.file), paths.project.as_ref()];
        Self {
            files: files.into_iter().flatten().flat_map(|file| names(file)).collect(),
            folders: names(&paths.config).iter().flat_map(|config| FOLDERS.map(|name| config.join(name))).collect(),
        }
    }

    /// The configuration folder is watched with what is below it, since those of [`FOLDERS`] may appear later.
    fn folders(&self, config: &Path) -> BTreeMap<PathBuf, RecursiveMode> {
        let parents = self.files.iter().filter_map(|file| file.parent());
        let flat = parents.map(|folder| (folder.to_owned(), RecursiveMode::NonRecursive));
        let all: BTreeMap<_, _> = flat.chain([(config.to_owned(), RecursiveMode::Recursive)]).collect();
        all.into_iter().filter(|(folder, _)| folder.is_dir()).collect()
    }

    fn concern(&self, event: &Event) -> bool {
        let is_toml = |path: &Path| path.extension().is_some_and(|extension| extension == "toml");
        let is_data = |path: &Path| path.parent().is_some_and(|folder| self.folders.contains(folder)) && is_toml(path);
        let ours = |path: &PathBuf| self.files.contains(path) || self.folders.contains(path) || is_data(path);
        event.need_rescan() || !event.kind.is_access() && event.paths.iter().any(ours)
    }
}

/// The path as given and, where a link leads elsewhere, as it really is.
fn names(path: &Path) -> Vec<PathBuf> {
    [Some(path.to_owned()), path.canonicalize().ok()].into_iter().flatten().collect()
}

fn deliver(received: &Receiver<()>, changed: impl Fn()) {
    while received.recv().is_ok() {
        for _ in 0..PATIENCE {
            match received.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        changed();
    }
}
