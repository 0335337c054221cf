//! The key that the vault's body is sealed with, and from which others may derive keys of their own.

use zeroize::Zeroizing;

use crate::kit::Secret;
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

    /// The key as a word, for another process of the same person that is to open the same vault.
    pub fn hand_over(&self) -> Secret {
        Secret::new(hex(self.0.bytes()))
    }

    /// The key that was handed over; `None` when the word is none.
    pub fn handed_over(word: &Secret) -> Option<Self> {
        let digits = word.expose();
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
        }
        Key::from_slice(bytes.as_slice()).map(Self)
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
