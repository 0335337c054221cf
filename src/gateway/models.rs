//! Which models each provider offers: stated in its data, or as it answered when asked.

use std::collections::BTreeMap;
use std::sync::Arc;
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

/// What the providers answered when asked for their models.
#[derive(Default)]
pub(super) struct Directory(ArcSwap<BTreeMap<String, Found>>);

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
        self.0.rcu(|old| {
            let mut next = BTreeMap::clone(old);
            next.insert(provider.to_owned(), found.clone());
            next
        });
    }

    /// A provider's models: those its data states, else those it answered with.
    pub(super) fn of(&self, settings: &Settings, provider: &str) -> Arc<[String]> {
        match settings.providers.get(provider).and_then(|provider| provider.models.as_ref()) {
            Some(stated) => stated.as_slice().into(),
            None => self.0.load().get(provider).map(|found| Arc::clone(&found.models)).unwrap_or_default(),
        }
    }

    /// When a provider was last asked with success.
    pub(super) fn asked(&self, provider: &str) -> Option<Time> {
        self.0.load().get(provider).map(|found| found.at)
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
            match self.ask(&settings, provider).await {
                Ok(models) => self.models.learn(&provider.id, models, self.clock.now()),
                Err(fault) => tracing::debug!(provider.id = %provider.id, "the model list was not read: {fault}"),
            }
        }
    }

    async fn ask(&self, settings: &Settings, provider: &Provider) -> Result<Vec<String>, Fault> {
        let wanted = Wanted { provider: &provider.id, strategy: Strategy::FillFirst, ..Wanted::default() };
        let none = || Fault::new(Kind::Exhausted(None), "no account is ready");
        let lease = self.pool.try_lease(wanted).map_err(|_| none())?;
        let account = lease.account();
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
