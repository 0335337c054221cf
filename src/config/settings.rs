//! The settings after all layers are merged and checked: what the other rooms read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::budgets::Budget;
use super::capture::Capture;
use super::oauth::Oauth;
use super::observed::Otlp;
use super::workflows::{AskRules, CommitRules, ReviewRules};
pub use crate::catalog::Limits;
use crate::catalog::reasoning::{Family, Policy, Show};
use crate::catalog::{BodyRules, Provider, Redact};
use crate::kit::Money;

/// Every setting, checked. Built only by this room.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the gateway listens.
    pub listen: Vec<Listen>,
    /// Whether plaintext TCP off loopback is allowed.
    pub allow_plaintext: bool,
    /// Host names besides loopback that a request's `Host` may carry.
    pub hosts: Vec<String>,
    /// Browser origins that may call.
    pub origins: Vec<String>,
    /// Certificate and key for `tls://` doors.
    pub tls: Option<Tls>,
    /// Outbound proxy for every provider that names none.
    pub proxy: Option<String>,
    /// The provider for bare model names that are known nowhere.
    pub default_provider: Option<String>,
    /// Whether keys in the environment and local servers are looked for.
    pub discover: bool,
    /// Providers by id: shipped, the user's files, and stanzas over both.
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// Where a provider's definition comes from, by its id: the last file that says something about it, or `shipped`.
    pub provider_origins: BTreeMap<String, String>,
    /// Accounts in the order of the configuration, those found by discovery last.
    pub accounts: Vec<Arc<Account>>,
    /// Aliases, pools and fallback chains.
    pub models: BTreeMap<String, Alias>,
    /// The user's own families of models that are told how hard to think.
    pub families: Vec<Family>,
    /// Rules per client key name.
    pub clients: BTreeMap<String, ClientRules>,
    /// Second opinions, by the name after `dialectics/`.
    pub dialectics: BTreeMap<String, Dialectic>,
    /// What may be spent, by name.
    pub budgets: BTreeMap<String, Arc<Budget>>,
    /// The time zone whose midnights begin the days and months of budgets.
    pub time_zone: jiff::tz::TimeZone,
    /// The waiting room.
    pub parking: Parking,
    /// How `ask` asks.
    pub ask: AskRules,
    /// How commit messages are written.
    pub commit: CommitRules,
    /// How diffs are reviewed.
    pub review: ReviewRules,
    /// Where secrets rest.
    pub vault: VaultPlace,
    /// Whose prompts and answers are kept.
    pub capture: Capture,
    /// For how long calls are kept.
    pub ledger: Keep,
    /// Whether `/metrics` is shown without a client key, account names left out.
    pub metrics_public: bool,
    /// The collector that calls are told to, where there is one.
    pub otlp: Option<Arc<Otlp>>,
    /// Countries whose national numbers of persons count as secrets.
    pub national_ids: Vec<Nation>,
    /// A stream's wait after which 200 and keep-alives are sent.
    pub header_after: Duration,
    /// Between two keep-alive frames.
    pub keep_alive: Duration,
    /// The largest JSON body in bytes.
    pub body_limit: usize,
    /// The largest streamed upload in bytes.
    pub upload_limit: u64,
}

/// A door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Plain HTTP/1.1 and HTTP/2.
    Tcp(SocketAddr),
    /// The same inside TLS.
    Tls(SocketAddr),
    /// A Unix socket; `None` is the home's own.
    Unix(Option<PathBuf>),
    /// A Windows named pipe.
    Pipe(String),
}

/// Certificate files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// One credential with its limits. The secret itself is elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// The provider it belongs to.
    pub provider: String,
    /// Where its secret comes from.
    pub secret: SecretSource,
    /// How it gets tokens, where it sends no fixed key.
    pub oauth: Option<Arc<Oauth>>,
    /// Its own base URL, where accounts of one provider live at different places (Azure resources).
    pub base_url: Option<String>,
    /// Accounts of one group share their limits and cool down together.
    pub quota_group: Option<String>,
    /// Free words for choosing several accounts at once.
    pub tags: Vec<String>,
    /// Higher is taken first.
    pub priority: i32,
    /// Its share among equals.
    pub weight: u32,
    /// Local limits.
    pub limits: Limits,
    /// Its own outbound proxy.
    pub proxy: Option<String>,
    /// The only models it may be used for, as globs; empty means all.
    pub models: Vec<String>,
    /// Whether a person switched it off.
    pub disabled: bool,
    /// Where it was found, for people: `keywheel.toml`, `OPENAI_API_KEY`, `127.0.0.1:11434`.
    pub origin: String,
}

