//! The sealed file: all secrets in one file, whose body only the data key opens.
//!
//! Every look reads the file again: nothing stays in memory but the data key, and no process works on what another has
//! already replaced. Every write happens under a lock beside the file and replaces it in one step, so that it is always
//! either the old or the new generation.

mod disk;
mod rewrap;
mod transfer;

use std::fs;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use rewrap::{Outsiders, Rekeyed};
pub use transfer::{Conflict, Imported};

use super::body::Body;
use super::data_key::{DataKey, hex};
use super::format::Header;
use super::store::check_name;
use super::wrap::Wrap;
use super::{Hold, Item, Label, Opener, Vault, VaultError, Way, kernel, locks};
use crate::kit::file;
use crate::kit::seal;

/// A sealed file, locked or unlocked. Share it by `Arc`.
pub struct Sealed {
    path: PathBuf,
    /// Only ever held for a moment, never while a file is read or a key is derived.
    open: Mutex<Option<Unlocked>>,
}

struct Unlocked {
    key: DataKey,
    /// Opens the vault again when another process gave it a new data key. A passphrase is not kept for that.
    again: Option<Opener>,
}

/// What may be known of a vault without any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where the file is.
    pub path: PathBuf,
    /// Whether this process could read a secret now.
    pub locked: bool,
    /// How often the file was written.
    pub generation: u64,
    /// Id and kind of each wrap.
    pub wraps: Vec<(String, Way)>,
    /// The data key's id.
    pub key: String,
}

impl Status {
    /// The ways that open it, each once.
    pub fn ways(&self) -> Vec<Way> {
        let mut ways: Vec<Way> = Vec::new();
        for (_, way) in &self.wraps {
            if !ways.contains(way) {
                ways.push(*way);
            }
        }
        ways
    }
}

