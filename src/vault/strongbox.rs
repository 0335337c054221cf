//! The vault of a running gateway: opened when its first secret is wanted, one opening for however many want it, locked
//! and unlocked without a restart, and never older than what another process wrote.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::home::{Home, Opened};
use super::{DataKey, Hold, Item, Label, Opener, Sealed, Status, Vault, VaultError};
use crate::kit::{Clock, Time};

/// Between two tries to unlock without a person. A keychain that hangs costs five seconds each time.
const PAUSE: Duration = Duration::from_secs(10);

/// A home's vault, shared by all that need it in this process.
pub struct Strongbox {
    home: Home,
    vault: Sealed,
    clock: Clock,
    // a std mutex, held while one caller unlocks: all others want to wait for just that, on blocking threads
    unlocking: Mutex<Unlocking>,
    /// One more with every lock and unlock; apart, so that nobody waits for the mutex to read it.
    turns: AtomicU64,
}

/// Unlocking without a person.
#[derive(Default)]
struct Unlocking {
    /// A person locked it, so only a person unlocks it.
    shut: bool,
    /// Not before then.
    next: Option<Time>,
}

/// What a file is told apart by from the one that replaced it, and how often the lock was turned. Equal stamps: what
/// was read is still so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    file: Option<(u64, u64, Option<std::time::SystemTime>)>,
    turns: u64,
}

impl Strongbox {
    /// The vault of this home. Nothing is read or opened yet.
    pub fn new(home: Home, clock: Clock) -> Self {
        let vault = Sealed::at(&home.file);
        Self { home, vault, clock, unlocking: Mutex::default(), turns: AtomicU64::default() }
    }

    /// Where it lies and how it opens.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// What the file is now; one look at the file system. `None` in it: there is no file.
    pub fn stamp(&self) -> Stamp {
        Stamp { file: file_stamp(self.vault.path()), turns: self.turns.load(Ordering::Acquire) }
    }

    /// What may be known without a key, once it had the chance to open by itself.
    pub fn look(&self) -> Result<Status, VaultError> {
        self.opened()?.status()
    }

    /// What may be known without a key.
    pub fn status(&self) -> Result<Status, VaultError> {
        self.vault.status()
    }

    /// Unlocks it by what another process of this person found: the data key. `Locked` when it opens nothing here.
    pub fn take_key(&self, key: DataKey) -> Result<(), VaultError> {
        self.vault.accept(key)?;
        self.turned(false);
        Ok(())
    }

    /// Unlocks it by what a person gave.
    pub fn unlock(&self, opener: &Opener) -> Result<Option<String>, VaultError> {
        let told = self.home.unlock(&self.vault, opener)?;
        self.turned(false);
        Ok(told)
    }

    /// Unlocks it by whatever takes no person; sentences that say why it did not work, empty when it did.
    pub fn unlock_unattended(&self) -> Result<Vec<String>, VaultError> {
        let mut unlocking = self.unlocking();
        let notices = self.home.unlock_unattended(&self.vault)?;
        if notices.is_empty() {
            self.turn(&mut unlocking, Unlocking::default());
        }
        Ok(notices)
    }

    /// Locks it until somebody unlocks it, also where it would open by itself.
    pub fn lock(&self) -> Result<(), VaultError> {
        self.turned(true);
        let locked = self.home.lock(&self.vault);
        // what was read before the key was forgotten is under the stamp of that turn
        self.turns.fetch_add(1, Ordering::Release);
        locked
    }

    /// The vault, made where there is none; unlocked where that takes no person. With sentences for the person.
    pub fn open_or_create(&self) -> Result<Vec<String>, VaultError> {
        let mut unlocking = self.unlocking();
        let Opened { vault, notices } = self.home.open_or_create()?;
        self.vault.open_like(&vault);
        self.turn(&mut unlocking, Unlocking::default());
        Ok(notices)
    }

    /// Makes the vault so that this opens it; `Exists` where there is one.
    pub fn create(&self, opener: &Opener) -> Result<(), VaultError> {
        self.vault.open_like(&self.home.make(opener)?);
        self.turned(false);
        Ok(())
    }

    /// The file itself, for those who change who may open it.
    pub const fn file(&self) -> &Sealed {
        &self.vault
    }

    fn opened(&self) -> Result<&Sealed, VaultError> {
        if !self.vault.status()?.locked {
            return Ok(&self.vault);
        }
        let mut unlocking = self.unlocking();
        // another caller may have unlocked it meanwhile
        let now = self.clock.now();
        if !self.vault.status()?.locked || unlocking.shut || unlocking.next.is_some_and(|next| now < next) {
            return Ok(&self.vault);
        }
        for notice in self.home.unlock_unattended(&self.vault)? {
            tracing::debug!("{notice}");
        }
        // measured from the end: a keychain that hangs is not asked without pause
        let next = Some(self.clock.now().after(PAUSE));
        self.turn(&mut unlocking, Unlocking { shut: false, next });
        Ok(&self.vault)
    }

    fn turned(&self, shut: bool) {
        self.turn(&mut self.unlocking(), Unlocking { shut, next: None });
    }

    fn turn(&self, unlocking: &mut Unlocking, now: Unlocking) {
        *unlocking = now;
        self.turns.fetch_add(1, Ordering::Release);
    }

    fn unlocking(&self) -> MutexGuard<'_, Unlocking> {
        self.unlocking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for Strongbox {
    fn get(&self, name: &str) -> Result<Option<Item>, VaultError> {
        self.opened()?.get(name)
    }

    fn list(&self) -> Result<Vec<Label>, VaultError> {
        self.opened()?.list()
    }

    fn update(&self, name: &str, edit: &mut dyn FnMut(&mut Option<Item>)) -> Result<(), VaultError> {
        self.opened()?.update(name, edit)
    }

    fn hold(&self, name: &str, wait: Duration) -> Result<Hold, VaultError> {
        self.vault.hold(name, wait)
    }
}

/// Every write puts another file in place of the old one, so the inode alone nearly tells; the time and the length are
/// for inodes that are used again.
fn file_stamp(path: &Path) -> Option<(u64, u64, Option<std::time::SystemTime>)> {
    let seen = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&seen);
    #[cfg(not(unix))]
    let inode = 0;
    Some((inode, seen.len(), seen.modified().ok()))
}
