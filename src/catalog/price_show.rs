//! Prices for people: the rows of a model, and which of them hold at a moment.

use serde::Serialize;

use super::price_card::Card;
use super::price_file::{Cmp, RateRow};
use super::price_model::Model;
use super::prices::Prices;
use crate::kit::Time;

/// One row of a model's rates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The provider's id.
    pub provider: String,
    /// The model's id.
    pub model: String,
    /// Its service tier.
    pub tier: String,
    /// How its context tier is compared.
    pub compare: Cmp,
    /// Whether it is in force at the moment asked for, hours included, and no other row takes its place.
    pub in_force: bool,
    /// The row as it was written, in USD for a million tokens.
    #[serde(flatten)]
    pub row: RateRow,
    /// What the ledger stores for it.
    pub version: String,
    /// Where it was read.
    pub source: Option<String>,
    /// When.
    pub checked: Option<jiff::civil::Date>,
    /// `shipped`, or the file that overrides it.
    pub origin: String,
}

impl Prices {
    /// The rows of a model with what holds at a moment, at every provider that has it; `name` is `provider/model` or a
    /// bare model, which may have slashes of its own.
    pub fn show(&self, name: &str, at: Time) -> Vec<Shown> {
        let at_one = name.split_once('/').and_then(|(provider, bare)| {
            let (provider, _) = self.sheets().get_key_value(provider)?;
            Some(vec![(provider, self.model(provider, bare)?)])
        });
        let models = at_one.unwrap_or_else(|| {
            let models = self.sheets().keys().filter_map(|id| Some((id, self.model(id, name)?)));
            // a provider whose only model is "anything" would answer to every name
            models.filter(|(_, model)| !model.prices.patterns.iter().flatten().any(|pattern| pattern == "*")).collect()
        });
        let rows = models.into_iter().flat_map(|(id, model)| model.cards.iter().map(move |card| (id, model, card)));
        rows.map(|(id, model, card)| shown(id, model, card, at)).collect()
    }
}

fn shown(provider: &str, model: &Model, card: &Card, at: Time) -> Shown {
    let hourly = |other: &&Card| other.row.schedule.is_some() && (&other.tier, other.over) == (&card.tier, card.over);
    let by_the_hour = card.row.schedule.is_none() && model.cards.iter().filter(hourly).any(|other| other.in_force(at));
    Shown {
        provider: provider.to_owned(),
        model: model.prices.id.clone(),
        tier: card.tier.clone(),
        compare: card.cmp,
        in_force: card.in_force(at) && !model.replaced(card, at) && !by_the_hour,
        row: card.row.clone(),
        version: card.version.to_string(),
        source: model.prices.source.clone(),
        checked: model.prices.checked,
        origin: model.origin.to_string(),
    }
}
