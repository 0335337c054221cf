//! Secrets: where an account's credential comes from, and how long what came is used.

mod body;
mod command;
mod data_key;
mod error;
mod format;
pub mod home;
mod item;
pub mod kernel;
mod key_file;
pub mod keychain;
mod locks;
mod machine;
mod mark;
mod memory;
mod printed;
mod sealed;
mod shelf;
mod source;
mod store;
mod strongbox;
mod wrap;

pub use command::{CommandError, PATIENCE};
pub use data_key::DataKey;
pub use error::{Damage, VaultError};
pub use item::{Item, ItemKind, Label};
pub use keychain::{Keychain, KeychainError};
pub use machine::Machine;
pub use mark::mark;
pub use memory::Memory;
pub use sealed::{Conflict, Imported, Outsiders, Rekeyed, Sealed, Status};
pub use source::{SecretError, Source};
pub use store::{Hold, Vault};
pub use strongbox::{Stamp, Strongbox};
pub use wrap::{Opener, Way};
