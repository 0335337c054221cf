//! One budget as calls meet it: whom it concerns, and what of it is counted apart.

use std::sync::Arc;

use wildmatch::WildMatch;

use crate::config::{Budget, BudgetKind, Counts, Each, Per};
use crate::kit::Time;
use crate::kit::fault::Within;
use crate::store::Entry;

/// What a budget may ask of a call.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// When it arrived: it counts in that day and month.
    pub at: Time,
    /// The client key's name.
    pub client: &'a str,
    /// The project that the client named.
    pub project: Option<&'a str>,
    /// The client's session.
    pub session: Option<&'a str>,
    /// The provider.
    pub provider: &'a str,
    /// The account; `None` while none is chosen.
    pub account: Option<&'a str>,
    /// The model as the provider knows it.
    pub model: &'a str,
}

/// What is counted apart: the value of `each`, and the session.
pub(super) type Bucket = (String, String);

/// A budget in force.
pub(super) struct Rule {
    /// Unlike any other's, also of those that went before it.
    pub(super) id: u32,
    pub(super) name: Arc<str>,
    pub(super) budget: Arc<Budget>,
    /// Whether what the ledger knows is in its counters.
    pub(super) counted: bool,
    globs: Globs,
    unpriced: Vec<WildMatch>,
}

/// The conditions of a budget.
struct Globs {
    client: Option<WildMatch>,
    project: Option<WildMatch>,
    account: Option<WildMatch>,
    provider: Option<WildMatch>,
    model: Option<WildMatch>,
}

impl Rule {
    pub(super) fn new(id: u32, name: &str, budget: Arc<Budget>) -> Self {
        let glob = |text: &Option<String>| text.as_deref().map(WildMatch::new);
        let Counts { client, project, account, provider, model, .. } = &budget.counts;
        let globs = Globs {
            client: glob(client),
            project: glob(project),
            account: glob(account),
            provider: glob(provider),
            model: glob(model),
        };
        let unpriced = budget.allow_unpriced.iter().map(|text| WildMatch::new(text)).collect();
        Self { id, name: name.into(), budget, counted: false, globs, unpriced }
    }

    /// The same count with what other settings say of it.
    pub(super) fn renewed(&self, budget: Arc<Budget>) -> Self {
        Self { counted: self.counted, ..Self::new(self.id, &self.name, budget) }
    }

    pub(super) fn is_hard(&self) -> bool {
        self.budget.kind == BudgetKind::Hard
    }

    /// Where the call is counted; `None` when the budget does not concern it, or cannot be told to before an account is
    /// chosen.
    pub(super) fn bucket(&self, of: &Scope<'_>) -> Option<Bucket> {
        let Globs { client, project, account, provider, model } = &self.globs;
        let fits = |glob: &Option<WildMatch>, value: &str| glob.as_ref().is_none_or(|glob| glob.matches(value));
        let counts = &self.budget.counts;
        if of.account.is_none() && (account.is_some() || counts.each == Some(Each::Account)) {
            return None;
        }
        let project_name = of.project.unwrap_or_default();
        let fit = fits(client, of.client)
            && fits(project, project_name)
            && fits(account, of.account.unwrap_or_default())
            && fits(provider, of.provider)
            && model.as_ref().is_none_or(|glob| glob.matches(of.model) || glob.matches(&of.route()));
        fit.then(|| {
            let apart = match counts.each {
                None => String::new(),
                Some(Each::Client) => of.client.to_owned(),
                Some(Each::Project) => project_name.to_owned(),
                Some(Each::Account) => of.account.unwrap_or_default().to_owned(),
                Some(Each::Provider) => of.provider.to_owned(),
                Some(Each::Model) => of.route(),
            };
            let session = if counts.per == Per::Session { of.session.unwrap_or_default() } else { "" };
            (apart, session.to_owned())
        })
    }

    /// Whether this may be called although nobody knows what it can cost.
    pub(super) fn allows_unpriced(&self, name: &str) -> bool {
        self.unpriced.iter().any(|glob| glob.matches(name))
    }

    /// What else may still take a call for which it has no room.
    pub(super) fn within(&self) -> Within {
        let Counts { account, provider, model, each, .. } = &self.budget.counts;
        if account.is_some() || *each == Some(Each::Account) {
            Within::Account
        } else if provider.is_some() || model.is_some() || matches!(each, Some(Each::Provider | Each::Model)) {
            Within::Route
        } else {
            Within::All
        }
    }
}

impl<'a> Scope<'a> {
    /// A call that is over.
    pub fn of(entry: &'a Entry) -> Self {
        Self {
            at: entry.at,
            client: &entry.client,
            project: entry.context.project.as_deref(),
            session: entry.context.session_id.as_deref(),
            provider: entry.provider.as_deref().unwrap_or_default(),
            account: Some(entry.account.as_deref().unwrap_or_default()),
            model: entry.model.as_deref().unwrap_or_default(),
        }
    }

    /// `provider/model`.
    pub fn route(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}
