//! Which model is asked where nobody named one: one way for all workflows, by dated ranks and by price.

use std::cmp::Reverse;

use super::chat::ChatError;
use crate::config::Settings;
use crate::kit::Money;
use crate::operator::{Ask, ModelRow, Operator, Reply};

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A person's question: the best there is at a moderate price.
    Answer,
    /// A commit message: whoever is good enough, the cheapest first, since cheap models are quick and a person waits.
    Message,
    /// A review: whoever reasons best.
    Review,
}

/// A model, and why this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As any client would write it.
    pub model: String,
    /// Why it was chosen, in words.
    pub why: String,
    /// Whose choice it was.
    pub by: By,
}

/// Whose choice a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A person's: on the command line or in the settings.
    Person,
    /// Ours.
    Rank,
    /// Nobody's: only what is built in could be called, and it repeats what it hears.
    Nobody,
}

/// What is built in and needs no network.
const OFFLINE: &str = "sim/echo";

/// The dearest that a question with 4,000 tokens and its answer of 500 may be unless a person names the model, in
/// picodollars: 3 cents, which leaves out those few that cost several times as much as the next best.
const MODERATE: Money = Money::from_pico(30_000_000_000);

/// A model of this rank writes a commit message that nobody has to mend.
const GOOD_ENOUGH: u8 = 45;

impl Purpose {
    /// The model that the settings name, and where.
    fn named_in(self, settings: &Settings) -> (Option<&str>, &'static str) {
        match self {
            Self::Answer => (settings.ask.model.as_deref(), "model in [ask]"),
            Self::Message => (settings.commit.model.as_deref(), "model in [commit]"),
            Self::Review => (settings.review.model.as_deref(), "model in [review]"),
        }
    }
}

/// The model that is `named`, else the one in the settings, else the fittest of those that can be called. `None`: nothing
/// that is fit can be called.
pub async fn choose(
    operator: &dyn Operator,
    purpose: Purpose,
    named: Option<&str>,
    settings: &Settings,
) -> Result<Option<Choice>, ChatError> {
    let (set, place) = purpose.named_in(settings);
    let said = named.map(|model| (model, "as you said")).or(set.map(|model| (model, place)));
    if let Some((model, why)) = said {
        return Ok(Some(Choice { model: model.to_owned(), why: why.to_owned(), by: By::Person }));
    }
    match operator.ask(Ask::Models { why: false }).await.map_err(ChatError::Unreachable)? {
        Reply::Models(rows) => Ok(fittest(&rows, purpose, settings)),
        _ => Ok(None),
    }
}

/// The fittest of these rows. A model that nobody ranked, such as one on a server of your own, is asked where none that
/// is ranked can be; the built-in one only for a question, and only where there is nothing else.
pub fn fittest(rows: &[ModelRow], purpose: Purpose, settings: &Settings) -> Option<Choice> {
    let far =
        |row: &&ModelRow| !matches!(row.id.split_once('/'), Some(("sim" | "dialectics", _))) && row.provider != "sim";
    let talks = |row: &&ModelRow| row.callable && row.merit.chats;
    let own = |row: &ModelRow| settings.models.contains_key(&row.id);
    let default = |row: &ModelRow| settings.default_provider.as_deref() == Some(&row.provider);
    let key = |row: &ModelRow| {
        // for a review the best counts, whoever has it
        let preferred = purpose != Purpose::Review && default(row);
        let ranked = row.merit.rank.is_some();
        (row.merit.ready, preferred, ranked, fitness(row, purpose), own(row), default(row))
    };
    // of two that are as good, the first in the list: `max_by_key` would take the last
    let top = rows.iter().filter(far).filter(talks).rev().max_by_key(|row| key(row));
    match top {
        Some(row) => {
            let rest = if row.merit.ready { "" } else { "; its accounts rest for the moment" };
            let why = format!("{}{rest}", why(row, purpose, own(row), default(row)));
            Some(Choice { model: row.id.clone(), why, by: By::Rank })
        }
        None if purpose == Purpose::Answer && rows.iter().any(|row| row.id == OFFLINE) => Some(Choice {
            model: OFFLINE.to_owned(),
            why: "nothing else can be called, and it only repeats what you say; see: keywheel model list --why"
                .to_owned(),
            by: By::Nobody,
        }),
        None => None,
    }
}

/// The fitness of a model for a purpose; more is better. What has no price is taken for moderate, yet not for cheap.
fn fitness(row: &ModelRow, purpose: Purpose) -> (bool, Reverse<Money>, u8) {
    let (rank, price) = (row.merit.rank.unwrap_or_default(), price(row));
    let dearest = Money::from_pico(i128::MAX);
    match purpose {
        Purpose::Answer if price.is_none_or(|price| price <= MODERATE) => (true, Reverse(Money::ZERO), rank),
        Purpose::Answer => (false, Reverse(price.unwrap_or(dearest)), rank),
        Purpose::Message if rank >= GOOD_ENOUGH => (true, Reverse(price.unwrap_or(dearest)), rank),
        // below that the best counts
        Purpose::Message | Purpose::Review => (false, Reverse(Money::ZERO), rank),
    }
}

fn price(row: &ModelRow) -> Option<Money> {
    Money::parse(row.merit.sample_usd.as_deref()?).ok()
}

/// The reason in words, true of the models that were compared: the ready ones where this one is, else all that can be called.
fn why(row: &ModelRow, purpose: Purpose, own: bool, default: bool) -> String {
    let that = if row.merit.ready { "that is ready" } else { "that can be called" };
    let Some(rank) = row.merit.rank else {
        let which = match (own, default) {
            (true, _) => "of your own names ",
            (false, true) => "of default_provider ",
            (false, false) => "",
        };
        return format!("the first {which}{that}; it has no rank");
    };
    let day = &row.merit.ranked;
    let among = if default { format!("of default_provider {that}") } else { that.to_owned() };
    match (purpose, price(row)) {
        (Purpose::Review, _) => format!("review rank {rank} as of {day}, the highest {that}"),
        (Purpose::Answer, Some(price)) if price > MODERATE => {
            format!("rank {rank} as of {day}, the least dear {among}")
        }
        (Purpose::Answer, Some(_)) => format!("rank {rank} as of {day}, the highest at a moderate price {among}"),
        // one that is known to be dear may have a higher rank
        (Purpose::Answer, None) => {
            format!("rank {rank} as of {day}, the highest {among} and not known to be dear; its price is not known")
        }
        (Purpose::Message, _) if rank < GOOD_ENOUGH => format!("rank {rank} as of {day}, the highest {among}"),
        (Purpose::Message, Some(_)) => format!("rank {rank} as of {day}, the cheapest good enough {among}"),
        (Purpose::Message, None) => format!("rank {rank} as of {day}, the highest {among}; its price is not known"),
    }
}
