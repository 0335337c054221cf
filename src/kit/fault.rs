//! What went wrong, decided once: a fault answers what the client sees, whom to blame and what to try next.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use super::Time;

/// A classified failure. Its words are for people: lower case, no final dot, no secret, and what to do next.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What kind of failure it is; all behaviour hangs on it.
    pub kind: Kind,
    /// One sentence for the client.
    pub message: Cow<'static, str>,
    /// The machine-readable code of the dialect (`model_not_found`); the kind's own when absent.
    pub code: Option<Cow<'static, str>>,
    /// The request field at fault, where one is known.
    pub param: Option<Cow<'static, str>>,
    /// The upstream's own answer, already free of secrets; handed on when the dialects match.
    pub said: Option<Box<Said>>,
}

/// An upstream's error answer.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its HTTP status.
    pub status: u16,
    /// Its `content-type`, where it sent one.
    pub content_type: Option<String>,
    /// Its body, cut at 64 KiB.
    pub body: Bytes,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The client's own mistake: malformed, too large, too long a context. Carries the HTTP status.
    Invalid(u16),
    /// A content filter refused; trying elsewhere would be evasion.
    Filtered,
    /// The caller's client key is missing, wrong or expired.
    Unauthorized,
    /// The caller may not do this: model outside its scope, foreign host or origin.
    Forbidden,
    /// No such endpoint or model in this gateway.
    NotFound,
    /// The caller is over its own client limit.
    ClientLimit(Duration),
    /// The provider refused the account's key.
    KeyRejected,
    /// The provider put the account on hold, or refuses where we call from; a person must act.
    Blocked,
    /// The account's login has ended: only a person can start a new one.
    NeedsLogin,
    /// The account's token has expired and could not be renewed; the wait until that is tried again.
    StaleToken(Duration),
    /// The account's secret lies in a vault that is locked.
    VaultLocked,
    /// The account's secret is not where the settings say.
    NoSecret,
    /// The account's money is spent, until the stated time where one is known.
    OutOfCredit(Option<Time>),
    /// The account's own budget is spent, until the stated time where one is known; its quota group goes on.
    OverBudget(Option<Time>),
    /// The account is over a rate limit; the wait is the provider's hint.
    Throttled(Option<Duration>, Scope),
    /// This account cannot call this model.
    ModelMissing,
    /// The provider is short of capacity.
    Overloaded(Option<Duration>),
    /// The provider failed with this HTTP status before any content.
    Upstream(u16),
    /// No connection: DNS, TCP, TLS or proxy.
    Unreachable,
    /// The provider stayed silent for too long.
    Stalled,
    /// The answer broke off after content had been passed on.
    Broken,
    /// No account can take the call before the stated time, where one is known.
    Exhausted(Option<Time>),
    /// A budget of the gateway's owner has no room for the call, until the stated time where one is known.
    BudgetSpent(Option<Time>, Within),
    /// The ledger is behind, so a budget that must hold cannot be kept just now.
    LedgerLag,
    /// The client left; nobody is told.
    Left,
    /// A defect or a full disk on our side.
    Internal,
}

/// How far a rate limit reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This account with this model (and its quota group with it).
    Model,
    /// Every model of the account (and of its quota group).
    Account,
    /// Only the number of calls at once: fewer help now, waiting is short.
    Concurrency,
    /// Every model of the account, whose use grew too fast: it may grow, but more slowly.
    Ramp,
}

/// How far a budget without room reaches: what else may still take the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// This account only: another one may.
    Account,
    /// This provider or model: another route may.
    Route,
    /// Whatever the caller asks for.
    All,
}

/// Whose fault it is: who cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller; nobody cools.
    Client,
    /// The account and its quota group, for every model.
    Account,
    /// The account and its quota group, for this model.
    AccountModel,
    /// The provider as a whole: its breaker counts it.
    Provider,
    /// The way there: nobody is benched for it.
    Network,
    /// This gateway.
    Gateway,
}

/// What dispatch may try next, as long as no content byte has gone to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer the client now.
    Stop,
    /// The same account once more, then another.
    SameAccount,
    /// The same account once more after a moment, then another route: no account of this one would do better.
    SameLater,
    /// Another account of this route, then another route.
    OtherAccount,
    /// Another route at once: no account of this one would do better.
    OtherRoute,
}

