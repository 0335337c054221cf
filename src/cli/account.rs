//! `account add`, `rm`, `test` and `import`: the words that they take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;
use super::vault::Passphrase;
use crate::operator;

/// `account list`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ListAccounts {
    /// Only accounts with this tag
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// `account add`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct AddAccount {
    /// Its id: letters, digits and -_.@+
    pub id: String,
    /// The provider it belongs to: keywheel provider list
    #[arg(long, value_name = "ID")]
    pub provider: Option<String>,
    /// Read the key from this file; - is stdin. Without it a terminal is asked, without echo
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Replace the key of an account that is there already
    #[arg(long)]
    pub replace: bool,
    /// Where it lives, if not at the provider's own address
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// A word for choosing several accounts at once; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Accounts of one group share a limit and cool down together
    #[arg(long, value_name = "NAME")]
    pub quota_group: Option<String>,
    /// Higher is taken first
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub priority: Option<i32>,
    /// Its share among equals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub weight: Option<u32>,
    /// At most this many requests a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rpm: Option<u32>,
    /// At most this many tokens a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub tpm: Option<u64>,
    /// At most this many calls at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,
    /// Its own outbound proxy; one with a password belongs into the file, where no other user reads it
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Only models that match, with * and ?; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub models: Vec<String>,
    /// What unlocks the vault
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// Accounts by id or by tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[group(required = true, multiple = true)]
pub struct Chosen {
    /// Their ids
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All accounts with this tag
    #[arg(long, value_name = "TAG", conflicts_with = "ids")]
    pub tag: Option<String>,
}

impl Chosen {
    /// As a running gateway is asked.
    pub fn record(&self) -> operator::Chosen {
        match &self.tag {
            Some(tag) => operator::Chosen::Tag(tag.clone()),
            None => operator::Chosen::Ids(self.ids.clone()),
        }
    }
}

/// `account rm`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RmAccounts {
    /// Which
    #[command(flatten)]
    pub chosen: Chosen,
    /// Leave the key in the vault
    #[arg(long)]
    pub keep_secret: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// What unlocks the vault
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `account test`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct TestAccounts {
    /// Which
    #[command(flatten)]
    pub chosen: Chosen,
    /// How to write
    #[command(flatten)]
    pub format: Format,
    /// What unlocks the vault where no gateway runs
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `account import`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ImportAccounts {
    /// What to read: the environment, a dotenv file, a LiteLLM config, or CLIProxyAPI's auth folder
    #[arg(value_enum)]
    pub from: ImportFrom,
    /// The file or folder; the environment has none
    #[arg(value_name = "PATH", required_if_eq_any([("from", "dotenv"), ("from", "litellm"), ("from", "cliproxyapi")]))]
    pub path: Option<PathBuf>,
    /// Only show what would be done; no key is shown
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// A tag for all that is imported; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// What unlocks the vault
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// What keys are taken over from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFrom {
    /// The variables of this process
    Env,
    /// A file of NAME=value lines
    Dotenv,
    /// A LiteLLM proxy's YAML: model_list
    Litellm,
    /// The folder in which CLIProxyAPI keeps credentials
    Cliproxyapi,
}
