//! The counters of calls on a page.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exposition::{Kind, Page};
use super::histogram::Histogram;
use super::meters::{CLASSES, Meters, OUTCOMES, OfModel, OfProvider, TOKENS};
use crate::kit::Money;

/// A family of histograms: its name, its help, and where it stands.
type Spans = (&'static str, &'static str, fn(&OfProvider) -> &Histogram);

const SPANS: [Spans; 5] = [
    ("keywheel_call_seconds", "From a call's arrival to its end.", |of| &of.total),
    (
        "keywheel_overhead_seconds",
        "What the gateway itself took of a call: neither waiting for an account nor with a provider; what it held back of \
         the answer until it was recorded is in it.",
        |of| &of.overhead,
    ),
    ("keywheel_time_to_first_token_seconds", "From a call's arrival to the first byte of its answer.", |of| {
        &of.first_byte
    }),
    ("keywheel_inter_token_seconds", "Between two pieces of a streamed answer.", |of| &of.gaps),
    ("keywheel_park_wait_seconds", "How long calls that had to wait for an account waited.", |of| &of.parked),
];

impl Meters {
    /// Writes every counter.
    pub fn write(&self, page: &mut Page) {
        let providers = self.providers.all();
        let models: Vec<(&str, Box<str>, Arc<OfModel>)> = providers
            .iter()
            .flat_map(|(id, of)| of.models.all().into_iter().map(move |(model, of)| (&**id, model, of)))
            .collect();
        requests(&models, page);
        tokens(&models, page);
        money(&models, page);
        page.family(
            "keywheel_attempts_total",
            Kind::Counter,
            "Upstream tries by the fault that ended them; none succeeded.",
        );
        for (id, of) in &providers {
            for (fault, count) in of.attempts.all() {
                let fault = if fault.is_empty() { "none" } else { &*fault };
                page.whole(&[("provider", id), ("fault", fault)], read(&count));
            }
        }
        for (name, help, of) in SPANS {
            page.family(name, Kind::Histogram, help);
            providers.iter().for_each(|(id, series)| page.histogram(&[("provider", id)], of(series)));
        }
        page.family(
            "keywheel_redactions_total",
            Kind::Counter,
            "Secrets masked in prompts, and calls refused for one, by the rule that found it.",
        );
        for (action, rules) in [("mask", &self.masked), ("block", &self.blocked)] {
            rules.all().iter().for_each(|(rule, n)| page.whole(&[("action", action), ("rule", rule)], read(n)));
        }
    }

    /// Writes what budgets refused, by their names.
    pub fn write_refusals(&self, page: &mut Page) {
        page.family(
            "keywheel_budget_refusals_total",
            Kind::Counter,
            "Calls that a hard budget kept from an account, or refused.",
        );
        self.unaffordable.all().iter().for_each(|(budget, n)| page.whole(&[("budget", budget)], read(n)));
    }
}

fn requests(models: &[(&str, Box<str>, Arc<OfModel>)], page: &mut Page) {
    page.family(
        "keywheel_requests_total",
        Kind::Counter,
        "Calls by how they ended and the status that the client got.",
    );
    for (provider, model, of) in models {
        for (outcome, calls) in OUTCOMES.iter().zip(&of.calls) {
            for (class, count) in CLASSES.iter().zip(calls).filter(|(_, count)| read(count) > 0) {
                let labels =
                    [("provider", *provider), ("model", model), ("outcome", outcome.word()), ("status", class)];
                page.whole(&labels, read(count));
            }
        }
    }
}

fn tokens(models: &[(&str, Box<str>, Arc<OfModel>)], page: &mut Page) {
    page.family("keywheel_tokens_total", Kind::Counter, "Tokens as answers told of them; each stands in one bucket.");
    for (provider, model, of) in models {
        for (bucket, count) in TOKENS.iter().zip(&of.tokens).filter(|(_, count)| read(count) > 0) {
            page.whole(&[("provider", provider), ("model", model), ("bucket", bucket)], read(count));
        }
    }
}

fn money(models: &[(&str, Box<str>, Arc<OfModel>)], page: &mut Page) {
    page.family("keywheel_cost_usd_total", Kind::Counter, "What calls cost.");
    for (provider, model, of) in models {
        page.usd(&[("provider", provider), ("model", model)], Money::from_pico(read(&of.cost).into()));
    }
    page.family("keywheel_unpriced_calls_total", Kind::Counter, "Calls that completed and whose cost is not known.");
    for (provider, model, of) in models {
        page.whole(&[("provider", provider), ("model", model)], read(&of.unpriced));
    }
    page.family("keywheel_estimated_calls_total", Kind::Counter, "Calls whose cost is an estimate.");
    for (provider, model, of) in models {
        page.whole(&[("provider", provider), ("model", model)], read(&of.estimated));
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
