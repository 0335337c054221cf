//! Where a gateway's own vault is and how it opens without a person: decided once when it is made, said when it is less
//! than hoped for, and remembered.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Keychain, Machine, Opener, Sealed, VaultError, Way, kernel};
use crate::config::{VaultHome, VaultPlace};
use crate::kit::file::{self, FileError};

/// A gateway's vault and what may open it.
#[derive(Clone)]
pub struct Home {
    /// The sealed file.
    pub file: PathBuf,
    /// The folder where the choice is remembered.
    pub state: PathBuf,
    /// `vault.key_file`.
    pub key_file: Option<PathBuf>,
    /// `vault.home`: what keeps the key of a new vault; `None` is the first of key file, keychain and machine that is
    /// there.
    pub keeper: Option<VaultHome>,
    /// This machine's key.
    pub machine: Machine,
    /// The desktop's keychain.
    pub keychain: Keychain,
    /// How long the kernel may keep the data key after an unlock by passphrase; `None` is never.
    pub kernel_cache: Option<Duration>,
}

/// A vault, unlocked where that takes no person, and what a person should be told.
pub struct Opened {
    /// The vault; ask `status` whether it is locked.
    pub vault: Sealed,
    /// Sentences to print, without a secret.
    pub notices: Vec<String>,
}

/// How new vaults of this home open, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The way that was taken.
    pub way: Way,
    /// Why it was not the keychain, where it is not.
    pub because: Option<String>,
}

impl Home {
    /// The usual places: `vault.sealed` in the data folder, its machine key and the choice in the state folder.
    pub fn new(data: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        let (data, state) = (data.into(), state.into());
        Self {
            file: data.join("vault.sealed"),
            machine: Machine::here(state.join("machine.key")),
            state,
            key_file: None,
            keeper: None,
            keychain: Keychain::system(),
            kernel_cache: None,
        }
    }

    /// The usual places, but for what the settings say.
    pub fn of(place: &VaultPlace, data: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        let usual = Self::new(data, state);
        Self {
            file: place.file.clone().unwrap_or(usual.file),
            key_file: place.key_file.clone(),
            keeper: place.home,
            kernel_cache: place.unlock_cache,
            ..usual
        }
    }

    /// Opens the vault that is there; `Missing` when none is. A vault that only a person can open comes back locked.
    pub fn open(&self) -> Result<Opened, VaultError> {
        let vault = Sealed::at(&self.file);
        let notices = self.unlock_unattended(&vault)?;
        Ok(Opened { vault, notices })
    }

    /// Unlocks it by whatever takes no person; it may be called again, as a keychain may have been unlocked since. It
    /// worked where nothing is to be told.
    pub fn unlock_unattended(&self, vault: &Sealed) -> Result<Vec<String>, VaultError> {
        let status = vault.status()?;
        if !status.locked || (self.kernel_cache.is_some() && vault.recall()?) {
            return Ok(Vec::new());
        }
        let mut notices = Vec::new();
        for opener in self.unattended() {
            if !status.wraps.iter().any(|(_, way)| *way == opener.way()) {
                continue;
            }
            match vault.unlock(&opener) {
                Ok(()) => return Ok(Vec::new()),
                Err(error) => notices.push(error.to_string()),
            }
        }
        notices.push(VaultError::Locked.to_string());
        Ok(notices)
    }

    /// Opens the vault, or makes it: by the key file where one is set, else by the keychain, else, saying so, by this
    /// machine's key.
    pub fn open_or_create(&self) -> Result<Opened, VaultError> {
        match self.open() {
            Err(VaultError::Missing(_)) => {}
            opened => return opened,
        }
        self.folders()?;
        match self.create() {
            // another process of this home was faster
            Err(VaultError::Exists(_)) => self.open(),
            created => created,
        }
    }

    /// Makes the vault so that this opens it; `Exists` where there is one.
    pub fn make(&self, opener: &Opener) -> Result<Sealed, VaultError> {
        self.folders()?;
        Sealed::create(&self.file, std::slice::from_ref(opener))
    }

    /// Unlocks by what a person gave, and lets the kernel remember it where that is wanted. Tells when it cannot.
    pub fn unlock(&self, vault: &Sealed, opener: &Opener) -> Result<Option<String>, VaultError> {
        vault.unlock(opener)?;
        let Some(lifetime) = self.kernel_cache else { return Ok(None) };
        Ok(kernel::remember(&vault.data_key()?, lifetime).err().map(|error| error.to_string()))
    }

    /// Locks it for this process and in the kernel's cache.
    pub fn lock(&self, vault: &Sealed) -> Result<(), VaultError> {
        vault.lock();
        kernel::forget(&vault.status()?.key);
        Ok(())
    }

    /// What was chosen when the vault was made; `None` when nothing was, or nobody can read it any more.
    pub fn choice(&self) -> Option<Choice> {
        serde_json::from_slice(&std::fs::read(self.choice_file()).ok()?).ok()
    }

    /// Remembers how new vaults of this home shall open.
    pub fn choose(&self, choice: &Choice) -> Result<(), VaultError> {
        let json =
            serde_json::to_vec(choice).map_err(|error| FileError::Io("write", self.choice_file(), error.into()))?;
        Ok(file::replace(&self.choice_file(), &json)?)
    }

    fn folders(&self) -> Result<(), VaultError> {
        for folder in [self.file.parent(), Some(self.state.as_path())].into_iter().flatten() {
            file::private_dir(folder)?;
        }
        Ok(())
    }

    fn create(&self) -> Result<Opened, VaultError> {
        let made = |opener, way, because, notices| {
            let vault = Sealed::create(&self.file, &[opener])?;
            self.choose(&Choice { way, because })?;
            Ok(Opened { vault, notices })
        };
        let machine = Opener::Machine(self.machine.clone());
        let by_file = matches!(self.keeper, None | Some(VaultHome::KeyFile));
        if let Some(path) = self.key_file.as_ref().filter(|_| by_file) {
            return made(Opener::KeyFile(path.clone()), Way::KeyFile, None, Vec::new());
        }
        match (self.keeper, self.choice()) {
            (Some(VaultHome::Machine), _) => return made(machine, Way::Machine, None, Vec::new()),
            (None, Some(Choice { way: Way::Machine, because })) => {
                return made(machine, Way::Machine, because, Vec::new());
            }
            _ => {}
        }
        let error = match made(Opener::Keychain(self.keychain.clone()), Way::Keychain, None, Vec::new()) {
            Err(VaultError::Keychain(error)) if self.keeper.is_none() => error.to_string(),
            made => return made,
        };
        let said = format!(
            "{error}; secrets go to the sealed file {} under this machine's key instead (a passphrase is safer: \
             keywheel vault rekey --by passphrase)",
            self.file.display()
        );
        made(machine, Way::Machine, Some(error), vec![said])
    }

    /// What opens the vault without a person, the quickest first.
    fn unattended(&self) -> Vec<Opener> {
        let key_file = self.key_file.clone().map(Opener::KeyFile);
        let rest = [Opener::Machine(self.machine.clone()), Opener::Keychain(self.keychain.clone())];
        key_file.into_iter().chain(rest).collect()
    }

    fn choice_file(&self) -> PathBuf {
        self.state.join("vault.choice.json")
    }
}
