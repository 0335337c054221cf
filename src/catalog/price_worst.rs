//! The most that a call can cost, for budgets that must hold: reserved before it is sent, settled when it is done.

use super::price::{Rate, Rates};
use super::prices::{Prices, Query};
use crate::kit::Money;
use crate::kit::usage::Bucket;

/// How large a call can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// How much input it can have.
    pub input: Reach,
    /// The output that the request allows for one choice.
    pub max_tokens: Option<u64>,
    /// How many choices are generated and billed.
    pub choices: u64,
    /// How many web searches the request allows the provider to make.
    pub searches: u64,
}

/// How much input a request can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of it stands in a body of so many bytes: a token is at least one byte.
    Body(u64),
    /// It also names content that stands elsewhere: a stored answer, a file, an image by its address.
    Elsewhere,
}

/// Why a call has no worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbounded {
    /// The model has no price.
    #[error("the model has no known price; add one with `price import`, or allow it by name")]
    Unpriced,
    /// The input stands elsewhere and the model's context is not known.
    #[error("the request names content that stands elsewhere, and the model's context size is not known")]
    Input,
    /// Neither the request nor the model limits the output.
    #[error("the model's longest answer is not known; send max_tokens")]
    Output,
}

impl Prices {
    /// The most that a call can cost: the dearest tier, region, speed and hour that `query.billing` leaves open, the
    /// dearest class of input and of output. `query.answered` is not known yet and not looked at.
    ///
    /// # Errors
    /// When nothing bounds it.
    pub fn worst_case(&self, query: &Query<'_>, bound: &Bound) -> Result<Money, Unbounded> {
        let case = self.case(query, bound)?;
        let output = case.longest(bound.max_tokens).ok_or(Unbounded::Output)?.saturating_mul(bound.choices);
        let costs = case
            .possible
            .iter()
            .map(|rates| rates.dearest(&Bucket::OUTPUT).of(output).saturating_add(case.before_output(rates, bound)));
        Ok(costs.max().unwrap_or_default())
    }

    /// The longest answer, for one choice, with which the call cannot cost more than `budget`; 0 when not even the input
    /// fits. What the request or the model allows is not exceeded.
    ///
    /// # Errors
    /// When the input is not bounded either.
    pub fn affordable_output(&self, query: &Query<'_>, bound: &Bound, budget: Money) -> Result<u64, Unbounded> {
        let case = self.case(query, bound)?;
        let fitting = case.possible.iter().map(|rates| {
            let left = budget.saturating_sub(case.before_output(rates, bound)).pico();
            let each = i128::from(rates.dearest(&Bucket::OUTPUT).pico()) * i128::from(bound.choices.max(1));
            match (left < 0, each) {
                (true, _) => 0,
                (false, 0) => u64::MAX,
                (false, each) => u64::try_from(left / each).unwrap_or(u64::MAX),
            }
        });
        let fitting = fitting.min().unwrap_or_default();
        Ok(case.longest(bound.max_tokens).map_or(fitting, |longest| fitting.min(longest)))
    }

    fn case(&self, query: &Query<'_>, bound: &Bound) -> Result<Case, Unbounded> {
        let sheet = self.sheets().get(query.provider).ok_or(Unbounded::Unpriced)?;
        let model = self.model(query.provider, query.asked).ok_or(Unbounded::Unpriced)?;
        let mut billing = query.billing;
        billing.service_tier = billing.service_tier.filter(|&tier| tier != "auto").map(|tier| sheet.tier(tier));
        let input = match (bound.input, model.prices.context) {
            (Reach::Body(bytes), Some(context)) => bytes.min(context),
            (Reach::Body(bytes), None) => bytes,
            (Reach::Elsewhere, Some(context)) => context,
            (Reach::Elsewhere, None) => return Err(Unbounded::Input),
        };
        let possible = model.possible(&billing, input);
        // a router's own fee says nothing about the models it may choose
        if possible.is_empty() || model.prices.adds_to_answer {
            return Err(Unbounded::Unpriced);
        }
        Ok(Case { input, max_output: model.prices.max_output, possible })
    }
}

/// What a call can be billed by.
struct Case {
    input: u64,
    max_output: Option<u64>,
    possible: Vec<Rates>,
}

impl Case {
    /// The longest answer for one choice.
    fn longest(&self, max_tokens: Option<u64>) -> Option<u64> {
        match (max_tokens, self.max_output) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }

    fn before_output(&self, rates: &Rates, bound: &Bound) -> Money {
        let (searches, _): (Rate, _) = rates.rate(Bucket::Searches);
        let input = rates.dearest(&Bucket::INPUT).of(self.input);
        input.saturating_add(searches.of(bound.searches)).saturating_add(rates.per_request().of(1))
    }
}
