//! Sums over calls: what was consumed and what it cost, by a key.

use crate::kit::{Money, Time};

use super::Entry;

/// What calls are put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// `provider/model`, as asked of the provider.
    #[default]
    Model,
    /// The provider.
    Provider,
    /// The account.
    Account,
    /// The client key's name.
    Client,
    /// The project that the client named.
    Project,
    /// The client's session.
    Session,
    /// The day in UTC.
    Day,
}

/// The calls of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// The key; empty where the calls have none.
    pub key: String,
    /// How many calls.
    pub calls: u64,
    /// Fresh input, cache reads, cache writes, output, reasoning: tokens.
    pub tokens: [u64; 5],
    /// What the priced calls cost.
    pub cost: Money,
    /// How many calls consumed tokens and have no price.
    pub unpriced: u64,
    /// How many calls were answered and did not say what they consumed.
    pub untold: u64,
    /// How many calls have an estimate in their cost.
    pub estimated: u64,
}

impl By {
    /// The key of an entry.
    pub(super) fn key(self, entry: &Entry) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match self {
            Self::Model => match (&entry.provider, &entry.model) {
                (Some(provider), Some(model)) => format!("{provider}/{model}"),
                _ => String::new(),
            },
            Self::Provider => text(&entry.provider),
            Self::Account => text(&entry.account),
            Self::Client => entry.client.clone(),
            Self::Project => text(&entry.context.project),
            Self::Session => text(&entry.context.session_id),
            Self::Day => day(entry.at),
        }
    }
}

impl Total {
    /// The dearest first, then the most used.
    pub(super) fn sort(totals: &mut [Self]) {
        totals.sort_by(|one, other| (other.cost, other.calls, &one.key).cmp(&(one.cost, one.calls, &other.key)));
    }

    /// Adds a call.
    pub(super) fn add(&mut self, entry: &Entry) {
        let spend = &entry.spend;
        self.calls += 1;
        let counts = spend.usage.map(|usage| usage.sums()).unwrap_or_default();
        for (sum, count) in self.tokens.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count);
        }
        self.cost = self.cost.saturating_add(spend.cost.unwrap_or_default());
        self.unpriced += u64::from(spend.usage.is_some() && spend.cost.is_none());
        self.untold += u64::from(spend.usage.is_none() && spend.cost.is_none() && entry.status < 300);
        self.estimated += u64::from(spend.estimated);
    }
}

/// A day in UTC: `2026-11-21`.
fn day(at: Time) -> String {
    let mut text = at.to_string();
    text.truncate(10);
    text
}
