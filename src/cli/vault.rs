//! `vault …`: the words that it takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

/// `vault …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum VaultVerb {
    /// Say where secrets rest, what opens the vault and what lies in it
    Status(VaultStatus),
    /// Unlock the vault, also in the running gateway
    Unlock(Passphrase),
    /// Lock the vault in the running gateway and in the kernel's cache
    Lock,
    /// Seal the vault with a new key; with --by also change what opens it
    Rekey(Rekey),
    /// Write all entries into a new file that only a passphrase opens
    Export(Export),
    /// Take over the entries of an exported file
    Import(Import),
}

/// `vault status`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct VaultStatus {
    /// How to write
    #[command(flatten)]
    pub format: Format,
    /// What unlocks the vault, to list its entries
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// The passphrase of the vault, where it needs one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Passphrase {
    /// Read the vault's passphrase from this file; - is stdin. Without it a terminal is asked
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `vault rekey`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Rekey {
    /// What shall open the vault from now on, and nothing else; may be repeated. As before when absent
    #[arg(long, value_enum, value_name = "WAY")]
    pub by: Vec<By>,
    /// Read the new passphrase from this file; - is stdin. Without it a terminal is asked
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    /// What unlocks the vault now
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// What may open a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// A passphrase that you type
    Passphrase,
    /// The keychain of the desktop
    Keychain,
    /// A key that is bound to this machine
    Machine,
    /// The file that vault.key_file names
    KeyFile,
}

/// `vault export`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Export {
    /// The new file
    pub file: PathBuf,
    /// Read the passphrase for the new file from this file; - is stdin. Without it a terminal is asked
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    /// What unlocks the vault
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `vault import`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Import {
    /// The exported file
    pub file: PathBuf,
    /// Read the exported file's passphrase from this file; - is stdin. Without it a terminal is asked
    #[arg(long, value_name = "FILE")]
    pub import_passphrase_file: Option<PathBuf>,
    /// Take what comes where a name is there already; without it what is here stays
    #[arg(long)]
    pub replace: bool,
    /// What unlocks the vault
    #[command(flatten)]
    pub passphrase: Passphrase,
}
