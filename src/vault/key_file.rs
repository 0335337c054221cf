//! A key in a file that somebody else guards: the machine key's random bytes, or a systemd credential.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::VaultError;
use crate::kit::file::{self, FileError};
use crate::kit::seal::{self, Key};

/// A shorter file would be a password that nothing stretches.
const LEAST: usize = 32;
const MOST: u64 = 64 * 1024;

/// The wrapping key for one vault. HKDF-SHA256 over every byte of the file, a final newline too.
pub(super) fn key(path: &Path, label: &str) -> Result<Key, VaultError> {
    Ok(seal::derive(&read(path)?, &[], label.as_bytes())?)
}

/// What the file holds. It must be private and long enough.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    if !is_systemd_credential(path) {
        file::check_private(path)?;
    }
    let failed = |error| FileError::Io("read", path.to_owned(), error);
    let mut content = Zeroizing::new(Vec::with_capacity(1024));
    File::open(path).map_err(failed)?.take(MOST + 1).read_to_end(&mut content).map_err(failed)?;
    let refused = |why| Err(VaultError::KeyFile(path.to_owned(), why));
    match content.len() {
        ..LEAST => refused("has fewer than 32 bytes; make one with: head -c 32 /dev/urandom"),
        len if len as u64 > MOST => refused("is larger than 64 KiB, which no key is"),
        _ => Ok(content),
    }
}

/// systemd hands a credential out as root's file and lets the service in by an ACL, whose mask shows as the group's
/// right to read (mode 0440): systemd.exec(5), LoadCredential.
#[cfg(unix)]
fn is_systemd_credential(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|seen| seen.uid() == 0 && seen.mode() & 0o777 == 0o440)
}

#[cfg(not(unix))]
fn is_systemd_credential(_: &Path) -> bool {
    false
}
