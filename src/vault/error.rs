//! Why the vault could not do it. Each error has a name, says what to do, and holds no secret.

use std::path::PathBuf;

use super::Way;
use super::keychain::KeychainError;
use crate::kit::file::FileError;
use crate::kit::seal::SealError;

/// A failure of the vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No file yet.
    #[error("there is no vault at {0}; add an account and it is made: keywheel account add")]
    Missing(PathBuf),
    /// A new vault would overwrite one.
    #[error("there is already a vault at {0}")]
    Exists(PathBuf),
    /// Nobody has unlocked it, or another process gave it a new data key since.
    #[error("the vault is locked; run: keywheel vault unlock")]
    Locked,
    /// The passphrase opens nothing here.
    #[error("wrong passphrase; try again: keywheel vault unlock")]
    WrongPassphrase,
    /// The vault has such a wrap, but this key does not open it.
    #[error("the {0} does not open this vault: it was replaced, or the vault comes from another machine")]
    WrongKey(Way),
    /// The vault was never given this way to open it.
    #[error("this vault does not open by {asked}, only by {has}", asked = .0, has = ways(.1))]
    NoWrap(Way, Vec<Way>),
    /// A wrap of this id is not in the file.
    #[error("this vault has no wrap {0}; see: keywheel vault status")]
    UnknownWrap(String),
    /// Without it nothing would open the vault again.
    #[error("this is the only way to open the vault; add another before you remove it")]
    LastWrap,
    /// More ways to open it than a file may name.
    #[error("a vault opens in at most {0} ways; remove one first: keywheel vault status")]
    TooManyWraps(usize),
    /// Some wraps cannot be made again, as their keys were not given.
    #[error("a new data key would shut out: {}; give their keys too, or say that they may go", .0.join(", "))]
    ShutOut(Vec<String>),
    /// Not ours, or cut before the first word.
    #[error("{0} is no vault of keywheel, or its first bytes are damaged")]
    NotAVault(PathBuf),
    /// The bytes are not those that were written.
    #[error("the vault {0} is damaged ({1}); its previous generation may be beside it as .bak")]
    Damaged(PathBuf, Damage),
    /// Written by a newer version.
    #[error("the vault {0} has format {1}, this version reads up to {2}; update keywheel")]
    Unsupported(PathBuf, u16, u16),
    /// Larger than any vault may be.
    #[error("the vault {0} would be larger than {1} bytes, which is not plausible")]
    TooLarge(PathBuf, u64),
    /// Somebody else holds the lock.
    #[error("{0} is in use by another process that does not let go; see what it does, then try again")]
    Busy(PathBuf),
    /// Not a name for an entry.
    #[error("a name in the vault has 1 to 256 bytes and no control characters")]
    Name,
    /// The cost of a passphrase is out of bounds, or the cipher failed.
    #[error("{0}")]
    Seal(SealError),
    /// This system has nothing that names the machine.
    #[error("this system has no machine id, so a machine key is not possible; use a passphrase or a key file")]
    NoMachineId,
    /// A key file that cannot be a key.
    #[error("the key file {0} {1}")]
    KeyFile(PathBuf, &'static str),
    /// The keychain did not do it.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// The disk did not do it.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How a file was found to be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Shorter than the least there is.
    #[error("it is cut off")]
    Cut,
    /// SHA-256 over the file differs.
    #[error("its checksum differs")]
    Checksum,
    /// The checksum is right and the header makes no sense: somebody wrote it so.
    #[error("its header makes no sense")]
    Header,
    /// The checksum is right, the data key too, and the body does not open: somebody changed it on purpose.
    #[error("its header or body was tampered with")]
    Body,
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

fn ways(ways: &[Way]) -> String {
    ways.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
