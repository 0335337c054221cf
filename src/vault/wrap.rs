//! A wrap: the data key, sealed under a key that somebody else keeps. Several stand side by side in one vault, and any
//! of them opens it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::data_key::{DataKey, hex};
use super::format::base64;
use super::keychain::Keychain;
use super::machine::Machine;
use super::{VaultError, key_file};
use crate::kit::Secret;
use crate::kit::seal::{self, Cost, Key, SealError};

/// A way to open a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A passphrase that a person types.
    Passphrase,
    /// A key that is bound to this machine.
    Machine,
    /// A file that somebody else guards, such as a systemd credential.
    KeyFile,
    /// The keychain of the desktop.
    Keychain,
}

/// A way to open a vault, with what it takes.
#[derive(Clone)]
pub enum Opener {
    /// The passphrase, and what guessing it shall cost where a new wrap is made.
    Passphrase(Secret, Cost),
    /// This machine's key.
    Machine(Machine),
    /// The file that holds the key.
    KeyFile(PathBuf),
    /// The keychain that keeps the key.
    Keychain(Keychain),
}

/// What a vault's header says about one wrap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrap {
    /// Eight hex digits, unlike those of any other wrap in the file.
    pub id: String,
    pub by: By,
    /// The data key, sealed.
    #[serde(with = "base64")]
    key: Vec<u8>,
}

/// How the wrapping key comes about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum By {
    Passphrase {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        #[serde(with = "base64")]
        salt: Vec<u8>,
    },
    Machine,
    KeyFile,
    Keychain,
}

impl Wrap {
    /// Wraps a data key for one more way; a keychain is given its new key here.
    pub(super) fn make(opener: &Opener, vault: &str, key: &DataKey) -> Result<Self, VaultError> {
        let id = hex(&seal::random::<4>()?);
        let by = match opener {
            Opener::Passphrase(_, cost) => By::Passphrase {
                memory_kib: cost.memory_kib(),
                passes: cost.passes(),
                lanes: cost.lanes(),
                salt: seal::random::<16>()?.to_vec(),
            },
            Opener::Machine(machine) => {
                machine.make_key()?;
                By::Machine
            }
            Opener::KeyFile(_) => By::KeyFile,
            Opener::Keychain(keychain) => {
                keychain.put(&entry(vault, &id), Key::random()?.bytes())?;
                By::Keychain
            }
        };
        let wrap = Self { id, by, key: Vec::new() };
        let sealed = seal::seal(&wrap.wrapping_key(opener, vault)?, &wrap.aad(vault)?, key.key().bytes())?;
        Ok(Self { key: sealed, ..wrap })
    }

    /// The data key. `WrongPassphrase` or `WrongKey` when this is not the key it was wrapped with.
    pub(super) fn open(&self, opener: &Opener, vault: &str) -> Result<DataKey, VaultError> {
        let wrapping_key = self.wrapping_key(opener, vault)?;
        let opened = seal::open(&wrapping_key, &self.aad(vault)?, &self.key);
        let key = opened.ok().and_then(|bytes| Key::from_slice(&bytes));
        key.map(DataKey::from_key).ok_or_else(|| opener.way().wrong())
    }

    pub(super) const fn way(&self) -> Way {
        match self.by {
            By::Passphrase { .. } => Way::Passphrase,
            By::Machine => Way::Machine,
            By::KeyFile => Way::KeyFile,
            By::Keychain => Way::Keychain,
        }
    }

    /// The cost of a passphrase, refused when it is out of bounds. Called before any memory is taken.
    pub(super) fn check(&self) -> Result<(), SealError> {
        match self.by {
            By::Passphrase { memory_kib, passes, lanes, .. } => Cost::new(memory_kib, passes, lanes).map(|_| ()),
            By::Machine | By::KeyFile | By::Keychain => Ok(()),
        }
    }

    fn wrapping_key(&self, opener: &Opener, vault: &str) -> Result<Key, VaultError> {
        let label = |way: &str| format!("keywheel 1 {way} {vault} {}", self.id);
        Ok(match (&self.by, opener) {
            (By::Passphrase { memory_kib, passes, lanes, salt }, Opener::Passphrase(passphrase, _)) => {
                let salt = salt.as_slice().try_into().map_err(|_| SealError::Length)?;
                let cost = Cost::new(*memory_kib, *passes, *lanes)?;
                seal::stretch(passphrase.expose().as_bytes(), salt, cost)?
            }
            (By::Machine, Opener::Machine(machine)) => machine.key(&label("machine"))?,
            (By::KeyFile, Opener::KeyFile(path)) => key_file::key(path, &label("key file"))?,
            (By::Keychain, Opener::Keychain(keychain)) => {
                let kept = keychain.get(&entry(vault, &self.id))?.ok_or(VaultError::WrongKey(Way::Keychain))?;
                seal::derive(&kept, &[], label("keychain").as_bytes())?
            }
            _ => return Err(VaultError::NoWrap(opener.way(), vec![self.way()])),
        })
    }

    /// Binds the wrapped key to its vault, its id and the way it came about.
    fn aad(&self, vault: &str) -> Result<Vec<u8>, VaultError> {
        let by = serde_json::to_string(&self.by).map_err(|_| SealError::Length)?;
        Ok(format!("keywheel 1 wrap {vault} {} {by}", self.id).into_bytes())
    }
}

/// The name under which a keychain keeps the key of one wrap. A new wrap gets a new name, so that a crash between the
/// keychain and the file can never leave a file whose key was overwritten.
pub(super) fn entry(vault: &str, wrap: &str) -> String {
    format!("vault-{vault}-{wrap}")
}

impl Opener {
    /// A passphrase at the standard cost.
    pub const fn passphrase(passphrase: Secret) -> Self {
        Self::Passphrase(passphrase, Cost::STANDARD)
    }

    /// Which way this is.
    pub const fn way(&self) -> Way {
        match self {
            Self::Passphrase(..) => Way::Passphrase,
            Self::Machine(_) => Way::Machine,
            Self::KeyFile(_) => Way::KeyFile,
            Self::Keychain(_) => Way::Keychain,
        }
    }
}

impl Way {
    pub(super) const fn wrong(self) -> VaultError {
        match self {
            Self::Passphrase => VaultError::WrongPassphrase,
            Self::Machine | Self::KeyFile | Self::Keychain => VaultError::WrongKey(self),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase => "passphrase",
            Self::Machine => "machine key",
            Self::KeyFile => "key file",
            Self::Keychain => "keychain",
        })
    }
}
