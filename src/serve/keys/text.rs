//! The text of a key: `kw-<id>-<secret>`, letters that survive shells, URLs and a double click.

use sha2::{Digest, Sha256};

use super::KeyError;
use crate::kit::Secret;

const ID_LEN: usize = 8;

/// A new key: its id, its text and the hash that is stored.
pub(super) struct Fresh {
    pub(super) id: String,
    pub(super) key: Secret,
    pub(super) hash: [u8; 32],
}

/// A key with this id, or with a new one.
pub(super) fn fresh(id: Option<&str>) -> Result<Fresh, KeyError> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 37]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| KeyError::Random(error.to_string()))?;
    let (for_id, for_secret) = bytes.split_at(5);
    let id = id.map_or_else(|| base32(for_id), str::to_owned);
    let key = Secret::new(format!("kw-{id}-{}", *zeroize::Zeroizing::new(base32(for_secret))));
    let hash = hash(&key);
    Ok(Fresh { id, key, hash })
}

/// What is stored of a key.
pub(super) fn hash(key: &Secret) -> [u8; 32] {
    Sha256::digest(key.expose().as_bytes()).into()
}

/// The id within a key's text.
pub(super) fn id(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix("kw-")?.split_at_checked(ID_LEN)?;
    secret.starts_with('-').then_some(id)
}

/// RFC 4648 base32 in lower case, without padding.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for &byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(LETTERS[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(LETTERS[(held << (5 - bits)) as usize & 31]));
    }
    out
}

/// 64 hexadecimal digits.
pub(super) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash behind 64 hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(base32(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_key_carries_its_id_and_256_random_bits() {
        let fresh = fresh(None).expect("random bytes");
        let key = fresh.key.expose();
        assert_eq!(key.len(), "kw-".len() + 8 + 1 + 52);
        assert_eq!(id(key), Some(fresh.id.as_str()));
        assert_eq!(unhex(&hex(&fresh.hash)), Some(fresh.hash));
        for other in ["", "kw-", "kw-abc", "kw-abcdefgh", "sk-abcdefgh-x", "kw-abcdefgä-x", "kw-abcdefghx"] {
            assert_eq!(id(other), None, "{other}");
        }
    }
}
