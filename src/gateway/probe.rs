//! Asks a provider whether an account's key is good, by the call that its data names for that: a list of models that
//! anybody may read proves nothing.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, Method};

use super::upstream::{Content, Incoming, Outgoing};
use super::{Gateway, Inner};
use crate::adapter;
use crate::catalog::Provider;
use crate::config::{Account, Settings};
use crate::kit::{Fault, Kind};
use crate::wire::Pieces;

/// The longest that a probe takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a good answer says of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The provider took the key.
    Key,
    /// It answered; whether it looked at the key is not known.
    Answer,
}

impl Gateway {
    /// Probes an account, whatever state it is in; neither success nor failure changes that state.
    pub async fn probe(&self, account: &Account) -> Result<Proof, Fault> {
        let settings = self.0.settings.now();
        let provider = settings.providers.get(&account.provider).ok_or_else(|| {
            Fault::new(Kind::Internal, format!("there is no provider {:?}; look at the settings", account.provider))
        })?;
        let probed = self.0.probe(&settings, provider, account);
        tokio::time::timeout(PATIENCE, probed).await.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            Err(Fault::new(Kind::Stalled, format!("{} gave no answer within {seconds} s", provider.id)))
        })
    }
}

impl Inner {
    async fn probe(&self, settings: &Settings, provider: &Provider, account: &Account) -> Result<Proof, Fault> {
        let secret = self.secret(account).await?;
        let base_url = account.base_url.as_deref().unwrap_or(&provider.base_url);
        let dialect = adapter::of(provider.adapter);
        let mut headers: HeaderMap = provider.headers.iter().cloned().collect();
        let (method, url, body) = match &provider.probe {
            None => (Method::GET, dialect.models_url(provider, base_url), Bytes::new()),
            Some(probe) => {
                let body = probe.body.as_ref().map(|body| Bytes::from(body.to_string()));
                let method = if body.is_some() { Method::POST } else { Method::GET };
                (method, dialect.beside(provider, base_url, &probe.path), body.unwrap_or_default())
            }
        };
        if !body.is_empty() {
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        }
        let request = Outgoing { method, url, headers, body: Content::Whole(Pieces::from(body)) };
        let incoming = self.upstream.send(settings, provider, account, secret.as_ref(), request).await?;
        let Incoming { status, headers, body, .. } = incoming;
        let accepted = provider.probe.as_ref().is_some_and(|probe| probe.accepts.contains(&status.as_u16()));
        if status.is_success() || accepted {
            return Ok(if provider.probe.is_some() && secret.is_some() { Proof::Key } else { Proof::Answer });
        }
        let mut said = BytesMut::new();
        let mut body = body;
        while let Some(Ok(chunk)) = body.next().await
            && said.len() < adapter::READ
        {
            said.extend_from_slice(&chunk);
        }
        said.truncate(adapter::READ);
        let answer = adapter::Answer::new(status.as_u16(), headers, said.freeze(), &self.known);
        Err(self.known.clean_fault(dialect.classify(provider, &answer, self.clock.now())))
    }
}