/// Where an account's secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// No secret: a local server.
    None,
    /// An environment variable of the gateway's own process.
    Env(String),
    /// A program and its arguments that prints the secret.
    Command {
        /// The program and its arguments; no shell is involved.
        argv: Vec<String>,
        /// How long what it printed may be used; without it, until the key is rejected.
        ttl: Option<Duration>,
    },
    /// The vault, under this name.
    Vault(String),
}

/// A model name of the user's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// `provider/model` in the order of preference.
    pub route: Vec<String>,
    /// How an account is chosen.
    pub strategy: Strategy,
    /// Changes to top-level body fields for this route.
    pub body: BodyRules,
    /// Headers set for this route.
    pub headers: BTreeMap<String, String>,
    /// What becomes of secrets in prompts.
    pub redact: Redact,
    /// How hard its models think.
    pub reasoning: Option<Policy>,
}

/// How an account is chosen among those that could take the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By affinity, else fill-first.
    #[default]
    Sticky,
    /// In turn.
    RoundRobin,
    /// In the order of the configuration.
    FillFirst,
    /// Fewest calls under way per weight.
    LeastBusy,
    /// At random by weight.
    Weighted,
    /// Most left of the tightest limit, what resets soonest first.
    QuotaOptimized,
    /// Lowest price of the longest answer, over all routes at once.
    Cheapest,
    /// Soonest first byte.
    Latency,
    /// Quota, latency and calls under way together.
    Hybrid,
}

/// Rules for the calls of one client key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientRules {
    /// Changes to top-level body fields.
    pub body: BodyRules,
    /// Headers set for this client.
    pub headers: BTreeMap<String, String>,
    /// Limits over all its calls.
    pub limits: Limits,
    /// What becomes of secrets in prompts.
    pub redact: Redact,
    /// How hard models think for it; goes before what a route says.
    pub reasoning: Option<Policy>,
    /// What it sees of their reasoning.
    pub show_reasoning: Show,
}

/// Several models that answer one call together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialectic {
    /// How they work together.
    pub mode: Mode,
    /// `provider/model` of each, in order.
    pub legs: Vec<String>,
    /// `provider/model` that writes the final answer; the first leg when absent.
    pub synthesis: Option<String>,
    /// How often the sides of a debate speak.
    pub rounds: u32,
    /// A leg that has not ended its answer by then goes missing.
    pub leg_timeout: Duration,
    /// A call that could cost more is not begun.
    pub max_cost: Option<Money>,
    /// Who gets the client's tools.
    pub tools: ToolsFor,
    /// Whether every answer comes with a report of what was agreed and what disputed.
    pub report: bool,
}

/// How long a leg may take where nobody says otherwise.
pub const LEG_TIMEOUT: Duration = Duration::from_secs(180);

/// Who gets the client's tools in a dialectic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolsFor {
    /// The synthesis alone: it may call them.
    #[default]
    Synthesis,
    /// The legs too: what they would call is told to the synthesis.
    All,
}

/// How the legs of a dialectic work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They take opposed sides.
    Debate,
    /// Each takes a part.
    Split,
    /// Each answers alone.
    Panel,
}

/// The waiting room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parking {
    /// The longest wait of one call.
    pub max_wait: Duration,
    /// The most calls that wait.
    pub max_parked: usize,
}

/// For how long calls are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Those that came longer ago leave.
    pub age: Duration,
    /// Where the calls take more bytes than this, the oldest leave.
    pub size: Option<u64>,
}

/// Where secrets rest; `None` is the usual place or way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultPlace {
    /// What keeps the key of a new vault.
    pub home: Option<VaultHome>,
    /// The sealed file.
    pub file: Option<PathBuf>,
    /// A file that opens it.
    pub key_file: Option<PathBuf>,
    /// How long the kernel may keep it open after a passphrase.
    pub unlock_cache: Option<Duration>,
}

/// What keeps the key of a new vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VaultHome {
    /// The desktop's keychain and nothing else.
    Keychain,
    /// A key that is bound to this machine; no keychain is asked.
    Machine,
    /// The file that `key_file` names.
    KeyFile,
}

/// A country whose national numbers of persons count as secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nation {
    /// Brazil: CPF.
    Br,
    /// Canada: SIN.
    Ca,
    /// Germany: tax identification number.
    De,
    /// Spain: DNI.
    Es,
    /// France: NIR.
    Fr,
    /// The Netherlands: BSN.
    Nl,
    /// Poland: PESEL.
    Pl,
    /// The United States: SSN.
    Us,
}
