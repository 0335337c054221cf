//! How hard a call's model shall think: read from the model's name, a header, the route and the client's rules.

use http::HeaderMap;

use super::router::{Plan, Route};
use crate::adapter::reasoning::{self, Order};
use crate::catalog::reasoning::{Level, Show};
use crate::config::Settings;
use crate::kit::{Fault, Kind};
use crate::redact::Redacted;
use crate::wire::{Caller, Edit, Endpoint, Payload};

/// Where a client asks beside the body; the answer's header of this name says what became of it.
const HEADER: &str = "x-keywheel-reasoning";

/// What a call's body is changed by, and what is said about it.
#[derive(Default)]
pub(super) struct Told {
    pub(super) edits: Vec<Edit>,
    pub(super) note: Option<String>,
}

/// A model's name without the level behind it: `fast(high)`. An alias of that very name goes before.
pub(super) fn split<'a>(model: Option<&'a str>, settings: &Settings) -> (Option<&'a str>, Option<Level>) {
    let Some(name) = model.filter(|name| !settings.models.contains_key(*name)) else { return (model, None) };
    let parts = name.strip_suffix(')').and_then(|name| name.rsplit_once('('));
    match parts.and_then(|(bare, word)| Some((bare.trim_end(), word.parse().ok()?))) {
        Some((bare, level)) if !bare.is_empty() => (Some(bare), Some(level)),
        _ => (model, None),
    }
}

/// The level that a header asks for.
pub(super) fn asked(headers: &HeaderMap) -> Result<Option<Level>, Fault> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let word = String::from_utf8_lossy(value.as_bytes());
    let wrong = |error: crate::catalog::reasoning::NoLevel| {
        Fault::new(Kind::Invalid(400), format!("{HEADER}: {error}")).code("invalid_value")
    };
    word.trim().parse().map(Some).map_err(wrong)
}

/// What a caller sees of reasoning.
pub(super) fn show(settings: &Settings, caller: &Caller) -> Show {
    settings.clients.get(&caller.name).map_or(Show::Pass, |rules| rules.show_reasoning)
}

/// The changes to a call for one route; none where nobody wants any, so that its bytes stay as they came.
pub(super) fn told(settings: &Settings, plan: &Plan, route: &Route, call: &Redacted) -> Told {
    let rules = settings.clients.get(&call.caller.name);
    let policy = match (rules.and_then(|rules| rules.reasoning), plan.reasoning) {
        (Some(client), Some(route)) => Some(client.over(route)),
        (client, route) => client.or(route),
    };
    let Payload::Json(body) = &call.payload else { return Told::default() };
    let mut told = Told::default();
    if policy.is_some() || plan.asked.is_some() {
        let order = Order {
            own: &settings.families,
            provider: &route.provider.id,
            model: &route.model,
            endpoint: &call.endpoint,
            policy: policy.unwrap_or_default(),
            asked: plan.asked,
        };
        if let Some(enforced) = reasoning::enforce(&order, body) {
            told = Told { edits: enforced.edits, note: Some(enforced.note) };
        }
    }
    if call.endpoint == Endpoint::Responses && show(settings, &call.caller) == Show::Summary {
        told.edits = reasoning::summarise(body, told.edits);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_behind_a_models_name_is_taken_off_unless_the_name_is_known_with_it() {
        let text = "[models.\"odd(high)\"]\nroute = [\"sim/echo\"]\n";
        let settings = crate::config::parse(text).expect("settings");
        let cases = [
            ("fast(high)", "fast", Some(Level::High)),
            ("lab/model (none)", "lab/model", Some(Level::None)),
            ("odd(high)", "odd(high)", None),
            ("lab/model(v2)", "lab/model(v2)", None),
            ("(high)", "(high)", None),
            ("plain", "plain", None),
        ];
        for (name, bare, level) in cases {
            assert_eq!(split(Some(name), &settings), (Some(bare), level), "{name}");
        }
    }

    #[test]
    fn a_header_with_another_word_is_the_clients_mistake() {
        let headers =
            |word: &str| HeaderMap::from_iter([(HEADER.parse().expect("name"), word.parse().expect("value"))]);
        assert_eq!(asked(&HeaderMap::new()).ok(), Some(None));
        assert_eq!(asked(&headers(" High ")).ok(), Some(Some(Level::High)));
        assert!(asked(&headers("ultra")).expect_err("no level").message.contains("\"ultra\" is no level"));
    }
}