impl Kind {
    /// Whom to blame.
    pub const fn blame(self) -> Blame {
        match self {
            Self::Invalid(_) | Self::Filtered | Self::Unauthorized | Self::Forbidden => Blame::Client,
            Self::NotFound | Self::ClientLimit(_) | Self::Left => Blame::Client,
            Self::KeyRejected | Self::Blocked | Self::NeedsLogin | Self::StaleToken(_) => Blame::Account,
            Self::OutOfCredit(_) | Self::OverBudget(_) => Blame::Account,
            Self::Throttled(_, Scope::Account | Scope::Ramp) => Blame::Account,
            Self::Throttled(..) | Self::ModelMissing => Blame::AccountModel,
            Self::Overloaded(_) | Self::Upstream(_) | Self::Stalled | Self::Broken => Blame::Provider,
            Self::Unreachable => Blame::Network,
            Self::Exhausted(_) | Self::Internal | Self::VaultLocked | Self::NoSecret => Blame::Gateway,
            Self::BudgetSpent(..) | Self::LedgerLag => Blame::Gateway,
        }
    }

    /// What may be tried next. A stalled call may already be billed, so it is not sent twice.
    pub const fn next(self) -> Next {
        match self {
            Self::Invalid(_) | Self::Filtered | Self::Unauthorized | Self::Forbidden | Self::NotFound => Next::Stop,
            Self::ClientLimit(_) | Self::Left | Self::Internal | Self::Stalled | Self::Broken => Next::Stop,
            Self::BudgetSpent(_, Within::All) | Self::LedgerLag => Next::Stop,
            Self::BudgetSpent(_, Within::Account) => Next::OtherAccount,
            Self::BudgetSpent(_, Within::Route) => Next::OtherRoute,
            Self::KeyRejected | Self::Blocked | Self::OutOfCredit(_) | Self::OverBudget(_) => Next::OtherAccount,
            Self::NeedsLogin | Self::StaleToken(_) | Self::VaultLocked | Self::NoSecret => Next::OtherAccount,
            Self::Throttled(..) | Self::ModelMissing | Self::Unreachable => Next::OtherAccount,
            Self::Upstream(_) => Next::SameAccount,
            Self::Overloaded(_) => Next::SameLater,
            Self::Exhausted(_) => Next::OtherRoute,
        }
    }

    /// Whether an account's secret is not to be had.
    pub const fn lacks_secret(self) -> bool {
        matches!(self, Self::VaultLocked | Self::NoSecret)
    }

    /// The HTTP status the client gets when nothing else can be tried. A refused account is 403 and not 401, so that
    /// clients do not ask their user for another key; spent money is 402, which no SDK retries.
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid(status) => status,
            Self::Filtered => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::KeyRejected | Self::Blocked | Self::NeedsLogin => 403,
            Self::NotFound | Self::ModelMissing => 404,
            Self::ClientLimit(_) | Self::Throttled(..) | Self::Exhausted(_) => 429,
            Self::OutOfCredit(_) | Self::OverBudget(_) | Self::BudgetSpent(..) => 402,
            Self::Overloaded(_) | Self::StaleToken(_) | Self::VaultLocked | Self::NoSecret | Self::LedgerLag => 503,
            Self::Upstream(_) | Self::Unreachable | Self::Broken => 502,
            Self::Stalled => 504,
            Self::Left => 499,
            Self::Internal => 500,
        }
    }

    /// The code in an error body, and the word in ledger and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::Filtered => "content_filter",
            Self::Unauthorized => "invalid_api_key",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::ClientLimit(_) => "client_rate_limit",
            Self::KeyRejected => "account_key_rejected",
            Self::Blocked => "account_blocked",
            Self::NeedsLogin => "account_needs_login",
            Self::StaleToken(_) => "account_token_expired",
            Self::VaultLocked => "vault_locked",
            Self::NoSecret => "account_secret_missing",
            Self::OutOfCredit(_) | Self::OverBudget(_) => "insufficient_quota",
            Self::Throttled(..) => "rate_limit_exceeded",
            Self::ModelMissing => "model_not_found",
            Self::Overloaded(_) => "server_is_overloaded",
            Self::Upstream(_) => "upstream_error",
            Self::Unreachable => "upstream_unreachable",
            Self::Stalled => "upstream_timeout",
            Self::Broken => "upstream_disconnected",
            Self::Exhausted(_) => "no_account_available",
            Self::BudgetSpent(..) => "budget_exceeded",
            Self::LedgerLag => "ledger_lag",
            Self::Left => "client_left",
            Self::Internal => "internal_error",
        }
    }
}

impl Fault {
    /// A fault in our own words.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), code: None, param: None, said: None }
    }

    /// The same fault with a code of the dialect.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same fault, naming the request field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same fault with the upstream's own answer.
    #[must_use]
    pub fn said(mut self, said: Said) -> Self {
        self.said = Some(Box::new(said));
        self
    }

    /// The HTTP status for the client: the upstream's own where it blamed the client or failed, else the kind's.
    pub fn status(&self) -> u16 {
        match (&self.said, self.kind.blame()) {
            (Some(said), Blame::Client | Blame::Provider) if said.status >= 400 => said.status,
            _ => self.kind.status(),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
