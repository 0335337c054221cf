//! Which models each provider offers: stated in its data, or as it answered when asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::TryStreamExt;

use super::upstream::{Content, Outgoing};
use super::{Inner, ListedModel};
use crate::accounts::Wanted;
use crate::adapter;
use crate::catalog::Provider;
use crate::config::{Settings, Strategy};
use crate::kit::{Fault, Kind, Time};
use crate::wire::{Caller, Pieces};

/// A list is asked for again after this.
const FRESH: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);

/// However many calls find a model missing, a provider is asked for its list no oftener than this.
const PAUSE: Duration = Duration::from_secs(60);

/// What the providers answered when asked for their models.
#[derive(Default)]
pub(super) struct Directory {
    found: ArcSwap<BTreeMap<String, Found>>,
    /// When a provider was last asked because a model was missing.
    missed: Mutex<HashMap<String, Time>>,
}

/// One provider's answer.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) models: Arc<[String]>,
    pub(super) at: Time,
}

impl Directory {
    /// Keeps a provider's answer.
    pub(super) fn learn(&self, provider: &str, models: Vec<String>, at: Time) {
        let found = Found { models: models.into(), at };
        self.found.rcu(|old| {
            let mut next = BTreeMap::clone(old);
            next.insert(provider.to_owned(), found.clone());
            next
        });
    }

    /// A provider's models: those its data states, else those it answered with.
    pub(super) fn of(&self, settings: &Settings, provider: &str) -> Arc<[String]> {
        match settings.providers.get(provider).and_then(|provider| provider.models.as_ref()) {
            Some(stated) => stated.as_slice().into(),
            None => self.found.load().get(provider).map(|found| Arc::clone(&found.models)).unwrap_or_default(),
        }
    }

    /// When a provider was last asked with success.
    pub(super) fn asked(&self, provider: &str) -> Option<Time> {
        self.found.load().get(provider).map(|found| found.at)
    }

    /// Whether a provider that misses a model may be asked for its list now; yes is said once in a while only.
    fn may_ask(&self, provider: &str, now: Time) -> bool {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if missed.get(provider).is_some_and(|at| now.since(*at) < PAUSE) {
            return false;
        }
        missed.insert(provider.to_owned(), now);
        true
    }

    /// The providers that offer a model of this name, in the order of their ids.
    pub(super) fn offering(&self, settings: &Settings, model: &str) -> Vec<String> {
        let offers = |id: &&String| self.of(settings, id).iter().any(|own| own == model);
        settings.providers.keys().filter(offers).cloned().collect()
    }
}

impl Inner {
    /// The models that a caller can call now, aliases first.
    pub(super) fn list(&self, caller: &Caller) -> Vec<ListedModel> {
        let settings = self.settings.now();
        let serves = |full: &str| {
            let (provider, model) = full.split_once('/')?;
            (self.pool.serves(provider) && caller.may_use(provider, model)).then(|| provider.to_owned())
        };
        let mut rows = Vec::new();
        for (name, alias) in &settings.models {
            let named = caller.models.iter().any(|glob| glob.matches(name));
            let provider = alias.route.iter().find_map(|full| {
                let open = full.split_once('/').filter(|(provider, _)| named && self.pool.serves(provider));
                serves(full).or_else(|| open.map(|(provider, _)| provider.to_owned()))
            });
            rows.extend(provider.map(|provider| ListedModel {
                id: name.clone(),
                provider,
                created: self.started.as_secs(),
            }));
        }
        for provider in settings.providers.keys().filter(|id| self.pool.serves(id)) {
            let created = self.models.asked(provider).unwrap_or(self.started).as_secs();
            let models = self.models.of(&settings, provider);
            let open = models.iter().filter(|model| caller.may_use(provider, model));
            rows.extend(open.map(|model| ListedModel {
                id: format!("{provider}/{model}"),
                provider: provider.clone(),
                created,
            }));
        }
        rows.extend(self.list_dialectics(&settings, caller));
        rows
    }

    /// Asks the providers for their models, one after the other: nobody waits for it.
    pub(super) async fn refresh_models(&self) {
        let settings = self.settings.now();
        for provider in settings.providers.values() {
            let fresh = self.models.asked(&provider.id).is_some_and(|at| self.clock.now().since(at) < FRESH);
            if provider.models.is_some() || fresh || !self.pool.serves(&provider.id) {
                continue;
            }
            self.ask_and_learn(&settings, provider).await;
        }
    }

    /// A model was not found where it should be: the provider's list is out of date, and is asked for again. Nobody
    /// waits for it.
    pub(super) fn model_missing(self: &Arc<Self>, provider: &Arc<Provider>) {
        if provider.models.is_some() || !self.models.may_ask(&provider.id, self.clock.now()) {
            return;
        }
        let (inner, provider) = (Arc::clone(self), Arc::clone(provider));
        tokio::spawn(async move { inner.ask_and_learn(&inner.settings.now(), &provider).await });
    }

    async fn ask_and_learn(&self, settings: &Settings, provider: &Provider) {
        match self.ask(settings, provider).await {
            Ok(models) => self.models.learn(&provider.id, models, self.clock.now()),
            Err(fault) => tracing::debug!(provider.id = %provider.id, "the model list was not read: {fault}"),
        }
    }

    async fn ask(&self, settings: &Settings, provider: &Provider) -> Result<Vec<String>, Fault> {
        let wanted = Wanted { provider: &provider.id, strategy: Strategy::FillFirst, ..Wanted::default() };
        let none = || Fault::new(Kind::Exhausted(None), "no account is ready");
        let account = &self.pool.able(wanted).ok_or_else(none)?;
        let secret = self.secret(account).await?;
        let base_url = account.base_url.as_deref().unwrap_or(&provider.base_url);
        let request = Outgoing {
            method: http::Method::GET,
            url: adapter::of(provider.adapter).models_url(provider, base_url),
            headers: provider.headers.iter().cloned().collect(),
            body: Content::Whole(Pieces::default()),
        };
        let read = async {
            let incoming = self.upstream.send(settings, provider, account, secret.as_ref(), request).await?;
            let status = incoming.status;
            let body: Vec<Bytes> = incoming.body.try_collect().await?;
            let unread = || Fault::new(Kind::Upstream(status.as_u16()), format!("HTTP {status} instead of a list"));
            adapter::model_ids(&body.concat()).filter(|_| status.is_success()).ok_or_else(unread)
        };
        let late = || Fault::new(Kind::Stalled, "no answer in time");
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(late()))
    }
}
