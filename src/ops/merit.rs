//! What the models of the list are good for: their rank, their price, and whether an account is ready.

use crate::catalog::ranks::Ranks;
use crate::config::Settings;
use crate::gateway::Gateway;
use crate::kit::{Money, Usage};
use crate::operator::Merit;

/// The call by which prices are compared: about what a question with some context takes, or a commit message.
const SAMPLE: (u64, u64) = (4000, 500);

/// The merit of a model or an alias by its name in the list.
pub(super) fn of(settings: &Settings, gateway: &Gateway, name: &str) -> Merit {
    let ranks = Ranks::shipped();
    let (input, output) = SAMPLE;
    let sample = Usage { input, output, ..Usage::default() };
    let look = |full: &str| {
        let (provider, model) = full.split_once('/')?;
        let prospect = gateway.prospect(provider, model, &sample);
        Some(Merit {
            chats: !ranks.is_apart(model),
            ready: prospect.ready,
            rank: ranks.of(model),
            ranked: ranks.checked.clone(),
            sample_usd: prospect.price.map(Money::exact),
        })
    };
    let Some(alias) = settings.models.get(name) else { return look(name).unwrap_or_default() };
    // routes are tried in order, so the first that is ready answers; without one, the first
    let mut routes = alias.route.iter().filter_map(|full| look(full));
    let first = routes.next().unwrap_or_default();
    if first.ready { first } else { routes.find(|merit| merit.ready).unwrap_or(first) }
}
