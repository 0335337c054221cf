//! The bytes of a sealed file. Nothing in it is believed before it is checked, and nothing large is allocated on its word.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `keywheel` |
//! | 2 | format version, big-endian |
//! | 4 | length of the header, big-endian, at most 64 KiB |
//! | … | header, JSON: vault id, generation, id of the data key, wraps |
//! | 24 + … + 16 | body, sealed with the data key; everything before it is its associated data |
//! | 32 | SHA-256 over all of the above, so that damage is told from a wrong passphrase |

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::body::Body;
use super::data_key::DataKey;
use super::error::Damage;
use super::wrap::Wrap;
use super::{VaultError, Way};
use crate::kit::seal::{self, SealError};

const MAGIC: &[u8; 8] = b"keywheel";
const VERSION: u16 = 1;
const PREFIX: usize = MAGIC.len() + 2 + 4;
const SUM: usize = 32;
const MAX_HEADER: usize = 64 * 1024;

/// The largest file that is read or written, in bytes: some ten thousand tokens.
pub(super) const MAX_FILE: u64 = 32 << 20;
/// Each wrap is an unlock attempt that somebody must pay for.
pub(super) const MAX_WRAPS: usize = 8;

/// What is readable without a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Random, for life: 32 hex digits.
    pub vault: String,
    /// One more with every write.
    pub generation: u64,
    /// The data key's id.
    pub key: String,
    /// At least one.
    pub wraps: Vec<Wrap>,
}

/// A file that is whole and whose header makes sense; the body is still sealed.
pub(super) struct SealedBytes {
    pub header: Header,
    bytes: Vec<u8>,
    body: usize,
}

impl SealedBytes {
    /// Checks a file's bytes. `path` is for the words of an error.
    pub(super) fn read(path: &Path, bytes: Vec<u8>) -> Result<Self, VaultError> {
        let damaged = |how| VaultError::Damaged(path.to_owned(), how);
        if !bytes.starts_with(MAGIC) {
            return Err(VaultError::NotAVault(path.to_owned()));
        }
        let Some(whole) = bytes.len().checked_sub(SUM).filter(|whole| *whole >= PREFIX) else {
            return Err(damaged(Damage::Cut));
        };
        let (content, sum) = bytes.split_at(whole);
        if Sha256::digest(content).as_slice() != sum {
            return Err(damaged(Damage::Checksum));
        }
        let version = u16::from_be_bytes([content[8], content[9]]);
        if version != VERSION {
            return Err(VaultError::Unsupported(path.to_owned(), version, VERSION));
        }
        let length = u32::from_be_bytes([content[10], content[11], content[12], content[13]]) as usize;
        let header = content.get(PREFIX..PREFIX + length.min(MAX_HEADER + 1)).filter(|header| header.len() == length);
        let header: Header =
            header.and_then(|json| serde_json::from_slice(json).ok()).ok_or_else(|| damaged(Damage::Header))?;
        if header.wraps.is_empty() || header.wraps.len() > MAX_WRAPS {
            return Err(damaged(Damage::Header));
        }
        header.wraps.iter().try_for_each(Wrap::check)?;
        Ok(Self { header, body: PREFIX + length, bytes })
    }

    /// Opens the body with the data key that the header names.
    pub(super) fn body(&self, path: &Path, key: &DataKey) -> Result<Body, VaultError> {
        let damaged = || VaultError::Damaged(path.to_owned(), Damage::Body);
        let end = self.bytes.len() - SUM;
        let plain = seal::open(key.key(), &self.bytes[..self.body], &self.bytes[self.body..end]);
        Body::from_json(&plain.map_err(|_| damaged())?).ok_or_else(damaged)
    }

    /// The file as it was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Header {
    /// The bytes of a file with this header and body.
    pub(super) fn seal(&self, path: &Path, key: &DataKey, body: &Body) -> Result<Vec<u8>, VaultError> {
        let header = serde_json::to_vec(self).map_err(|_| SealError::Length)?;
        let length = u32::try_from(header.len()).map_err(|_| SealError::Length)?;
        let body = body.to_json()?;
        if (PREFIX + header.len() + body.len() + seal::OVERHEAD + SUM) as u64 > MAX_FILE || header.len() > MAX_HEADER {
            return Err(VaultError::TooLarge(path.to_owned(), MAX_FILE));
        }
        let mut bytes = [&MAGIC[..], &VERSION.to_be_bytes(), &length.to_be_bytes(), &header].concat();
        bytes.extend(seal::seal(key.key(), &bytes, &body)?);
        bytes.extend(Sha256::digest(&bytes));
        Ok(bytes)
    }

    /// The ways that open this vault, each once.
    pub(super) fn ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        for way in self.wraps.iter().map(Wrap::way) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }
}

/// Bytes as base64 in JSON.
pub(super) mod base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::vault) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in crate::vault) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(|_| D::Error::custom("not base64"))
    }
}
