//! Every verb and flag. The doc comments are the help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::account::{AddAccount, Chosen, EnableAccounts, ImportAccounts, ListAccounts, RmAccounts, TestAccounts};
use super::bodies::Bodies;
use super::dialectics::Dialectics;
use super::explain::Explain;
use super::login::{Login, RefreshAccounts};
use super::quota::Quota;
use super::replay::Replay;
use super::since::Since;
use super::{AskModel, Commit, Cost, Doctor, HookVerb, Narrow, PriceVerb, ReviewDiff, VaultVerb, wait};

/// The heading of the options that every verb takes.
const PLACES: &str = "Places";

/// One OpenAI-compatible endpoint in front of every AI account you own
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "keywheel", version, subcommand_required = true, arg_required_else_help = true)]
pub struct Command {
    /// Keep everything under this folder [env: KEYWHEEL_HOME]
    #[arg(long, global = true, value_name = "DIR", help_heading = PLACES, display_order = 900)]
    pub home: Option<PathBuf>,
    /// The settings file [env: KEYWHEEL_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = PLACES, display_order = 901)]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Verb {
    /// Start the gateway
    Serve(Serve),
    /// Say how the running gateway is doing
    Status(Format),
    /// Look everything over, and say what is wrong and what to do
    Doctor(Doctor),
    /// Stop the running gateway; calls under way may finish
    Stop,
    /// Read the configuration again; a broken one changes nothing
    Reload,
    /// List the newest calls, or show one with its attempts and decisions
    #[command(visible_alias = "request")]
    Requests(Requests),
    /// Say what calls consumed and what they cost
    Cost(Cost),
    /// Ask several models for one answer: a debate, a split, a panel
    Dialectics(Dialectics),
    /// Say why a past call went where it went, and why the others did not get it
    Explain(Explain),
    /// Send calls that were kept again, and compare answer, cost and latency
    Replay(Replay),
    /// Make, list, rotate and remove client keys
    #[command(subcommand)]
    Client(ClientVerb),
    /// Add, show, test and remove accounts
    #[command(subcommand)]
    Account(AccountVerb),
    /// Show, unlock, lock, re-key, export and import the vault
    #[command(subcommand)]
    Vault(VaultVerb),
    /// Show what accounts have used, what is left, and when there is more
    Quota(Quota),
    /// Show providers, or check a provider's file
    #[command(subcommand)]
    Provider(ProviderVerb),
    /// Show the models that can be called
    #[command(subcommand)]
    Model(ModelVerb),
    /// Show and check what models cost, and import prices
    #[command(subcommand)]
    Price(PriceVerb),
    /// Show, check and change the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Ask a model
    Ask(AskModel),
    /// Commit what is staged with a message that a model writes
    Commit(Commit),
    /// Have a diff read for mistakes
    Review(ReviewDiff),
    /// Git hooks: messages that write themselves, and a search for secrets
    #[command(subcommand)]
    Hook(HookVerb),
    /// Write the completions for a shell to stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page to stdout; read it with: keywheel man | man -l -
    Man,
}

/// `serve`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Serve {
    /// tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, or unix: for the home's own socket; may be repeated
    #[arg(long, value_name = "URL")]
    pub listen: Vec<String>,
    /// Look neither for provider keys in the environment nor for local servers
    #[arg(long)]
    pub no_discover: bool,
    /// Go into the background once ready; the log goes to keywheel.log in the state folder
    #[arg(short, long)]
    pub detach: bool,
    /// How log lines look: text or json
    #[arg(long, value_enum, default_value_t, value_name = "FORM", hide_possible_values = true)]
    pub log: LogFormat,
    /// Set by `--detach` for the process in the background
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Format {
    /// Write one JSON object a line, with stable names
    #[arg(long)]
    pub json: bool,
}

