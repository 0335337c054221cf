//! The desktop's keychain through `keyring`: Secret Service, macOS Keychain, Windows Credential Manager.
//!
//! `keyring` connects once in a process. A desktop whose keychain is locked is asked again each time; one that has no
//! keychain at all when it is first asked stays without one for as long as the process lives. That costs a running
//! gateway nothing: `vault unlock` asks from a process of its own and hands over what it got.

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use super::{Keep, KeychainError};

/// How keychains file our entries.
const SERVICE: &str = "keywheel";

/// The keychain of the person who runs this process.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Keep for System {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        match entry(name)?.get_secret() {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(told(error)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), KeychainError> {
        entry(name)?.set_secret(bytes).map_err(told)
    }

    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(told(error)),
        }
    }
}

fn entry(name: &str) -> Result<Entry, KeychainError> {
    match Entry::store_status() {
        Ok(()) => Entry::new(SERVICE, name).map_err(told),
        Err(Error::PlatformFailure(why)) => Err(KeychainError::Absent(why.to_string())),
        Err(error) => Err(KeychainError::Absent(error.to_string())),
    }
}

/// The error without the bytes that some variants carry.
fn told(error: Error) -> KeychainError {
    match error {
        Error::NoStorageAccess(why) => KeychainError::Locked(why.to_string()),
        Error::NoDefaultStore => KeychainError::Absent("no store".into()),
        Error::PlatformFailure(why) => KeychainError::Failed(why.to_string()),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => KeychainError::Failed("what it keeps is malformed".into()),
        Error::Ambiguous(entries) => KeychainError::Failed(format!("it keeps {} entries of one name", entries.len())),
        other => KeychainError::Failed(other.to_string()),
    }
}
