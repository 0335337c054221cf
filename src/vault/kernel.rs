//! The Linux kernel's keyring as an unlock cache: a vault that a passphrase opened stays open for this user when the
//! gateway restarts, until a timeout, `vault lock` or a reboot. It is off unless asked for, since containers often forbid
//! it, and any process of the same user could read the key.

use std::time::Duration;

use super::DataKey;
use crate::kit::seal::Key;

/// Why the kernel keeps nothing for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel's keyring cannot be used here: {0}")]
pub struct KernelError(String);

/// Keeps a data key for this user. The key is read back; one that cannot be is deleted again, since the kernel may take
/// a key into a session that is not allowed to read it.
pub fn remember(key: &DataKey, lifetime: Duration) -> Result<(), KernelError> {
    let failed = |error: &dyn std::fmt::Display| KernelError(error.to_string());
    let id = key.id().map_err(|error| failed(&error))?;
    imp::put(&id, key.key().bytes(), lifetime).map_err(|error| failed(&error))?;
    match recall(&id) {
        Some(_) => Ok(()),
        None => {
            forget(&id);
            Err(KernelError("a key put there cannot be read back".into()))
        }
    }
}

/// The data key with this id, if it is kept.
pub fn recall(id: &str) -> Option<DataKey> {
    let key = DataKey::from_key(Key::from_slice(&imp::get(id)?)?);
    // the name is only what somebody wrote there; the key proves itself
    key.id().is_ok_and(|found| found == id).then_some(key)
}

/// Removes the data key with this id.
pub fn forget(id: &str) {
    imp::remove(id);
}

#[cfg(target_os = "linux")]
mod imp {
    use std::time::Duration;

    use linux_keyutils::{KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    /// The user keyring and not the session's: a service, a terminal and a desktop have different sessions.
    fn ring() -> Result<KeyRing, KeyError> {
        KeyRing::from_special_id(KeyRingIdentifier::User, true)
    }

    fn name(id: &str) -> String {
        format!("keywheel:{id}")
    }

    pub(super) fn put(id: &str, bytes: &[u8], lifetime: Duration) -> Result<(), KeyError> {
        let ring = ring()?;
        let key = ring.add_key(&name(id), bytes)?;
        let ours = Permission::VIEW | Permission::READ | Permission::SEARCH | Permission::WRITE | Permission::SETATTR;
        // a session that does not link the user keyring is only the user, not the possessor
        let permissions = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(ours).build();
        let seconds = usize::try_from(lifetime.as_secs().max(1)).unwrap_or(usize::MAX);
        key.set_perms(permissions).and_then(|()| key.set_timeout(seconds)).inspect_err(|_| {
            let _ = ring.unlink_key(key);
        })
    }

    pub(super) fn get(id: &str) -> Option<Zeroizing<Vec<u8>>> {
        let key = ring().ok()?.search(&name(id)).ok()?;
        let mut bytes = Zeroizing::new(vec![0; 32]);
        let length = key.read(&mut *bytes).ok()?;
        (length == bytes.len()).then_some(bytes)
    }

    pub(super) fn remove(id: &str) {
        if let Ok(ring) = ring() {
            let _ = ring.search(&name(id)).and_then(|key| ring.unlink_key(key));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::time::Duration;

    use zeroize::Zeroizing;

    pub(super) fn put(_: &str, _: &[u8], _: Duration) -> Result<(), &'static str> {
        Err("this system has none")
    }

    pub(super) fn get(_: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    pub(super) fn remove(_: &str) {}
}
