//! The questions and the rows of their answers. Field names are stable: scripts read them with `--json`.

use serde::{Deserialize, Serialize};

use super::calls::{CostRow, Like, RequestRow};
use super::exchanged::Exchanged;
use super::explained::Explained;
use super::{BudgetRow, Handed, Merit};

/// A question or an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// How the gateway is doing.
    Status,
    /// Every account and its state.
    Accounts,
    /// Every provider, with the number of its accounts.
    Providers,
    /// Every model that can be called now; with `why`, also those that cannot, and the reason.
    Models {
        /// Whether to explain.
        why: bool,
    },
    /// The newest calls.
    Requests {
        /// At most this many.
        limit: usize,
        /// Only those that did not complete.
        failed: bool,
        /// Only those that are like this.
        #[serde(default)]
        like: Like,
    },
    /// One call by the beginning of its id.
    Request {
        /// The beginning of its id.
        id: String,
    },
    /// One call with its bodies, by the beginning of its id.
    Exchange {
        /// The beginning of its id.
        id: String,
    },
    /// What calls consumed and cost.
    Costs {
        /// What they are put together by, several between commas: `model`, `provider`, `account`, `client`, `project`,
        /// `session`, `branch`, `run`, `tier`, `outcome`, `day` or `hour`.
        by: String,
        /// Only calls from this time on, in microseconds since the epoch.
        since: Option<i64>,
        /// Only calls before this time.
        #[serde(default)]
        until: Option<i64>,
    },
    /// How budgets stand.
    Budgets,
    /// Why a past call went where it went.
    Explain {
        /// The beginning of its id.
        id: String,
    },
    /// Read the configuration again.
    Reload,
    /// Renew an account's token now.
    RefreshAccount {
        /// The account.
        id: String,
    },
    /// Try accounts against their providers.
    Test(Chosen),
    /// End the cooldowns of accounts.
    Heal(Chosen),
    /// What accounts have used and have left.
    Quota {
        /// Which; all when empty.
        ids: Vec<String>,
        /// Ask providers for balances.
        refresh: bool,
    },
    /// Look at the vault, unlock or lock it.
    Vault(VaultOrder),
    /// Stop serving, letting calls under way finish for a while.
    Stop,
}

/// Which accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// By their ids.
    Ids(Vec<String>),
    /// All with this tag.
    Tag(String),
}