/// `requests`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Requests {
    /// Show this call alone: the beginning of its id is enough
    #[arg(value_name = "ID", conflicts_with_all = ["limit", "failed"])]
    pub id: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Only those that did not complete
    #[arg(long)]
    pub failed: bool,
    /// What to show or export of what was said
    #[command(flatten)]
    pub bodies: Bodies,
    /// Which others to leave out
    #[command(flatten)]
    pub narrow: Narrow,
    /// Go on with those that come, until you stop it
    #[arg(long, conflicts_with = "id")]
    pub follow: bool,
    /// Where the time went, in microseconds
    #[arg(long, requires = "id")]
    pub timing: bool,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

impl Requests {
    /// Every call that did not complete, of this time on.
    pub fn failed(limit: u32, since: Option<Since>) -> Self {
        let bodies = Bodies { body: false, curl: false, har: false, ndjson: false };
        let (narrow, format) = (Narrow { since, ..Narrow::default() }, Format { json: false });
        Self { id: None, limit, failed: true, narrow, follow: false, timing: false, bodies, format }
    }
}

/// `client …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ClientVerb {
    /// Make a client and print its key, this once
    Add(NewClient),
    /// List clients; keys cannot be shown again
    #[command(visible_alias = "ls")]
    List(Format),
    /// Give a client a new key and print it, this once
    Rotate {
        /// The client
        name: String,
        /// How long the old key goes on working: 30s, 15m, 12h, 7d; without it, 24h
        #[arg(long, value_name = "TIME", value_parser = wait::parse)]
        overlap: Option<Duration>,
    },
    /// Remove a client; its key stops working within a second
    Rm {
        /// The client
        name: String,
    },
}

/// `client add`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct NewClient {
    /// Its name: letters, digits, dots, dashes, underscores
    pub name: String,
    /// Only models that match, as provider/model with * and ?; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub models: Vec<String>,
    /// How long the key works: 12h, 30d; without it, until it is removed
    #[arg(long, value_name = "TIME", value_parser = wait::parse)]
    pub ttl: Option<Duration>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    pub rpm: Option<u32>,
    /// Do not tell this client which account answered
    #[arg(long)]
    pub hide_account: bool,
}

/// `account …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum AccountVerb {
    /// List accounts and their state
    #[command(visible_alias = "ls")]
    List(ListAccounts),
    /// Add an account: its key goes into the vault, the rest into the settings file
    Add(AddAccount),
    /// Log in by a code on any device, by a browser, or with what you bring
    Login(Login),
    /// Renew accounts' tokens now
    Refresh(RefreshAccounts),
    /// Take keys over from where other programs keep them
    Import(ImportAccounts),
    /// Ask providers whether they take the keys of accounts
    Test(TestAccounts),
    /// Switch accounts on
    Enable(EnableAccounts),
    /// Switch accounts off: they take no calls until they are switched on
    Disable(Chosen),
    /// Remove accounts with their keys
    Rm(RmAccounts),
    /// Show one account
    Show {
        /// Its id
        id: String,
        /// How to write
        #[command(flatten)]
        format: Format,
    },
}

/// `provider …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ProviderVerb {
    /// List providers
    #[command(visible_alias = "ls")]
    List(Format),
    /// Show one provider with every default filled in
    Show {
        /// Its id
        id: String,
        /// How to write
        #[command(flatten)]
        format: Format,
    },
    /// Check a provider's TOML file
    Check {
        /// The file
        file: PathBuf,
    },
}

/// `model …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ModelVerb {
    /// List the models that can be called now
    #[command(visible_alias = "ls")]
    List {
        /// Also those that cannot be called now, and say why
        #[arg(long)]
        why: bool,
        /// How to write
        #[command(flatten)]
        format: Format,
    },
}

/// `config …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigVerb {
    /// Show the settings in force, all layers merged
    Show {
        /// Say for each value which file, variable or flag it comes from
        #[arg(long)]
        origin: bool,
    },
    /// Check the files: each mistake with its line and the nearest valid key
    Check,
    /// Write the JSON Schema of the file, for editors
    Schema,
    /// Say which files are read
    Path,
    /// Take back the last change that keywheel made to the file
    Undo,
    /// Change one key of the file; comments stay
    Set {
        /// The key, dotted: parking.max_wait
        key: String,
        /// The value, as TOML; bare words are taken as text
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
}
