//! Secrets: where an account's credential comes from, and how long what came is used.

mod command;
mod source;

pub use command::CommandError;
pub use source::{SecretError, Source};
