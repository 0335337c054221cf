//! The key that the vault's body is sealed with, and from which others may derive keys of their own.

use crate::kit::seal::{Key, SealError};

/// A random key, the same for as long as nobody re-keys the vault. Others never seal with it, only with keys derived
/// from it, so that no two uses can be confused.
#[derive(Clone)]
pub struct DataKey(Key);

impl DataKey {
    pub(super) fn random() -> Result<Self, SealError> {
        Key::random().map(Self)
    }

    pub(super) const fn from_key(key: Key) -> Self {
        Self(key)
    }

    pub(super) const fn key(&self) -> &Key {
        &self.0
    }

    /// 32 hex digits that name this key and tell nothing about it. Store them beside what is sealed under a derived key:
    /// after a re-key the vault still finds the old key by them.
    pub fn id(&self) -> Result<String, SealError> {
        Ok(hex(&self.0.derive("keywheel 1 data key id")?.bytes()[..16]))
    }

    /// A key for one purpose, such as `keywheel 1 captured bodies`. HKDF-SHA256.
    pub fn derive(&self, purpose: &str) -> Result<Key, SealError> {
        self.0.derive(purpose)
    }
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
