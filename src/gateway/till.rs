//! What an answer consumed, turned into money by the price table in force.

use arc_swap::ArcSwap;

use super::drift::Drift;
use crate::catalog::price::Certainty;
use crate::catalog::price_model::Billing;
use crate::catalog::price_worst::{Bound, Unbounded};
use crate::catalog::prices::{Prices, Query};
use crate::kit::usage::Metering;
use crate::kit::{Money, Time, Usage};
use crate::store::Spend;
use crate::wire::usage::{Report, Split};

/// The price table; a reload swaps in the next one.
pub(super) struct Till(ArcSwap<Prices>, Drift);

/// What was asked, and when.
pub(super) struct Asked<'a> {
    pub(super) provider: &'a str,
    pub(super) model: &'a str,
    /// The call's arrival: a call is billed by the time at which it started.
    pub(super) at: Time,
}

/// The most that a call can cost.
pub(super) enum Worst {
    /// So much.
    Known(Money),
    /// Nothing limits its answer: so much, when it is limited to so many tokens.
    Limited(Money, u64),
    /// It has none.
    Unknown(Unbounded),
}

impl Till {
    pub(super) fn new(prices: Prices) -> Self {
        Self(ArcSwap::from_pointee(prices), Drift::default())
    }

    /// Puts another table in force.
    pub(super) fn replace(&self, prices: Prices) {
        self.0.store(prices.into());
        self.1.forget();
    }

    /// How a provider's answers are metered.
    pub(super) fn metering(&self, provider: &str) -> Metering {
        self.0.load().metering(provider)
    }

    /// The most that a call can cost; where neither it nor the model bounds the answer, for one of this length.
    pub(super) fn at_most(&self, asked: &Asked<'_>, bound: &Bound, longest: u64) -> Option<Money> {
        let prices = self.0.load();
        let billing = Billing { at: asked.at, service_tier: None, region: None, speed: None };
        let query = Query { provider: asked.provider, asked: asked.model, answered: None, billing };
        match prices.worst_case(&query, bound) {
            Err(Unbounded::Output) => prices.worst_case(&query, &Bound { max_tokens: Some(longest), ..*bound }).ok(),
            price => price.ok(),
        }
    }

    /// What a call that consumed so much costs by the table alone.
    pub(super) fn listed(&self, asked: &Asked<'_>, usage: &Usage) -> Option<Money> {
        let billing = Billing { at: asked.at, service_tier: None, region: None, speed: None };
        let query = Query { provider: asked.provider, asked: asked.model, answered: None, billing };
        Some(self.0.load().rates(&query, usage)?.cost(usage))
    }

    /// The longest answer of a model in tokens, where that is known.
    pub(super) fn longest(&self, asked: &Asked<'_>) -> Option<u64> {
        self.0.load().model(asked.provider, asked.model)?.prices.max_output
    }

    /// The most that a call can cost. Where nothing limits its answer, the longest one up to `longest` that `left` pays for.
    pub(super) fn worst(&self, asked: &Asked<'_>, bound: &Bound, left: Money, longest: u64) -> Worst {
        let prices = self.0.load();
        let billing = Billing { at: asked.at, service_tier: None, region: None, speed: None };
        let query = Query { provider: asked.provider, asked: asked.model, answered: None, billing };
        match prices.worst_case(&query, bound) {
            Ok(worst) => Worst::Known(worst),
            Err(Unbounded::Output) => {
                let limited = prices.affordable_output(&query, bound, left).and_then(|affordable| {
                    let limit = affordable.min(longest);
                    let bound = Bound { max_tokens: Some(limit), ..*bound };
                    Ok((prices.worst_case(&query, &bound)?, limit))
                });
                limited.map_or_else(Worst::Unknown, |(worst, limit)| Worst::Limited(worst, limit))
            }
            Err(why) => Worst::Unknown(why),
        }
    }

    /// What the call cost. The provider's own figure wins; without usage the call is unpriced.
    pub(super) fn settle(&self, asked: &Asked<'_>, report: Report) -> Spend {
        let prices = self.0.load();
        let billing = Billing {
            at: asked.at,
            service_tier: report.service_tier.as_deref(),
            region: report.region.as_deref(),
            speed: report.speed.as_deref(),
        };
        let (provider, answered) = (asked.provider, report.model.as_deref());
        let query = Query { provider, asked: asked.model, answered, billing };
        let priced = report.usage.and_then(|usage| Some((prices.rates(&query, &usage)?, usage)));
        let listed = priced.as_ref().map(|(rates, usage)| rates.cost(usage));
        let guessed = priced.as_ref().is_some_and(|(rates, usage)| rates.certainty(usage) == Certainty::Estimated);
        if let (Some(billed), Some(listed), Split::Told) = (report.cost, listed, report.split) {
            self.1.compare(provider, answered.unwrap_or(asked.model), billed, listed);
        }
        Spend {
            usage: report.usage,
            cost: report.cost.or(listed),
            listed: report.cost.and(listed),
            price: priced.map(|(rates, _)| rates.version().to_string()),
            // where the provider told the sum, how it split the tokens changes nothing
            estimated: match report.split {
                Split::Counted => true,
                Split::Inferred => report.cost.is_none(),
                Split::Told => report.cost.is_none() && guessed,
            },
            answered: report.model.filter(|model| model != asked.model),
            service_tier: report.service_tier,
        }
    }
}
