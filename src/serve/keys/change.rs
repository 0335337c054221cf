//! Making, rotating and removing keys: read, change and replace the store under a lock that other processes honour.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::record::{self, Previous};
use super::{KeyError, KeyRow, Keys, first, text};
use crate::kit::file::Lock;
use crate::kit::{Secret, Time};

/// How long a rotated key goes on working unless told otherwise.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// What a new client may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOptions {
    /// The only models it may call, as globs over `provider/model`; empty means all.
    pub models: Vec<String>,
    /// How long its key works; without it, until it is removed.
    pub ttl: Option<Duration>,
    /// Requests a minute.
    pub rpm: Option<u32>,
    /// Whether it is not told which account answered.
    pub hide_account: bool,
}

impl Keys {
    /// Makes a client and its key, which nobody can read again later.
    pub fn add(&self, name: &str, options: KeyOptions) -> Result<Secret, KeyError> {
        self.add_after(name, options, |_| Ok(()))
    }

    /// The same; `first` sees the key before its hash is stored, and can stop that.
    pub(super) fn add_after(
        &self,
        name: &str,
        options: KeyOptions,
        first: impl FnOnce(&Secret) -> Result<(), KeyError>,
    ) -> Result<Secret, KeyError> {
        check_name(name)?;
        if options.rpm == Some(0) {
            return Err(KeyError::NoRate(name.to_owned()));
        }
        let now = self.clock.now();
        self.change(|rows| {
            if rows.iter().any(|row| row.name == name) {
                return Err(KeyError::Exists(name.to_owned()));
            }
            let fresh = text::fresh(None)?;
            first(&fresh.key)?;
            rows.push(KeyRow {
                name: name.to_owned(),
                id: fresh.id,
                hash: text::hex(&fresh.hash),
                models: options.models,
                created: stamp(now),
                expires: options.ttl.map(|ttl| stamp(now.after(ttl))),
                rpm: options.rpm,
                hide_account: options.hide_account,
                previous: None,
            });
            Ok(fresh.key)
        })
    }

    /// Every client, in the order in which they were made.
    pub fn list(&self) -> Result<Vec<KeyRow>, KeyError> {
        record::read(&self.path)
    }

    /// Gives a client a new key; the one it has works for `overlap` more. `client.key` follows when it held that key.
    pub fn rotate(&self, name: &str, overlap: Duration) -> Result<Secret, KeyError> {
        let until = self.clock.now().after(overlap);
        let path = self.path.clone();
        self.change(|rows| {
            let row = find(rows, name)?;
            let fresh = text::fresh(Some(&row.id))?;
            let old = std::mem::replace(&mut row.hash, text::hex(&fresh.hash));
            if first::holds(&path, &old) {
                first::write(&path, &fresh.key)?;
            }
            row.previous = (!overlap.is_zero()).then(|| Previous { hash: old, until: stamp(until) });
            Ok(fresh.key)
        })
    }

    /// Removes a client; its keys stop working within a second. `client.key` goes too when it held that key.
    pub fn remove(&self, name: &str) -> Result<(), KeyError> {
        let path = self.path.clone();
        self.change(|rows| {
            let hash = find(rows, name)?.hash.clone();
            rows.retain(|row| row.name != name);
            if first::holds(&path, &hash) {
                first::forget(&path)?;
            }
            Ok(())
        })
    }

    /// Reads, changes and replaces the store while no other process does.
    fn change<T>(&self, edit: impl FnOnce(&mut Vec<KeyRow>) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let _lock = lock(&self.path)?;
        let mut rows = record::read(&self.path)?;
        let done = edit(&mut rows)?;
        record::write(&self.path, rows)?;
        self.reload()?;
        Ok(done)
    }
}

/// The lock of the store. It is a file of its own, since the store itself is replaced.
pub(super) fn lock(path: &Path) -> Result<Lock, KeyError> {
    Ok(Lock::wait(&path.with_extension("lock"))?)
}

fn find<'r>(rows: &'r mut [KeyRow], name: &str) -> Result<&'r mut KeyRow, KeyError> {
    rows.iter_mut().find(|row| row.name == name).ok_or_else(|| KeyError::Missing(name.to_owned()))
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(KeyError::Name(name.to_owned()));
    }
    if name == "local" {
        return Err(KeyError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// Whole seconds are enough, and read better in the file.
fn stamp(at: Time) -> Timestamp {
    Timestamp::from_second(at.as_secs()).unwrap_or(Timestamp::MAX)
}
