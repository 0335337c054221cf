//! Model name → plan: the routes that a call may take, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::models::Directory;
use crate::accounts::Pool;
use crate::catalog::reasoning::{Level, Policy};
use crate::catalog::{BodyRules, Provider};
use crate::config::{ClientRules, Redact, Settings, Strategy};
use crate::kit::{Fault, Kind};
use crate::wire::{Caller, Endpoint};

/// The routes of a call, in the order in which they are tried.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) routes: Vec<Route>,
    pub(super) strategy: Strategy,
    /// Changes that the alias makes, where one was named.
    pub(super) body: BodyRules,
    /// Headers that the alias sets.
    pub(super) headers: BTreeMap<String, String>,
    /// What becomes of secrets in the call, as the alias wants it.
    pub(super) redact: Redact,
    /// How hard the alias wants its models to think.
    pub(super) reasoning: Option<Policy>,
    /// How hard the client asked for, beside the body.
    pub(super) asked: Option<Level>,
}

impl Plan {
    /// What becomes of secrets on a route: the strictest that alias, provider and client ask for.
    pub(super) fn redact(&self, route: &Route, client: Option<&ClientRules>) -> Redact {
        let client = client.map_or(Redact::Off, |rules| rules.redact);
        self.redact.max(route.provider.redact).max(client)
    }
}

/// A provider and the model as it knows it; empty for endpoints without one.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) provider: Arc<Provider>,
    pub(super) model: String,
}

impl Route {
    /// `provider/model`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.provider.id, self.model)
    }
}

/// What a route is looked for by.
pub(super) struct Query<'a> {
    pub(super) settings: &'a Settings,
    pub(super) models: &'a Directory,
    pub(super) pool: &'a Pool,
    pub(super) caller: &'a Caller,
    pub(super) endpoint: &'a Endpoint,
    /// The model as the client wrote it.
    pub(super) model: Option<&'a str>,
    /// The provider that the client named in a header, for endpoints without a model.
    pub(super) provider: Option<&'a str>,
}

impl Query<'_> {
    /// The plan, or why there is none and what to do about it.
    pub(super) fn plan(&self) -> Result<Plan, Fault> {
        let mut plan = self.candidates()?;
        let asked = self.model.unwrap_or_default();
        let named =
            self.settings.models.contains_key(asked) && self.caller.models.iter().any(|glob| glob.matches(asked));
        if !named {
            plan.routes.retain(|route| self.caller.may_use(&route.provider.id, &route.model));
        }
        if plan.routes.is_empty() {
            return Err(Fault::new(
                Kind::Forbidden,
                format!(
                    "this client key may not use {asked:?}; ask for one of the \
                models that GET /v1/models lists, or have the key's scope changed"
                ),
            )
            .param("model"));
        }
        let first = plan.routes[0].provider.id.clone();
        plan.routes.retain(|route| serves(&route.provider, self.endpoint.path()));
        if plan.routes.is_empty() {
            let path = self.endpoint.path();
            return Err(Fault::new(
                Kind::NotFound,
                format!(
                    "provider {first} does not offer /v1/{path}; name a provider \
                that does, or add the path to its `endpoints`"
                ),
            ));
        }
        plan.routes.retain(|route| self.pool.serves(&route.provider.id));
        if plan.routes.is_empty() {
            return Err(no_account(&first));
        }
        Ok(plan)
    }

    /// Every route that the name stands for.
    fn candidates(&self) -> Result<Plan, Fault> {
        let Some(name) = self.model.filter(|name| !name.is_empty()) else { return self.without_model() };
        if let Some(alias) = self.settings.models.get(name) {
            let routes = alias.route.iter().filter_map(|full| self.qualified(full)).collect();
            let (body, headers) = (alias.body.clone(), alias.headers.clone());
            let (redact, reasoning) = (alias.redact, alias.reasoning);
            return Ok(Plan { routes, strategy: alias.strategy, body, headers, redact, reasoning, asked: None });
        }
        if let Some(route) = self.qualified(name) {
            return Ok(direct(route));
        }
        let offering = self.models.offering(self.settings, name);
        let mut callable = offering.iter().filter(|id| self.pool.serves(id) && !self.offline(id));
        let id = match (callable.next(), callable.next()) {
            (Some(only), None) => only.clone(),
            (Some(_), Some(_)) if self.default_provider().is_none_or(|id| !offering.contains(&id)) => {
                return Err(Fault::new(
                    Kind::NotFound,
                    format!(
                        "several providers offer {name:?} ({}); write \
                    provider/{name}, or set default_provider",
                        offering.join(", ")
                    ),
                )
                .param("model"));
            }
            _ => self.default_provider().ok_or_else(|| unknown(name))?,
        };
        Ok(direct(self.route(&id, name).ok_or_else(|| unknown(name))?))
    }

    fn without_model(&self) -> Result<Plan, Fault> {
        let path = self.endpoint.path();
        let id = self.provider.map(str::to_owned).or_else(|| self.default_provider()).ok_or_else(|| {
            Fault::new(
                Kind::NotFound,
                format!(
                    "/v1/{path} names no model, so no provider can be told; send \
                x-keywheel-provider, or set default_provider"
                ),
            )
        })?;
        self.route(&id, "").map(direct).ok_or_else(|| {
            Fault::new(Kind::NotFound, format!("there is no provider {id:?}; `keywheel provider list` shows them"))
        })
    }

    /// `provider/model`, where the provider is known.
    fn qualified(&self, full: &str) -> Option<Route> {
        let (provider, model) = full.split_once('/')?;
        self.route(provider, model)
    }

    fn route(&self, provider: &str, model: &str) -> Option<Route> {
        let provider = Arc::clone(self.settings.providers.get(provider)?);
        Some(Route { provider, model: model.to_owned() })
    }

    /// Whether a provider is answered in process; such a one is called only by name.
    fn offline(&self, id: &str) -> bool {
        self.settings.providers.get(id).is_some_and(|provider| provider.base_url.starts_with("sim:"))
    }

    /// The default provider: the one set, else the only one with an account (the offline one answers only by name).
    fn default_provider(&self) -> Option<String> {
        self.settings.default_provider.clone().or_else(|| {
            let mut with_account =
                self.settings.providers.keys().filter(|id| self.pool.serves(id) && !self.offline(id));
            with_account.next().filter(|_| with_account.next().is_none()).cloned()
        })
    }
}

fn direct(route: Route) -> Plan {
    let (body, headers) = (BodyRules::default(), BTreeMap::new());
    let strategy = Strategy::default();
    Plan { routes: vec![route], strategy, body, headers, redact: Redact::Off, reasoning: None, asked: None }
}

/// Whether a provider serves a path below its base URL.
fn serves(provider: &Provider, path: &str) -> bool {
    provider.endpoints.iter().any(|glob| glob == path || (glob.contains('*') && WildMatch::new(glob).matches(path)))
}

fn no_account(provider: &str) -> Fault {
    let words = format!(
        "provider {provider} has no account that is on; see: keywheel account list, or add one: keywheel account add NAME --provider {provider}"
    );
    Fault::new(Kind::NotFound, words).code("model_not_found").param("model")
}

fn unknown(name: &str) -> Fault {
    Fault::new(
        Kind::NotFound,
        format!(
            "no account can call {name:?}; run: keywheel account add NAME --provider PROVIDER, then write \
        provider/model, or try sim/echo"
        ),
    )
    .code("model_not_found")
    .param("model")
}