/// What the gateway shall do with its vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultOrder {
    /// Say whether it is locked.
    Look,
    /// Open it with the data key that another process of the same person found.
    Unlock(Handed),
    /// Lock it until somebody unlocks it.
    Lock,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Status`.
    Status(Status),
    /// To `Accounts`.
    Accounts(Vec<AccountRow>),
    /// To `Providers`.
    Providers(Vec<ProviderRow>),
    /// To `Models`.
    Models(Vec<ModelRow>),
    /// To `Requests`.
    Requests(Vec<RequestRow>),
    /// To `Request`: the row, its attempts and decisions as JSON.
    Request(serde_json::Value),
    /// To `Exchange`.
    Exchanged(Box<Exchanged>),
    /// To `Test`.
    Tested(Vec<TestRow>),
    /// To `Quota`.
    Quota(Vec<QuotaRow>),
    /// To `Vault(Look)`.
    Vault {
        /// Whether it is locked; `None` when there is none.
        locked: Option<bool>,
    },
    /// To `Costs`.
    Costs(Vec<CostRow>),
    /// To `Budgets`.
    Budgets(Vec<BudgetRow>),
    /// To `Explain`.
    Explained(Box<Explained>),
    /// To an order: what was done, in words.
    Done(String),
}

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// One sentence that says what to do.
    pub message: String,
    /// What kind of refusal it is: exit codes hang on it.
    #[serde(default)]
    pub reason: Reason,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It could not be done.
    #[default]
    Failed,
    /// The configuration is not valid.
    BadConfig,
}

impl Refusal {
    /// A refusal in these words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), reason: Reason::Failed }
    }

    /// A configuration that is not valid, in these words.
    pub fn bad_config(message: impl Into<String>) -> Self {
        Self { message: message.into(), reason: Reason::BadConfig }
    }
}

/// How the gateway is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started, RFC 3339.
    pub started: String,
    /// Its doors, as URLs with the real ports.
    pub listen: Vec<String>,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait for an account.
    pub parked: usize,
    /// Their lines, one for each model that is waited for.
    #[serde(default)]
    pub waiting: Vec<Line>,
    /// Accounts that can take a call now, and all accounts.
    pub accounts_ready: usize,
    /// All accounts.
    pub accounts: usize,
    /// Budgets, without the parts that have room.
    #[serde(default)]
    pub budgets: Vec<BudgetRow>,
    /// What is wrong now, in sentences; empty when all is well.
    pub warnings: Vec<String>,
    /// How far the ledger is behind; absent when it is not.
    #[serde(default)]
    pub ledger_lag: Option<LedgerLag>,
}

/// How far the ledger is behind: answers go out, and what is queued is written once that can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLag {
    /// How many calls wait to be written.
    pub queued: usize,
    /// Milliseconds that the oldest of them has waited.
    pub behind_ms: u64,
    /// Why, in words.
    pub why: String,
}

/// Calls that wait for the same accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The model as clients name it.
    pub plan: String,
    /// How many wait.
    pub calls: usize,
    /// When the first of them expects an account, RFC 3339; absent when one may come back any moment.
    pub first: Option<String>,
    /// When the last of them can expect one, as those before it went.
    pub last: Option<String>,
}

/// An account and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its id.
    pub id: String,
    /// Its provider.
    pub provider: String,
    /// The accounts it shares limits with.
    pub quota_group: Option<String>,
    /// The words by which it can be chosen with others.
    pub tags: Vec<String>,
    /// `ready`, `cooling`, `half_open`, `no_secret`, `needs_login` or `disabled`.
    pub state: String,
    /// Why, in words; empty when ready.
    pub reason: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Until when, RFC 3339.
    pub until: Option<String>,
    /// All of that in one sentence.
    #[serde(default)]
    pub says: String,
    /// Calls under way.
    #[serde(default)]
    pub busy: u32,
    /// When it was last taken for a call, RFC 3339.
    #[serde(default)]
    pub used: Option<String>,
}

/// What an account has used and has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRow {
    /// Its id.
    pub account: String,
    /// Its provider.
    pub provider: String,
    /// `ready`, `cooling`, `half_open`, `no_secret`, `needs_login` or `disabled`.
    pub state: String,
    /// Until when, RFC 3339.
    pub until: Option<String>,
    /// Its limits, learned from answers or set by a person.
    pub windows: Vec<QuotaWindow>,
    /// The money that is left, with its currency; absent where its provider does not tell.
    pub balance: Option<String>,
    /// Why the balance is not known.
    pub balance_error: Option<String>,
}

/// One limit of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaWindow {
    /// What it counts, and over which time: `requests of this minute`.
    pub what: String,
    /// The model that it is for; absent when it is for all.
    pub model: Option<String>,
    /// `provider` where its answers told of it, `settings` where a person set it.
    pub source: String,
    /// The most there can be.
    pub limit: Option<u64>,
    /// What is used of it.
    pub used: Option<u64>,
    /// What is left of it.
    pub left: Option<u64>,
    /// When all of it is there again, RFC 3339.
    pub reset: Option<String>,
}

/// How an account did when it was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRow {
    /// Its id.
    pub id: String,
    /// Its provider.
    pub provider: String,
    /// Whether the provider answered as it should.
    pub ok: bool,
    /// The code of what went wrong.
    pub code: Option<String>,
    /// What was found, in words.
    pub reason: String,
    /// How long it took in milliseconds.
    pub took_ms: u64,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRow {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The dialect it speaks.
    pub adapter: String,
    /// Where it lives.
    pub base_url: String,
    /// How many accounts it has.
    pub accounts: usize,
    /// Where its definition comes from: `shipped`, or a file.
    pub origin: String,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRow {
    /// As a client may write it.
    pub id: String,
    /// Its provider; several, comma-separated, for an alias.
    pub provider: String,
    /// Whether it can be called now.
    pub callable: bool,
    /// Why it can or cannot, in words.
    pub why: String,
    /// What it is good for.
    #[serde(default)]
    pub merit: Merit,
}
