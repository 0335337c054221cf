//! Who takes part in a dialectic: as configured, as the client wishes, or the best-ranked models that can be called.

use std::time::Duration;

use super::wishes::Wishes;
use super::{PREFIX, PROVIDER};
use crate::accounts::Wanted;
use crate::catalog::ranks::Ranks;
use crate::config::settings::LEG_TIMEOUT;
use crate::config::{Dialectic, Mode, Settings, ToolsFor};
use crate::gateway::{Inner, ListedModel};
use crate::kit::{Fault, Kind, Money};
use crate::wire::Caller;

/// The names that exist without configuration, and how many legs each has.
const BUILT_IN: [(&str, Mode, usize); 4] =
    [("debate", Mode::Debate, 2), ("split", Mode::Split, 2), ("panel", Mode::Panel, 3), (OFFLINE, Mode::Debate, 2)];

/// The one whose legs are answered in process.
const OFFLINE: &str = "sim";
const OFFLINE_LEGS: [&str; 2] = ["sim/echo", "sim/tools"];

/// Who takes part, and by which rules.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) mode: Mode,
    pub(super) legs: Vec<Leg>,
    /// The model that plans, judges and writes the answer.
    pub(super) synthesis: String,
    pub(super) rounds: u32,
    pub(super) leg_timeout: Duration,
    pub(super) max_cost: Option<Money>,
    pub(super) tools: ToolsFor,
    pub(super) report: bool,
    pub(super) live: bool,
}

/// One of the models, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    /// `thesis`, `part-1`, `voice-2`: unlike any other's.
    pub(super) role: String,
    pub(super) model: String,
}

impl Leg {
    /// As it is named to people: `thesis (lab/model-a)`.
    pub(super) fn named(&self) -> String {
        format!("{} ({})", self.role, self.model)
    }
}

impl Inner {
    /// Who takes part in the dialectic of this name.
    pub(super) fn cast(&self, settings: &Settings, caller: &Caller, name: &str, wishes: Wishes) -> Result<Cast, Fault> {
        let dialectic = match settings.dialectics.get(name) {
            Some(own) => own.clone(),
            None => self.built_in(settings, caller, name, wishes.legs.as_deref())?,
        };
        let (mode, legs) = (dialectic.mode, wishes.legs.unwrap_or(dialectic.legs));
        let first = legs.first().cloned().unwrap_or_default();
        let legs = legs.into_iter().enumerate().map(|(at, model)| Leg { role: role(mode, at), model }).collect();
        let rounds = wishes.rounds.unwrap_or(dialectic.rounds);
        Ok(Cast {
            mode,
            legs,
            synthesis: wishes.synthesis.or(dialectic.synthesis).unwrap_or(first),
            rounds: if mode == Mode::Debate { rounds } else { 1 },
            leg_timeout: dialectic.leg_timeout,
            // a client may lower what the owner allows, not raise it
            max_cost: dialectic.max_cost.into_iter().chain(wishes.max_cost).min(),
            tools: dialectic.tools,
            report: wishes.report.unwrap_or(dialectic.report),
            live: wishes.live,
        })
    }

    /// The dialectics that a caller can call now.
    pub(in crate::gateway) fn list_dialectics(&self, settings: &Settings, caller: &Caller) -> Vec<ListedModel> {
        let mut names: Vec<&str> = settings.dialectics.keys().map(String::as_str).collect();
        names.extend(BUILT_IN.iter().map(|(name, ..)| *name).filter(|name| !settings.dialectics.contains_key(*name)));
        let open = |model: &String| {
            let route = model.split_once('/');
            route.is_some_and(|(provider, model)| self.pool.serves(provider) && caller.may_use(provider, model))
        };
        let callable = |name: &&str| match settings.dialectics.get(*name) {
            Some(own) => own.legs.iter().any(open),
            None => self.built_in(settings, caller, name, None).is_ok_and(|own| own.legs.iter().any(open)),
        };
        let row = |name: &str| ListedModel {
            id: format!("{PREFIX}{name}"),
            provider: PROVIDER.to_owned(),
            created: self.started.as_secs(),
        };
        names.into_iter().filter(callable).map(row).collect()
    }

