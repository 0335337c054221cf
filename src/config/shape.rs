//! What a settings file may say, with every default: the JSON schema, the check of a file and its reading come from
//! these types.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::budgets::{BudgetEntry, Zone};
use super::capture::CaptureEntry;
use super::forms::{Route, Size, Usd};
use super::observed::{MetricsEntry, OtlpEntry};
use super::settings::{LEG_TIMEOUT, Listen, Mode, Nation, Strategy, ToolsFor, VaultHome};
use super::workflows::{AskRules, CommitEntry, ReviewEntry};
use crate::catalog::reasoning::{Family, Policy, Show};
use crate::catalog::{
    BaseUrl, BodyRules, Limits, OauthEntry, ProxyUrl, Redact, SecretEntry, Stanza, Timeouts, Wait, Waits,
};

/// The settings file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "keywheel.toml")]
pub(super) struct Shape {
    /// Where the gateway listens: `tcp://HOST:PORT`, `tls://HOST:PORT`, `unix:///PATH`, `unix:` (the home's own socket),
    /// `pipe://NAME` (Windows).
    #[schemars(length(min = 1))]
    pub listen: Vec<Listen>,
    /// Whether `tcp://` may listen off loopback, where keys travel unencrypted.
    pub allow_plaintext: bool,
    /// Host names besides loopback that a request's `Host` may carry.
    pub hosts: Vec<String>,
    /// Browser origins that may call: `https://app.example.com`.
    pub origins: Vec<String>,
    /// Certificate and key for `tls://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// Outbound proxy for every provider that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyUrl>,
    /// The provider for bare model names that are known nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_provider: Option<String>,
    /// Whether keys in the environment and servers on this machine are looked for at start.
    pub discover: bool,
    /// A stream's wait after which status 200 and keep-alives are sent.
    pub header_after: Wait,
    /// Between two keep-alive frames.
    pub keep_alive: Wait,
    /// The largest JSON body.
    pub body_limit: Size,
    /// The largest streamed upload.
    pub upload_limit: Size,
    /// The time zone whose midnights begin the days and months of budgets.
    pub time_zone: Zone,
    /// How long to wait for providers that say nothing else.
    pub timeouts: Waits,
    /// The waiting room.
    pub parking: ParkingEntry,
    /// Where secrets rest.
    pub vault: VaultEntry,
    /// Whose prompts and answers are kept, and for how long.
    pub capture: CaptureEntry,
    /// The record of calls.
    pub ledger: LedgerEntry,
    /// The page of counters, `/metrics`.
    pub metrics: MetricsEntry,
    /// The collector that calls are told to.
    pub otlp: OtlpEntry,
    /// Countries whose national numbers of persons count as secrets; none unless named.
    pub national_ids: Vec<Nation>,
    /// Providers by id; a shipped id needs no stanza, one here overrides only the keys it names.
    pub providers: BTreeMap<String, Stanza>,
    /// Credentials.
    pub accounts: Vec<AccountEntry>,
    /// Model names of your own: alias, pool and fallback chain in one.
    pub models: BTreeMap<String, AliasEntry>,
    /// Models that are told how hard to think; these rows go before those that are shipped.
    pub reasoning: Vec<Family>,
    /// Rules per client key name.
    pub clients: BTreeMap<String, ClientEntry>,
    /// Second opinions, by the name after `dialectics/`.
    pub dialectics: BTreeMap<String, DialecticEntry>,
    /// `keywheel ask`.
    pub ask: AskRules,
    /// Commit messages and the search of staged files.
    pub commit: CommitEntry,
    /// Reviews.
    pub review: ReviewEntry,
    /// What may be spent, by a name of your own.
    pub budgets: BTreeMap<String, BudgetEntry>,
}

/// Certificate files in PEM, relative to the configuration folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The waiting room.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ParkingEntry {
    /// The longest wait of one call.
    pub max_wait: Wait,
    /// The most calls that wait.
    pub max_parked: u32,
}

/// The record of calls. What they cost by the hour is kept for ever.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LedgerEntry {
    /// For how long calls are kept: `365d`.
    pub keep: Wait,
    /// Where the calls take more than this, the oldest leave; when absent the file grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Size>,
}

/// Where secrets rest. Changes are used after the next start.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct VaultEntry {
    /// What keeps the key of a new vault; when absent `key_file` if it is set, else the keychain where there is one, else
    /// this machine's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<VaultHome>,
    /// The sealed file, relative to the configuration folder; `vault.sealed` in the data folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A file of at least 32 random bytes whose owner guards it, such as a systemd credential: it opens the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// How long the Linux kernel may keep the vault open for this user after a passphrase; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlock_cache: Option<Wait>,
}