impl Sealed {
    /// The file at this path, locked. Nothing is read yet, the file need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // replacing a link would part the vault from the other homes that share it
        let path = fs::canonicalize(&path).unwrap_or(path);
        Self { path, open: Mutex::new(None) }
    }

    /// Makes a new empty vault that any of these ways opens; it is unlocked. `Exists` when there is a file.
    pub fn create(path: impl Into<PathBuf>, openers: &[Opener]) -> Result<Self, VaultError> {
        let vault = Self::at(path);
        // asked twice: where there is a file, not even a lock is left beside it
        vault.must_not_exist()?;
        let _lock = vault.writer()?;
        vault.must_not_exist()?;
        let (id, key) = (hex(&seal::random::<16>()?), DataKey::random()?);
        let wraps = rewrap::wraps(openers, &id, &key)?;
        let header = Header { vault: id, generation: 1, key: key.id()?, wraps };
        file::replace(&vault.path, &header.seal(&vault.path, &key, &Body::default())?)?;
        vault.set_open(key, openers);
        Ok(vault)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What may be known without a key.
    pub fn status(&self) -> Result<Status, VaultError> {
        let header = self.read()?.header;
        let opens = |open: &Unlocked| open.again.is_some() || open.key.id().is_ok_and(|id| id == header.key);
        let locked = !self.opened().as_ref().is_some_and(opens);
        let wraps = header.wraps.iter().map(|wrap| (wrap.id.clone(), wrap.way())).collect();
        Ok(Status { path: self.path.clone(), locked, generation: header.generation, wraps, key: header.key })
    }

    /// Unlocks it for this process. `WrongPassphrase`, `WrongKey` or `NoWrap` when that is not how it opens.
    pub fn unlock(&self, opener: &Opener) -> Result<(), VaultError> {
        let sealed = self.read()?;
        let key = unwrap(&sealed.header, opener)?;
        sealed.body(&self.path, &key)?;
        self.set_open(key, slice::from_ref(opener));
        Ok(())
    }

    /// Unlocks it by the data key that the kernel remembers, see `kernel`; whether it did.
    pub fn recall(&self) -> Result<bool, VaultError> {
        match kernel::recall(&self.read()?.header.key) {
            Some(key) => self.accept(key).map(|()| true),
            None => Ok(false),
        }
    }

    /// Unlocks it by the data key itself. `Locked` when it is not the one in use.
    pub fn accept(&self, key: DataKey) -> Result<(), VaultError> {
        let sealed = self.read()?;
        if key.id()? != sealed.header.key {
            return Err(VaultError::Locked);
        }
        sealed.body(&self.path, &key)?;
        self.set_open(key, &[]);
        Ok(())
    }

    /// Unlocks it where another handle on the same file is unlocked.
    pub(super) fn open_like(&self, other: &Self) {
        let other = other.opened().as_ref().map(|open| Unlocked { key: open.key.clone(), again: open.again.clone() });
        if other.is_some() {
            *self.opened() = other;
        }
    }

    /// Forgets the data key.
    pub fn lock(&self) {
        *self.opened() = None;
    }

    /// The data key now in use, for keys that others derive from it.
    pub fn data_key(&self) -> Result<DataKey, VaultError> {
        self.key(&self.read()?.header)
    }

    /// The data key with this id, in use or retired by a re-key; `None` when the vault no longer knows it.
    pub fn data_key_by_id(&self, id: &str) -> Result<Option<DataKey>, VaultError> {
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        let mut known = sealed.body(&self.path, &key)?.retired;
        known.push(key);
        Ok(known.into_iter().find(|key| key.id().is_ok_and(|found| found == id)))
    }

    fn opened(&self) -> MutexGuard<'_, Option<Unlocked>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_open(&self, key: DataKey, openers: &[Opener]) {
        let again = openers.iter().find(|opener| opener.way() != Way::Passphrase).cloned();
        *self.opened() = Some(Unlocked { key, again });
    }

    /// The data key for this header.
    fn key(&self, header: &Header) -> Result<DataKey, VaultError> {
        let again = match &*self.opened() {
            None => return Err(VaultError::Locked),
            Some(open) if open.key.id()? == header.key => return Ok(open.key.clone()),
            Some(open) => open.again.clone(),
        };
        let opener = again.ok_or(VaultError::Locked)?;
        let key = unwrap(header, &opener)?;
        self.set_open(key.clone(), &[opener]);
        Ok(key)
    }

    /// Reads the body, lets `edit` change it, and writes the next generation unless it fails or changes nothing.
    fn change<T>(&self, edit: impl FnOnce(&mut Body) -> Result<T, VaultError>) -> Result<T, VaultError> {
        let _lock = self.writer()?;
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        let mut body = sealed.body(&self.path, &key)?;
        let before = body.to_json()?;
        let edited = edit(&mut body)?;
        if body.to_json()? == before {
            return Ok(edited);
        }
        self.write(&sealed, sealed.header.clone(), &key, &body)?;
        Ok(edited)
    }
}

impl Vault for Sealed {
    fn get(&self, name: &str) -> Result<Option<Item>, VaultError> {
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        Ok(sealed.body(&self.path, &key)?.items.remove(name))
    }

    fn list(&self) -> Result<Vec<Label>, VaultError> {
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        let items = sealed.body(&self.path, &key)?.items;
        Ok(items.iter().map(|(name, item)| item.label(name)).collect())
    }

    fn update(&self, name: &str, edit: &mut dyn FnMut(&mut Option<Item>)) -> Result<(), VaultError> {
        check_name(name)?;
        self.change(|body| {
            let mut stored = body.items.remove(name);
            edit(&mut stored);
            if let Some(item) = stored {
                body.items.insert(name.to_owned(), item);
            }
            Ok(())
        })
    }

    fn hold(&self, name: &str, wait: Duration) -> Result<Hold, VaultError> {
        check_name(name)?;
        // a name may hold any character, a file name may not
        let file = format!("{}.lock", hex(&Sha256::digest(name.as_bytes())[..8]));
        Ok(Hold::new(locks::within(&self.beside(&file), wait)?))
    }
}

/// The data key, by whichever wrap of the opener's kind it opens.
fn unwrap(header: &Header, opener: &Opener) -> Result<DataKey, VaultError> {
    let of_its_kind = |wrap: &&Wrap| wrap.way() == opener.way();
    let mut failure = VaultError::NoWrap(opener.way(), header.ways());
    for wrap in header.wraps.iter().filter(of_its_kind) {
        match wrap.open(opener, &header.vault) {
            Ok(key) => return Ok(key),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