    fn built_in(
        &self,
        settings: &Settings,
        caller: &Caller,
        name: &str,
        legs: Option<&[String]>,
    ) -> Result<Dialectic, Fault> {
        let Some((_, mode, count)) = BUILT_IN.iter().find(|(own, ..)| *own == name) else {
            return Err(unknown(settings, name));
        };
        let legs = match legs {
            Some(legs) => legs.to_vec(),
            None if name == OFFLINE => OFFLINE_LEGS.map(str::to_owned).to_vec(),
            None => self.best(settings, caller, *count),
        };
        if legs.is_empty() {
            let words = format!(
                "no model can be asked for {PREFIX}{name}: none is both listed and callable; add an account, name the \
                 legs in [dialectics.{name}], or try {PREFIX}{OFFLINE}"
            );
            return Err(Fault::new(Kind::NotFound, words).code("model_not_found").param("model"));
        }
        Ok(Dialectic {
            mode: *mode,
            legs,
            synthesis: None,
            rounds: 1,
            leg_timeout: LEG_TIMEOUT,
            max_cost: None,
            tools: ToolsFor::Synthesis,
            report: false,
        })
    }

    /// So many models, best first, at different providers as far as there are several: first those whose accounts are
    /// ready, then those that rest. A model speaks twice only where there is no other.
    fn best(&self, settings: &Settings, caller: &Caller, count: usize) -> Vec<String> {
        let ranks = Ranks::shipped();
        let online = |id: &&String| self.pool.serves(id) && !settings.providers[*id].base_url.starts_with("sim:");
        let mut found: Vec<(usize, bool, u8, String)> = Vec::new();
        for provider in settings.providers.keys().filter(online) {
            let models = self.models.of(settings, provider);
            let open = models.iter().filter(|model| !ranks.is_apart(model) && caller.may_use(provider, model));
            let able = |model: &str| self.pool.able(Wanted { provider, model, ..Wanted::default() }).is_some();
            let mut own: Vec<(bool, u8, &String)> =
                open.map(|model| (!able(model), ranks.of(model).unwrap_or(0), model)).collect();
            own.sort_by_key(|&(rests, rank, _)| (rests, u8::MAX - rank));
            let named = |(turn, (rests, rank, model))| (turn, rests, rank, format!("{provider}/{model}"));
            found.extend(own.into_iter().enumerate().map(named));
        }
        // the best of each provider, then the second of each
        found.sort_by_key(|&(turn, rests, rank, _)| (rests, turn, u8::MAX - rank));
        let names: Vec<String> = found.into_iter().map(|(.., name)| name).take(count).collect();
        names.iter().cycle().take(if names.is_empty() { 0 } else { count }).cloned().collect()
    }
}

/// What the leg at this place stands for.
fn role(mode: Mode, at: usize) -> String {
    match (mode, at) {
        (Mode::Debate, 0) => "thesis".to_owned(),
        (Mode::Debate, 1) => "antithesis".to_owned(),
        (Mode::Debate, at) => format!("{}-{}", if at % 2 == 0 { "thesis" } else { "antithesis" }, at / 2 + 1),
        (Mode::Split, at) => format!("part-{}", at + 1),
        (Mode::Panel, at) => format!("voice-{}", at + 1),
    }
}

fn unknown(settings: &Settings, name: &str) -> Fault {
    let own = settings.dialectics.keys().map(String::as_str);
    let known: Vec<String> =
        own.chain(BUILT_IN.iter().map(|(name, ..)| *name)).map(|name| format!("{PREFIX}{name}")).collect();
    let words = format!("there is no {PREFIX}{name}; there are {}, or write [dialectics.NAME]", known.join(", "));
    Fault::new(Kind::NotFound, words).code("model_not_found").param("model")
}