/// One credential.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "provider"]))]
pub(super) struct AccountEntry {
    /// Its id, unlike any other account's.
    #[schemars(length(min = 1))]
    pub id: String,
    /// The provider it belongs to.
    pub provider: String,
    /// Where its secret comes from; `{ vault = ID }` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretEntry>,
    /// How it gets tokens, where it sends no fixed key; over what its provider says.
    pub oauth: OauthEntry,
    /// Its own base URL, where accounts of one provider live at different places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<BaseUrl>,
    /// Accounts of one group share a limit and cool down together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_group: Option<String>,
    /// Free words for choosing several accounts at once.
    pub tags: Vec<String>,
    /// Higher is taken first.
    pub priority: i32,
    /// Its share among equals.
    #[schemars(range(min = 1))]
    pub weight: u32,
    /// Local limits.
    pub limits: Limits,
    /// Its own outbound proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyUrl>,
    /// The only models it may be used for, as globs; empty means all.
    pub models: Vec<String>,
    /// Switched off by a person.
    pub disabled: bool,
}

/// A model name of your own.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["route"]))]
pub(super) struct AliasEntry {
    /// `provider/model` in the order of preference.
    #[schemars(length(min = 1))]
    pub route: Vec<Route>,
    /// How an account is chosen.
    pub strategy: Strategy,
    /// Changes to top-level body fields for this route.
    pub body: BodyRules,
    /// Headers set for this route.
    pub headers: BTreeMap<String, String>,
    /// What becomes of secrets in prompts; the strictest of route, provider and client counts.
    pub redact: Redact,
    /// How hard its models think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Policy>,
}

/// Rules for the calls of one client key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClientEntry {
    /// Changes to top-level body fields.
    pub body: BodyRules,
    /// Headers set for this client.
    pub headers: BTreeMap<String, String>,
    /// Limits over all its calls, besides those of its key.
    pub limits: Limits,
    /// What becomes of secrets in prompts; the strictest of route, provider and client counts.
    pub redact: Redact,
    /// How hard models think for it; goes before what a route says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Policy>,
    /// What it sees of their reasoning.
    pub show_reasoning: Show,
}

/// Several models that answer one call together.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DialecticEntry {
    /// How they work together.
    pub mode: Mode,
    /// `provider/model` of each, in order. In a debate they take the two sides in turn.
    #[schemars(length(min = 2, max = 8))]
    pub legs: Vec<Route>,
    /// `provider/model` that plans a split, and that judges and writes the final answer; the first leg when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<Route>,
    /// How often the sides of a debate speak; from the second time on each has read the other.
    #[serde(default = "one_round")]
    #[schemars(range(min = 1, max = 5))]
    pub rounds: u32,
    /// A leg that has not ended its answer by then goes missing.
    #[serde(default = "leg_timeout")]
    pub leg_timeout: Wait,
    /// USD as a text: a call that could cost more is not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<Usd>,
    /// Who gets the client's tools.
    #[serde(default)]
    pub tools: ToolsFor,
    /// Whether every answer comes with a report of what was agreed and what disputed.
    #[serde(default)]
    pub report: bool,
}

const fn one_round() -> u32 {
    1
}

const fn leg_timeout() -> Wait {
    Wait(LEG_TIMEOUT)
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Tcp(([127, 0, 0, 1], 4141).into()), Listen::Unix(None)],
            allow_plaintext: false,
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: None,
            proxy: None,
            default_provider: None,
            discover: true,
            header_after: Wait(Duration::from_secs(25)),
            keep_alive: Wait(Duration::from_secs(30)),
            body_limit: Size(64 << 20),
            upload_limit: Size(2 << 30),
            time_zone: Zone(jiff::tz::TimeZone::UTC),
            timeouts: Timeouts::default().into(),
            parking: ParkingEntry::default(),
            vault: VaultEntry::default(),
            capture: CaptureEntry::default(),
            ledger: LedgerEntry::default(),
            metrics: MetricsEntry::default(),
            otlp: OtlpEntry::default(),
            national_ids: Vec::new(),
            providers: BTreeMap::new(),
            accounts: Vec::new(),
            models: BTreeMap::new(),
            reasoning: Vec::new(),
            clients: BTreeMap::new(),
            dialectics: BTreeMap::new(),
            ask: AskRules::default(),
            commit: CommitEntry::default(),
            review: ReviewEntry::default(),
            budgets: BTreeMap::new(),
        }
    }
}

impl Default for ParkingEntry {
    fn default() -> Self {
        Self { max_wait: Wait(Duration::from_secs(60)), max_parked: 1000 }
    }
}

impl Default for LedgerEntry {
    fn default() -> Self {
        Self { keep: Wait(Duration::from_secs(365 * 86_400)), max_size: None }
    }
}

impl Default for AccountEntry {
    fn default() -> Self {
        Self {
            id: String::new(),
            provider: String::new(),
            secret: None,
            oauth: OauthEntry::default(),
            base_url: None,
            quota_group: None,
            tags: Vec::new(),
            priority: 0,
            weight: 1,
            limits: Limits::default(),
            proxy: None,
            models: Vec::new(),
            disabled: false,
        }
    }
}
