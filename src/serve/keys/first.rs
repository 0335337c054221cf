//! The key that a fresh home starts with, kept in `client.key` so that one line of shell can read it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::change::lock;
use super::{KeyError, KeyOptions, Keys, text};
use crate::kit::Secret;
use crate::kit::file::{self, FileError};

/// The file beside the store that holds the first key's text.
pub const KEY_FILE: &str = "client.key";
/// The store's file name within the state folder.
pub const STORE_FILE: &str = "clients.toml";

/// Whether this start made the first key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It did; its text is in `client.key`.
    Made,
    /// There was a store before.
    Kept,
}

/// Makes a client named `default` when this home has never had a store. A store without clients is left alone: somebody
/// removed them.
pub fn ensure_first(state: &Path) -> Result<First, KeyError> {
    file::private_dir(state)?;
    let path = state.join(STORE_FILE);
    let starting = lock(&state.join("first"))?;
    if path.exists() {
        return Ok(First::Kept);
    }
    // the text is written before the hash: after a crash in between there is no store, and the next start makes both
    Keys::open(&path)?.add_after("default", KeyOptions::default(), |key| write(&path, key))?;
    drop(starting);
    Ok(First::Made)
}

/// Writes the key file beside the store.
pub(super) fn write(store: &Path, key: &Secret) -> Result<(), KeyError> {
    Ok(file::replace(&beside(store), format!("{}\n", key.expose()).as_bytes())?)
}

/// Whether the key file holds the key with this hash.
pub(super) fn holds(store: &Path, hash: &str) -> bool {
    let Ok(key) = std::fs::read_to_string(beside(store)).map(Secret::new) else { return false };
    text::hex(&text::hash(&key)) == hash
}

/// Removes the key file.
pub(super) fn forget(store: &Path) -> Result<(), KeyError> {
    let path = beside(store);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::Io("remove", path, error).into()),
        _ => Ok(()),
    }
}

fn beside(store: &Path) -> PathBuf {
    store.with_file_name(KEY_FILE)
}
