//! The desktop's keychain through the stores of the keyring project.
//!
//! The stores and not the `keyring` facade over them: the facade connects once and remembers a bus that was down for as
//! long as the process lives, but unlocking needs no restart. Here each question connects anew.

use std::sync::Arc;

use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error};
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
    let store = store().map_err(|error| KeychainError::Absent(error.to_string()))?;
    store.build(SERVICE, name, None).map_err(told)
}

/// Secret Service, freedesktop.org.
#[cfg(all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))))]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

/// The login keychain.
#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

/// Credential Manager.
#[cfg(windows)]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(windows_native_keyring_store::Store::new()?)
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
