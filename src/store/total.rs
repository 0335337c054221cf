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
    /// The git branch that the client named.
    Branch,
    /// The run that the client named.
    Run,
    /// The service tier that was billed.
    Tier,
    /// How calls ended.
    Outcome,
    /// The day in UTC.
    Day,
    /// The hour in UTC.
    Hour,
}

/// The calls of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// The keys, in the order in which they were asked for; empty where the calls have none.
    pub keys: Vec<String>,
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
    /// How many calls have a cost of the provider's own telling beside the price table's.
    pub compared: u64,
    /// What those cost as the provider told it.
    pub told: Money,
    /// What those cost by the price table.
    pub listed: Money,
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
            Self::Branch => text(&entry.context.branch),
            Self::Run => text(&entry.context.run_id),
            Self::Tier => text(&entry.spend.service_tier),
            Self::Outcome => entry.outcome.word().to_owned(),
            Self::Day => clipped(entry.at, 10),
            Self::Hour => clipped(entry.at, 13),
        }
    }
}

impl Total {
    /// The dearest first, then the most used.
    pub(super) fn sort(totals: &mut [Self]) {
        totals.sort_by(|one, other| (other.cost, other.calls, &one.keys).cmp(&(one.cost, one.calls, &other.keys)));
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
        if let (Some(told), Some(listed)) = (spend.cost, spend.listed) {
            self.compared += 1;
            self.told = self.told.saturating_add(told);
            self.listed = self.listed.saturating_add(listed);
        }
    }

    /// Adds what was summed elsewhere under the same keys.
    pub(super) fn join(&mut self, other: &Self) {
        self.calls += other.calls;
        for (sum, count) in self.tokens.iter_mut().zip(other.tokens) {
            *sum = sum.saturating_add(count);
        }
        for (sum, count) in [
            (&mut self.unpriced, other.unpriced),
            (&mut self.untold, other.untold),
            (&mut self.estimated, other.estimated),
            (&mut self.compared, other.compared),
        ] {
            *sum += count;
        }
        for (sum, amount) in
            [(&mut self.cost, other.cost), (&mut self.told, other.told), (&mut self.listed, other.listed)]
        {
            *sum = sum.saturating_add(amount);
        }
    }
}

/// The beginning of a time in UTC: ten characters are its day, thirteen its hour.
fn clipped(at: Time, length: usize) -> String {
    let mut text = at.to_string();
    text.truncate(length);
    text
}
