//! The cryptography we use, each as one small function that names its standard: sealing with XChaCha20-Poly1305,
//! stretching a passphrase with Argon2id, deriving keys with HKDF-SHA256, fingerprints with HMAC-SHA256, random bytes from
//! the system.

use argon2::{Algorithm, Argon2, AssociatedData, Block, ParamsBuilder, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use ring::hmac;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of an XChaCha20-Poly1305 nonce: long enough to be drawn at random for each message.
pub const NONCE: usize = 24;

/// Bytes that sealing adds to a message: the nonce in front and the tag behind.
pub const OVERHEAD: usize = NONCE + 16;

/// A 256-bit key: wiped on drop, and without any trait that could print it.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

/// What a passphrase guess shall cost, within bounds: the numbers come from files that anybody may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why sealing, opening or deriving failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key or the associated data is not the one it was sealed with, or the bytes were changed.
    #[error("it does not open with this key")]
    NotOpened,
    /// A passphrase cost is outside its bounds; nothing was allocated.
    #[error("the passphrase cost {0} = {1} is outside its bounds {2} to {3}")]
    Bounds(&'static str, u32, u32, u32),
    /// The system has not enough memory for the passphrase cost.
    #[error("not enough memory to stretch the passphrase: {0} KiB are needed")]
    Memory(u32),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// A length that the standard does not allow.
    #[error("a length outside what the standard allows")]
    Length,
}

/// Seals a message under a fresh random nonce: nonce, ciphertext, tag. The associated data is not in it, but it must be
/// the same when it is opened. XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03.
pub fn seal(key: &Key, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; NONCE] = random()?;
    let mut sealed = nonce.to_vec();
    sealed.extend(seal_with(key, &nonce, aad, plain)?);
    Ok(sealed)
}

/// Opens what `seal` made.
pub fn open(key: &Key, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE>().ok_or(SealError::NotOpened)?;
    let cipher = XChaCha20Poly1305::new((&*key.0).into());
    let plain = cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad }).map_err(|_| SealError::NotOpened)?;
    Ok(Zeroizing::new(plain))
}

/// Seals under a given nonce, which must never be used again with this key: ciphertext and tag. For known answers;
/// everything else calls `seal`.
pub fn seal_with(key: &Key, nonce: &[u8; NONCE], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let cipher = XChaCha20Poly1305::new((&*key.0).into());
    cipher.encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad }).map_err(|_| SealError::Length)
}

/// A key from a passphrase, as dear to guess as `cost` says. Argon2id version 1.3, RFC 9106.
pub fn stretch(passphrase: &[u8], salt: &[u8; 16], cost: Cost) -> Result<Key, SealError> {
    argon2id(passphrase, salt, &[], &[], cost)
}

/// Argon2id with every input of RFC 9106 section 3.1: also a secret (at most 32 bytes) and associated data (as many).
pub fn argon2id(passphrase: &[u8], salt: &[u8], secret: &[u8], data: &[u8], cost: Cost) -> Result<Key, SealError> {
    let mut params = ParamsBuilder::new();
    params.m_cost(cost.memory_kib).t_cost(cost.passes).p_cost(cost.lanes).output_len(32);
    params.data(AssociatedData::new(data).map_err(|_| SealError::Length)?);
    let params = params.build().map_err(|_| SealError::Length)?;
    let mut memory: Vec<Block> = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| SealError::Memory(cost.memory_kib))?;
    memory.resize(params.block_count(), Block::new());
    let hasher = Argon2::new_with_secret(secret, Algorithm::Argon2id, Version::V0x13, params);
    let hasher = hasher.map_err(|_| SealError::Length)?;
    let mut key = Zeroizing::new([0; 32]);
    let done = hasher.hash_password_into_with_memory(passphrase, salt, &mut *key, &mut memory[..]);
    // the last column of blocks is all it takes to compute the key again
    memory.zeroize();
    done.map_err(|_| SealError::Length)?;
    Ok(Key(key))
}

/// A key for one purpose from key material that is already hard to guess. HKDF-SHA256, RFC 5869.
pub fn derive(material: &[u8], salt: &[u8], label: &[u8]) -> Result<Key, SealError> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), material).expand(label, &mut *key).map_err(|_| SealError::Length)?;
    Ok(Key(key))
}

/// A fingerprint that only those who hold the key can make. HMAC-SHA256, RFC 2104.
pub fn mac(key: &Key, message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes()), message);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SealError::Random)?;
    Ok(bytes)
}

impl Key {
    /// A new random key.
    pub fn random() -> Result<Self, SealError> {
        random().map(Self::new)
    }

    /// Takes these bytes as a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key from bytes that were kept elsewhere; `None` unless they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }

    /// A key for one purpose under this one. HKDF-SHA256, RFC 5869.
    pub fn derive(&self, label: &str) -> Result<Self, SealError> {
        derive(&*self.0, &[], label.as_bytes())
    }

    /// The key itself, for the cipher or for the place that keeps it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Cost {
    /// The most memory one guess may take: 1 GiB, in KiB.
    pub const MAX_MEMORY_KIB: u32 = 1 << 20;
    /// The most passes over the memory.
    pub const MAX_PASSES: u32 = 16;
    /// The most lanes.
    pub const MAX_LANES: u32 = 8;

    /// What new passphrases cost: 64 MiB, 3 passes, 4 lanes; the second recommendation of RFC 9106 section 4.
    pub const STANDARD: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    /// A cost within bounds, else an error that names the number at fault. Memory is at least 8 KiB per lane, as
    /// RFC 9106 section 3.1 demands.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, SealError> {
        let within = |name, value, least, most| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(SealError::Bounds(name, value, least, most)),
        };
        within("lanes", lanes, 1, Self::MAX_LANES)?;
        within("passes", passes, 1, Self::MAX_PASSES)?;
        within("memory_kib", memory_kib, 8 * lanes, Self::MAX_MEMORY_KIB)?;
        Ok(Self { memory_kib, passes, lanes })
    }

    /// Memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }
}
