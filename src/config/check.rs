//! From what the layers say to settings in force: what no single value shows to be wrong is found here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::key::Key;
use super::layers::Layer;
use super::observed;
use super::origins::Origins;
use super::problem::{Problem, nearest};
use super::settings::{Alias, ClientRules, Dialectic, Keep, Listen, Parking, Settings, Tls, VaultHome, VaultPlace};
use super::shape::{AliasEntry, ClientEntry, DialecticEntry, Shape, VaultEntry};
use super::{accounts, budgets};
use crate::catalog::reasoning::Policy;
use crate::catalog::stanza::header_flaw;
use crate::catalog::{Provider, Stanza, Timeouts};

/// What the checks share: who said what, and the problems so far.
pub(super) struct Check<'a> {
    /// Who said what.
    pub origins: &'a Origins,
    /// The problems so far.
    pub problems: Vec<Problem>,
    /// The folder from which relative paths are meant.
    pub folder: &'a Path,
    /// Every provider, complete or not, since a route to an incomplete one is not a second mistake.
    pub known: Vec<String>,
}

impl Check<'_> {
    /// Notes a problem at `key`.
    pub(super) fn wrong(&mut self, key: &Key, message: impl Into<String>) {
        self.problems.push(self.origins.problem(key, message));
    }

    /// Notes a problem when no such provider exists.
    pub(super) fn provider(&mut self, key: &Key, id: &str) {
        if self.known.iter().any(|known| known == id) {
            return;
        }
        let meant = nearest(id, self.known.iter().map(String::as_str));
        let message = "no such provider; `keywheel provider list` shows those that exist";
        self.problems.push(self.origins.problem(key, message).meant(meant));
    }

    /// Settings from everything that was said; complete only when no problem was noted.
    pub(super) fn settings(&mut self, shape: Shape) -> Settings {
        let base = shape.timeouts.over(Timeouts::default());
        self.known = shape.providers.keys().cloned().collect();
        let (providers, provider_origins) = self.providers(shape.providers, base);
        let accounts = accounts::checked(self, shape.accounts, &providers);
        if let Some(id) = &shape.default_provider {
            self.provider(&Key::of(&["default_provider"]), id);
        }
        let tls = shape.tls.map(|tls| Tls { cert: self.folder.join(tls.cert), key: self.folder.join(tls.key) });
        self.doors(&shape.listen, shape.allow_plaintext, tls.is_some());
        Settings {
            listen: shape.listen,
            allow_plaintext: shape.allow_plaintext,
            hosts: shape.hosts,
            origins: shape.origins,
            tls,
            proxy: shape.proxy.map(|url| url.0),
            default_provider: shape.default_provider,
            discover: shape.discover,
            providers,
            provider_origins,
            accounts,
            models: shape.models.into_iter().map(|(name, alias)| self.alias(name, alias)).collect(),
            families: shape.reasoning,
            clients: shape.clients.into_iter().map(|(name, client)| self.client(name, client)).collect(),
            dialectics: shape.dialectics.into_iter().map(|(name, entry)| self.dialectic(name, entry)).collect(),
            budgets: budgets::checked(self, shape.budgets),
            time_zone: shape.time_zone.0,
            parking: Parking {
                max_wait: shape.parking.max_wait.0,
                max_parked: usize::try_from(shape.parking.max_parked).unwrap_or(usize::MAX),
            },
            ask: shape.ask,
            commit: shape.commit.into(),
            review: shape.review.into(),
            vault: self.vault(shape.vault),
            capture: shape.capture.into(),
            ledger: Keep { age: shape.ledger.keep.0, size: shape.ledger.max_size.map(|size| size.0) },
            metrics_public: shape.metrics.public,
            otlp: observed::checked(self, shape.otlp).map(Arc::new),
            national_ids: shape.national_ids,
            header_after: shape.header_after.0,
            keep_alive: shape.keep_alive.0,
            body_limit: usize::try_from(shape.body_limit.0).unwrap_or(usize::MAX),
            upload_limit: shape.upload_limit.0,
        }
    }

    fn providers(
        &mut self,
        stanzas: BTreeMap<String, Stanza>,
        base: Timeouts,
    ) -> (BTreeMap<String, Arc<Provider>>, BTreeMap<String, String>) {
        let mut providers = BTreeMap::new();
        let mut origins = BTreeMap::new();
        for (id, stanza) in stanzas {
            let key = Key::of(&["providers", &id]);
            let origin = self.origins.of(&key);
            if !is_id(&id) {
                self.wrong(&key, "a provider's id has only small letters, digits, `-`, `_` and `.`");
            }
            if id == "dialectics" {
                self.wrong(&key, "this id is taken by the models dialectics/NAME; choose another");
            }
            match stanza.provider(&id, base, self.folder) {
                Ok(provider) => {
                    providers.insert(id.clone(), Arc::new(provider));
                    let file = origin.place.filter(|_| origin.layer != Layer::BuiltIn).map(|place| place.file);
                    origins.insert(id, file.unwrap_or_else(|| "shipped".to_owned()));
                }
                // our own mistake must not keep a user from starting; a test looks at every shipped file
                Err(_) if origin.layer == Layer::BuiltIn => {}
                Err(flaws) => {
                    let mentioned = key.to_string();
                    let told = self.problems.iter().any(|problem| problem.key.starts_with(&mentioned));
                    for flaw in flaws.into_iter().filter(|_| !told) {
                        let key = flaw.key.iter().fold(key.clone(), |key, part| key.name(part));
                        self.wrong(&key, flaw.message);
                    }
                }
            }
        }
        (providers, origins)
    }

    fn vault(&mut self, entry: VaultEntry) -> VaultPlace {
        if entry.home == Some(VaultHome::KeyFile) && entry.key_file.is_none() {
            self.wrong(&Key::of(&["vault", "home"]), "say which file: key_file = FILE");
        }
        VaultPlace {
            home: entry.home,
            file: entry.file.map(|file| self.folder.join(file)),
            key_file: entry.key_file.map(|file| self.folder.join(file)),
            unlock_cache: entry.unlock_cache.map(|wait| wait.0),
        }
    }

    fn doors(&mut self, listen: &[Listen], allow_plaintext: bool, has_tls: bool) {
        for (index, door) in listen.iter().enumerate() {
            let key = Key::of(&["listen"]).index(index);
            match door {
                Listen::Tcp(at) if !at.ip().is_loopback() && !allow_plaintext => self.wrong(
                    &key,
                    "off loopback keys would travel unencrypted; use tls://, or set allow_plaintext = true",
                ),
                Listen::Tls(_) if !has_tls => {
                    self.wrong(&key, "tls:// needs a certificate; set tls = { cert = FILE, key = FILE }");
                }
                _ => {}
            }
        }
    }

    fn alias(&mut self, name: String, alias: AliasEntry) -> (String, Alias) {
        let key = Key::of(&["models", &name]);
        if name.starts_with("dialectics/") {
            self.wrong(&key, "these names are taken; write [dialectics.NAME], or choose another");
        }
        for (index, route) in alias.route.iter().enumerate() {
            self.provider(&key.name("route").index(index), route.provider());
        }
        self.headers(&key, &alias.headers);
        let route = alias.route.into_iter().map(|route| route.0).collect();
        let AliasEntry { strategy, body, headers, redact, reasoning, .. } = alias;
        self.reasoning(&key, reasoning);
        (name, Alias { route, strategy, body, headers, redact, reasoning })
    }

    fn client(&mut self, name: String, client: ClientEntry) -> (String, ClientRules) {
        let key = Key::of(&["clients", &name]);
        self.headers(&key, &client.headers);
        let ClientEntry { body, headers, limits, redact, reasoning, show_reasoning } = client;
        self.reasoning(&key, reasoning);
        (name, ClientRules { body, headers, limits, redact, reasoning, show_reasoning })
    }

    fn dialectic(&mut self, name: String, entry: DialecticEntry) -> (String, Dialectic) {
        let key = Key::of(&["dialectics", &name]);
        for (index, leg) in entry.legs.iter().enumerate() {
            self.provider(&key.name("legs").index(index), leg.provider());
        }
        if let Some(route) = &entry.synthesis {
            self.provider(&key.name("synthesis"), route.provider());
        }
        let legs = entry.legs.into_iter().map(|leg| leg.0).collect();
        let dialectic = Dialectic {
            mode: entry.mode,
            legs,
            synthesis: entry.synthesis.map(|route| route.0),
            rounds: entry.rounds,
            leg_timeout: entry.leg_timeout.0,
            max_cost: entry.max_cost_usd.map(|usd| usd.0),
            tools: entry.tools,
            report: entry.report,
        };
        (name, dialectic)
    }

    fn reasoning(&mut self, key: &Key, policy: Option<Policy>) {
        let Some(Policy { floor: Some(floor), ceiling: Some(ceiling), .. }) = policy else { return };
        if floor > ceiling {
            self.wrong(&key.name("reasoning"), format!("the floor, {floor}, is above the ceiling, {ceiling}"));
        }
    }

    fn headers(&mut self, key: &Key, headers: &BTreeMap<String, String>) {
        for (name, value) in headers {
            if let Some(message) = header_flaw(name, value) {
                self.wrong(&key.name("headers").name(name), message);
            }
        }
    }
}

fn is_id(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    !id.is_empty() && id.chars().all(fits)
}
