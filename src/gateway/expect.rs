//! What a call is expected to take: tokens for the limits, and the most it can cost along each route.

use super::router::Plan;
use super::till::{Asked, Till};
use crate::accounts::Need;
use crate::catalog::price_worst::{Bound, Reach};
use crate::config::Strategy;
use crate::kit::{Money, Time};

use crate::wire::{Call, Payload};

/// The names that the dialects have for the longest answer.
const MOST_OUTPUT: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
/// Where neither the call nor the model bounds the answer, prices are compared for one of this length.
const COMPARED: u64 = 4096;

/// The tokens that a call is expected to take.
pub(super) fn need(call: &Call) -> Need {
    Need::of_call(bytes(call), most_output(call))
}

/// The most that the call can cost along each route of its plan; only for a strategy that asks.
pub(super) fn prices(call: &Call, plan: &Plan, till: &Till, at: Time) -> Vec<Option<Money>> {
    if plan.strategy != Strategy::Cheapest {
        return vec![None; plan.routes.len()];
    }
    let choices = number(call, "n").unwrap_or(1).max(1);
    let input = Reach::Body(bytes(call) as u64);
    let bound = Bound { input, max_tokens: most_output(call), choices, searches: 0 };
    let asked = |provider, model| Asked { provider, model, at };
    let most = plan.routes.iter().map(|route| till.at_most(&asked(&route.provider.id, &route.model), &bound, COMPARED));
    most.collect()
}

fn bytes(call: &Call) -> usize {
    match &call.payload {
        Payload::Json(json) => json.bytes().len(),
        // media is not metered by its bytes
        Payload::Raw(_) | Payload::Upload(_) | Payload::Empty => 0,
    }
}

/// The longest answer that the call allows in tokens, where it says so.
fn most_output(call: &Call) -> Option<u64> {
    MOST_OUTPUT.iter().find_map(|name| number(call, name))
}

fn number(call: &Call, name: &str) -> Option<u64> {
    let Payload::Json(json) = &call.payload else { return None };
    json.get(name)?.parse().ok()
}
