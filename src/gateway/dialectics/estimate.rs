//! What a dialectic can cost at most: every leg in every round, the plan and the synthesis, each at its worst case.

use super::cast::Cast;
use crate::catalog::price_worst::{Bound, Reach};
use crate::config::{Mode, Settings};
use crate::gateway::Inner;
use crate::gateway::router::Query;
use crate::gateway::till::Asked;
use crate::kit::{Fault, Kind, Money};
use crate::wire::{Call, Endpoint, Json};

/// Tokens for the words that are put around a conversation; they have fewer bytes than this.
const WORDS: u64 = 3000;

/// The names that chat has for the longest answer.
const MOST_OUTPUT: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// Tokens for which only what is free costs nothing.
const MUCH: u64 = 1_000_000;

/// Why there is no estimate.
enum Unknown {
    Price(String),
    Length(String),
}

/// The models of one dialectic, and the call that they answer.
struct Sum<'a> {
    inner: &'a Inner,
    settings: &'a Settings,
    call: &'a Call,
    bytes: u64,
    asked: Option<u64>,
}

impl Inner {
    /// The most that the call can cost, told by the body that the legs are sent, where all its models have a price and a longest answer. Over the cap, or unknown
    /// under a cap, it is refused before any leg starts.
    pub(super) fn afford(
        &self,
        settings: &Settings,
        call: &Call,
        cast: &Cast,
        body: &Json,
    ) -> Result<Option<Money>, Fault> {
        let sum = Sum { inner: self, settings, call, bytes: body.bytes().len() as u64, asked: most_output(body) };
        let most = sum.of(cast);
        let Some(cap) = cast.max_cost else { return Ok(most.ok()) };
        let said = match most {
            Ok(most) if most <= cap => return Ok(Some(most)),
            Ok(most) => format!(
                "this dialectic could cost up to ${}, and the cap is ${}; nothing was begun: send a smaller max_tokens, name \
                 cheaper legs, or raise the cap (x-keywheel-max-cost, max_cost_usd)",
                most.exact(),
                cap.exact()
            ),
            Err(Unknown::Price(model)) => format!(
                "{model} has no known price, so the cap of ${} cannot be kept; nothing was begun: add its price with \
                 `keywheel price import`, or leave the cap out",
                cap.exact()
            ),
            Err(Unknown::Length(model)) => format!(
                "the longest answer of {model} is not known, so the cap of ${} cannot be kept; nothing was begun: send \
                 max_tokens",
                cap.exact()
            ),
        };
        Err(Fault::new(Kind::Invalid(402), said).code("cost_cap"))
    }
}

/// The longest answer that a body allows in tokens. Providers differ in which of the names they go by; one that cannot be
/// read bounds nothing.
fn most_output(body: &Json) -> Option<u64> {
    let mut most = None;
    for stated in MOST_OUTPUT.iter().filter_map(|name| body.get(name)).filter(|stated| *stated != "null") {
        most = most.max(Some(stated.parse().ok()?));
    }
    most
}

impl Sum<'_> {
    fn of(&self, cast: &Cast) -> Result<Money, Unknown> {
        let around = self.bytes.saturating_add(WORDS);
        let spoken: Vec<u64> = cast.legs.iter().map(|leg| self.longest(&leg.model)).collect::<Result<_, _>>()?;
        let heard: u64 = spoken.iter().fold(0, |sum, tokens| sum.saturating_add(*tokens));
        let mut total = Money::ZERO;
        for round in 0..cast.rounds {
            // from the second round on each has its own words and those of the others before it
            let input = if round == 0 { around } else { around.saturating_add(heard) };
            for leg in &cast.legs {
                total = total.saturating_add(self.price(&leg.model, input)?);
            }
        }
        let mut input = around.saturating_add(heard);
        if cast.mode == Mode::Split {
            let plan = self.longest(&cast.synthesis)?;
            total = total.saturating_add(self.price(&cast.synthesis, around)?);
            // each leg and the synthesis may get all of it
            for leg in &cast.legs {
                let more = self
                    .price(&leg.model, around.saturating_add(plan))?
                    .saturating_sub(self.price(&leg.model, around)?);
                total = total.saturating_add(more);
            }
            input = input.saturating_add(plan);
        }
        // where the synthesis fails, the model of a leg takes over
        let judges = cast.legs.iter().map(|leg| &leg.model).chain([&cast.synthesis]);
        let prices: Vec<Money> = judges.map(|model| self.price(model, input)).collect::<Result<_, _>>()?;
        Ok(total.saturating_add(prices.into_iter().max().unwrap_or_default()))
    }

    /// The most that one call of a model can cost, along its dearest route; nothing where it cannot be called.
    fn price(&self, model: &str, input: u64) -> Result<Money, Unknown> {
        let mut dearest = Money::ZERO;
        for (provider, name) in self.routes(model) {
            let asked = Asked { provider: &provider, model: &name, at: self.call.at };
            let bound = Bound { input: Reach::Body(input), max_tokens: self.asked, choices: 1, searches: 0 };
            let price = self.inner.books.till.at_most(&asked, &bound, 0);
            dearest = dearest.max(price.ok_or_else(|| Unknown::Price(model.to_owned()))?);
        }
        Ok(dearest)
    }

    /// The longest answer of a model in tokens.
    fn longest(&self, model: &str) -> Result<u64, Unknown> {
        let mut longest = 0;
        for (provider, name) in self.routes(model) {
            let till = &self.inner.books.till;
            let asked = Asked { provider: &provider, model: &name, at: self.call.at };
            let much = Bound { input: Reach::Body(MUCH), max_tokens: Some(MUCH), choices: 1, searches: 0 };
            let free = || till.at_most(&asked, &much, MUCH).filter(|price| *price == Money::ZERO).map(|_| 0);
            let most = till.longest(&asked).into_iter().chain(self.asked).min().or_else(free);
            longest = longest.max(most.ok_or_else(|| Unknown::Length(model.to_owned()))?);
        }
        Ok(longest)
    }

    fn routes(&self, model: &str) -> Vec<(String, String)> {
        let query = Query {
            settings: self.settings,
            models: &self.inner.models,
            pool: &self.inner.pool,
            caller: &self.call.caller,
            endpoint: &Endpoint::Chat,
            model: Some(model),
            provider: None,
        };
        let routes = query.plan().map(|plan| plan.routes).unwrap_or_default();
        routes.into_iter().map(|route| (route.provider.id.clone(), route.model)).collect()
    }
}
