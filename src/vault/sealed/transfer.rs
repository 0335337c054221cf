//! Taking secrets from one machine to another: a sealed copy that a passphrase opens, and reading one.

use std::path::Path;

use super::Sealed;
use crate::kit::Secret;
use crate::vault::{Opener, VaultError};

/// What an import does with a name that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Keep what is here.
    Keep,
    /// Take what comes.
    Replace,
}

/// What an import did, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Were not here before.
    pub added: Vec<String>,
    /// Were here and are now what came.
    pub replaced: Vec<String>,
    /// Were here and stayed.
    pub kept: Vec<String>,
}

impl Sealed {
    /// Writes a vault of its own with all entries to a new file that only the passphrase opens; how many there were.
    /// It has its own data key, so it tells nothing about this one.
    pub fn export(&self, to: &Path, passphrase: Secret) -> Result<usize, VaultError> {
        let sealed = self.read()?;
        let key = self.key(&sealed.header)?;
        let items = sealed.body(&self.path, &key)?.items;
        let count = items.len();
        let copy = Self::create(to, &[Opener::passphrase(passphrase)])?;
        copy.change(|body| {
            body.items = items;
            Ok(())
        })?;
        // what an export needs is one file
        for left in ["bak", "lock"] {
            let _ = std::fs::remove_file(copy.beside(left));
        }
        Ok(count)
    }

    /// Takes over the entries of another vault that is unlocked, all in one step.
    pub fn import(&self, from: &Self, conflict: Conflict) -> Result<Imported, VaultError> {
        let sealed = from.read()?;
        let key = from.key(&sealed.header)?;
        let coming = sealed.body(&from.path, &key)?.items;
        self.change(|body| {
            let mut done = Imported::default();
            for (name, item) in coming {
                let known = body.items.contains_key(&name);
                match (known, conflict) {
                    (true, Conflict::Keep) => {
                        done.kept.push(name);
                        continue;
                    }
                    (true, Conflict::Replace) => done.replaced.push(name.clone()),
                    (false, _) => done.added.push(name.clone()),
                }
                body.items.insert(name, item);
            }
            Ok(done)
        })
    }
}
