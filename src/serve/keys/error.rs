//! Why the store of client keys could not be used.

use std::path::PathBuf;

use crate::kit::file::FileError;

/// Why the store of client keys could not be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file could not be used.
    #[error("{0}; mend that, or choose another place with --home DIR")]
    File(#[from] FileError),
    /// The store is not what `client add` writes.
    #[error("{0} cannot be read: {1}; repair it, or remove it and make new keys with: keywheel client add NAME")]
    Damaged(PathBuf, String),
    /// The name is taken.
    #[error("there is a client named {0:?} already; take another name, or run: keywheel client rotate {0}")]
    Exists(String),
    /// No client has this name.
    #[error("there is no client named {0:?}; run: keywheel client list")]
    Missing(String),
    /// The name could not stand in headers and logs.
    #[error("{0:?} cannot be a client's name; take 1 to 64 letters, digits, dots, dashes or underscores")]
    Name(String),
    /// `local` means the owner of the socket.
    #[error("the name {0:?} stands for the owner of the socket; take another")]
    Reserved(String),
    /// A limit of zero requests would be a removed key.
    #[error("a limit of 0 requests a minute lets nothing through; run: keywheel client rm {0}")]
    NoRate(String),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}
