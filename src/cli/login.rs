//! `account login` and `refresh`: the words that they take.

use std::path::PathBuf;

use clap::Args;

use super::account::Chosen;
use super::vault::Passphrase;

/// `account login`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Login {
    /// The account; its oauth settings say how a person logs in
    #[arg(value_name = "ID")]
    pub id: String,
    /// Paste the address to which the page sends you, where no browser reaches this machine (over SSH)
    #[arg(long)]
    pub paste: bool,
    /// Read what you bring from this file; - is stdin: a refresh token, a service account's JSON, or with --paste the address
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What unlocks the vault
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `account refresh`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RefreshAccounts {
    /// Which
    #[command(flatten)]
    pub chosen: Chosen,
    /// What unlocks the vault where no gateway runs
    #[command(flatten)]
    pub passphrase: Passphrase,
}
