//! Budgets: what may be spent, by whom and in which time; as a settings file writes them, and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::forms::Route;
use super::key::Key;
use crate::catalog::{Malformed, checked::checked};
use crate::kit::Money;

/// What may be spent, by whom and in which time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most that may be spent.
    pub limit: Money,
    /// What happens when it is spent.
    pub kind: BudgetKind,
    /// What it counts, and over which time.
    pub counts: Counts,
    /// Models that may be called without a price or a worst case, as globs over `provider/model`; hard budgets only.
    pub allow_unpriced: Vec<String>,
    /// `provider/model` to which calls go once it is spent; soft budgets only.
    pub route: Option<String>,
}

/// Which calls a budget counts. What was spent stays with it for as long as this stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Over which time.
    pub per: Per,
    /// What is counted apart; `None` counts all calls together.
    pub each: Option<Each>,
    /// Only calls of these client keys, a glob; so with the others, and all that are there must fit.
    pub client: Option<String>,
    /// Of these projects.
    pub project: Option<String>,
    /// By these accounts.
    pub account: Option<String>,
    /// By these providers.
    pub provider: Option<String>,
    /// Of these models, a glob over the model's name or over `provider/model`.
    pub model: Option<String>,
}

/// What happens when a budget is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BudgetKind {
    /// Calls that could exceed it are refused before they are sent.
    #[default]
    Hard,
    /// Calls go on; a header, the log and `status` say so.
    Soft,
}

/// Over which time a budget counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// From midnight to midnight in `time_zone`.
    Day,
    /// From the first to the first in `time_zone`.
    #[default]
    Month,
    /// Each of the clients' sessions by itself; calls without one count together.
    Session,
    /// From the first call of the ledger on, also those that it no longer keeps.
    Total,
}

/// What a budget counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// Each client key.
    Client,
    /// Each project.
    Project,
    /// Each account.
    Account,
    /// Each provider.
    Provider,
    /// Each model.
    Model,
}

/// A budget as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["limit_usd", "per"]))]
pub(super) struct BudgetEntry {
    /// The most that may be spent, in USD as a text: "25.00".
    pub limit_usd: Usd,
    /// Over which time it counts.
    pub per: Per,
    /// What happens when it is spent.
    pub kind: BudgetKind,
    /// What is counted apart, each with this limit; all calls together when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// Only calls of these client keys, a glob. All conditions that are stated must hold; none means every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only calls of these projects (`x-keywheel-project`), a glob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only calls by these accounts, a glob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only calls by these providers, a glob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Only calls of these models, a glob over the model's name or over provider/model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Hard only: models that may be called although nobody knows what they can cost, as globs over provider/model (or
    /// provider/path for calls that name no model).
    pub allow_unpriced: Vec<String>,
    /// Soft only: the provider/model to which calls go once it is spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
}

/// An amount in USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usd(pub Money);

/// A time zone by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone(pub TimeZone);

checked!(Usd, "usd");
checked!(Zone, "time-zone");

impl FromStr for Usd {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match Money::parse(text) {
            Ok(amount) if amount >= Money::ZERO => Ok(Self(amount)),
            _ => Err(Malformed::new("not an amount in USD; write it like \"25.00\"")),
        }
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.exact())
    }
}

impl FromStr for Zone {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let unknown = |_| Malformed::new("this machine knows no such time zone; write it like \"Europe/Berlin\"");
        TimeZone::get(text).map(Self).map_err(unknown)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl BudgetKind {
    /// Its word in settings and in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

impl Per {
    /// Its word in settings and in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Session => "session",
            Self::Total => "total",
        }
    }
}

/// The budgets by their names.
pub(super) fn checked(check: &mut Check<'_>, entries: BTreeMap<String, BudgetEntry>) -> BTreeMap<String, Arc<Budget>> {
    entries.into_iter().map(|(name, entry)| (name.clone(), Arc::new(budget(check, &name, entry)))).collect()
}

fn budget(check: &mut Check<'_>, name: &str, entry: BudgetEntry) -> Budget {
    let key = Key::of(&["budgets", name]);
    // names stand in a header
    if name.is_empty() || name.len() > 64 || !name.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        check.wrong(&key, "a budget's name has at most 64 letters, digits and signs of ASCII");
    }
    if let Some(provider) = entry.provider.as_ref().filter(|provider| !provider.contains(['*', '?'])) {
        check.provider(&key.name("provider"), provider);
    }
    if let Some(route) = &entry.route {
        check.provider(&key.name("route"), route.provider());
        if entry.kind == BudgetKind::Hard {
            check.wrong(&key.name("route"), "only a soft budget sends calls elsewhere; say kind = \"soft\"");
        }
    }
    if !entry.allow_unpriced.is_empty() && entry.kind == BudgetKind::Soft {
        check.wrong(&key.name("allow_unpriced"), "a soft budget refuses nothing; take it out");
    }
    let BudgetEntry { limit_usd, per, kind, each, client, project, account, provider, model, allow_unpriced, route } =
        entry;
    let counts = Counts { per, each, client, project, account, provider, model };
    Budget { limit: limit_usd.0, kind, counts, allow_unpriced, route: route.map(|route| route.0) }
}
