//! Who may open the vault: adding and removing wraps, and a new data key for all of them.

use super::{Sealed, unwrap};
use crate::kit::file;
use crate::vault::data_key::DataKey;
use crate::vault::format::{Header, MAX_WRAPS};
use crate::vault::keychain::Keychain;
use crate::vault::wrap::{Wrap, entry};
use crate::vault::{Opener, VaultError, Way};

/// What a re-key does with wraps whose keys were not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outsiders {
    /// Refuse, and name them.
    Refuse,
    /// Shut them out.
    ShutOut,
}

/// What a re-key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// The new generation of the file.
    pub generation: u64,
    /// The wraps that were not made again, as `kind id`.
    pub shut_out: Vec<String>,
}

impl Sealed {
    /// Lets one more key open the vault; returns the wrap's id. The vault must be unlocked.
    pub fn add_wrap(&self, opener: &Opener) -> Result<String, VaultError> {
        let _lock = self.writer()?;
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        let body = sealed.body(&self.path, &key)?;
        let mut header = sealed.header.clone();
        if header.wraps.len() >= MAX_WRAPS {
            return Err(VaultError::TooManyWraps(MAX_WRAPS));
        }
        let wrap = Wrap::make(opener, &header.vault, &key)?;
        let id = wrap.id.clone();
        header.wraps.push(wrap);
        self.write(&sealed, header, &key, &body)?;
        Ok(id)
    }

    /// Takes one way to open the vault back; the vault must be unlocked. The previous generation is deleted, as it would
    /// still open that way; whoever saw the data key still knows it, until a re-key. What a keychain kept for the wrap
    /// is removed from it, and a keychain that fails to is no failure here, since it keeps a key to nothing.
    pub fn remove_wrap(&self, id: &str, keychain: &Keychain) -> Result<(), VaultError> {
        let _lock = self.writer()?;
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        let body = sealed.body(&self.path, &key)?;
        let mut header = sealed.header.clone();
        let at = header.wraps.iter().position(|wrap| wrap.id == id);
        let wrap = header.wraps.remove(at.ok_or_else(|| VaultError::UnknownWrap(id.to_owned()))?);
        if header.wraps.is_empty() {
            return Err(VaultError::LastWrap);
        }
        self.write(&sealed, header, &key, &body)?;
        self.forget(&sealed.header.vault, &[wrap], Some(keychain))
    }

    /// Seals the vault with a new data key and makes every wrap anew for these openers. The vault must be unlocked. A
    /// passphrase among them may be a new one: it takes the place of the old. Wraps that none of them opens are
    /// outsiders. The previous generation is deleted, the old data key is kept inside for what others sealed with it.
    pub fn rekey(&self, openers: &[Opener], outsiders: Outsiders) -> Result<Rekeyed, VaultError> {
        let _lock = self.writer()?;
        let sealed = self.read()?;
        let old = self.key(&sealed.header)?;
        let mut body = sealed.body(&self.path, &old)?;
        let shut_out = left_out(&sealed.header, openers);
        if !shut_out.is_empty() && outsiders == Outsiders::Refuse {
            return Err(VaultError::ShutOut(shut_out));
        }
        let new = DataKey::random()?;
        let wraps = wraps(openers, &sealed.header.vault, &new)?;
        let header = Header { key: new.id()?, wraps, ..sealed.header.clone() };
        body.retire(old);
        let generation = self.write(&sealed, header, &new, &body)?;
        self.set_open(new, openers);
        let keychain = openers.iter().find_map(|opener| match opener {
            Opener::Keychain(keychain) => Some(keychain),
            Opener::Passphrase(..) | Opener::Machine(_) | Opener::KeyFile(_) => None,
        });
        self.forget(&sealed.header.vault, &sealed.header.wraps, keychain)?;
        Ok(Rekeyed { generation, shut_out })
    }

    /// Deletes what these wraps would still open.
    fn forget(&self, vault: &str, wraps: &[Wrap], keychain: Option<&Keychain>) -> Result<(), VaultError> {
        for wrap in wraps.iter().filter(|wrap| wrap.way() == Way::Keychain) {
            if let Some(Err(error)) = keychain.map(|keychain| keychain.remove(&entry(vault, &wrap.id))) {
                tracing::info!(%error, "an old key stays in the keychain; it opens nothing any more");
            }
        }
        match std::fs::remove_file(self.backup()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file::FileError::Io("delete", self.backup(), error).into())
            }
            _ => Ok(()),
        }
    }
}

/// One wrap for each opener.
pub(super) fn wraps(openers: &[Opener], vault: &str, key: &DataKey) -> Result<Vec<Wrap>, VaultError> {
    match openers.len() {
        0 => Err(VaultError::LastWrap),
        1..=MAX_WRAPS => openers.iter().map(|opener| Wrap::make(opener, vault, key)).collect(),
        _ => Err(VaultError::TooManyWraps(MAX_WRAPS)),
    }
}

/// The wraps that none of these openers stands for.
fn left_out(header: &Header, openers: &[Opener]) -> Vec<String> {
    let stands_for = |opener: &Opener, wrap: &Wrap| {
        let alone = Header { wraps: vec![wrap.clone()], ..header.clone() };
        opener.way() == wrap.way() && (wrap.way() == Way::Passphrase || unwrap(&alone, opener).is_ok())
    };
    let outside = header.wraps.iter().filter(|wrap| !openers.iter().any(|opener| stands_for(opener, wrap)));
    outside.map(|wrap| format!("{} {}", wrap.way(), wrap.id)).collect()
}
