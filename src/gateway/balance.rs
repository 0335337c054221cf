//! Asks a provider how much money an account has left, by the call that its data names for that.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::upstream::{Content, Outgoing};
use super::{Gateway, Inner};
use crate::adapter;
use crate::catalog::Provider;
use crate::catalog::provider::Balance;
use crate::config::{Account, Settings};
use crate::kit::{Fault, Kind};
use crate::wire::Pieces;

/// The longest that it takes.
const PATIENCE: Duration = Duration::from_secs(10);

impl Gateway {
    /// What is left, with its currency; `None` where the provider does not tell. The account's state is left alone.
    pub async fn balance(&self, account: &Account) -> Result<Option<String>, Fault> {
        let settings = self.0.settings.now();
        let Some(provider) = settings.providers.get(&account.provider) else { return Ok(None) };
        let Some(balance) = &provider.balance else { return Ok(None) };
        let asked = self.0.balance(&settings, provider, balance, account);
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            Err(Fault::new(Kind::Stalled, format!("{} gave no answer within {seconds} s", provider.id)))
        })
    }
}

impl Inner {
    async fn balance(
        &self,
        settings: &Settings,
        provider: &Provider,
        balance: &Balance,
        account: &Account,
    ) -> Result<Option<String>, Fault> {
        let secret = self.secret(account).await?;
        let base_url = account.base_url.as_deref().unwrap_or(&provider.base_url);
        let dialect = adapter::of(provider.adapter);
        let headers: HeaderMap = provider.headers.iter().cloned().collect();
        let url = dialect.beside(provider, base_url, &balance.path);
        let body = Content::Whole(Pieces::from(Bytes::new()));
        let request = Outgoing { method: Method::GET, url, headers, body };
        let mut incoming = self.upstream.send(settings, provider, account, secret.as_ref(), request).await?;
        let mut said = BytesMut::new();
        while let Some(Ok(chunk)) = incoming.body.next().await
            && said.len() < adapter::READ
        {
            said.extend_from_slice(&chunk);
        }
        said.truncate(adapter::READ);
        if !incoming.status.is_success() {
            let answer = adapter::Answer::new(incoming.status.as_u16(), incoming.headers, said.freeze(), &self.known);
            return Err(self.known.clean_fault(dialect.classify(provider, &answer, self.clock.now())));
        }
        let json: Value = serde_json::from_slice(&said).unwrap_or_default();
        Ok(read(&json, balance).map(|text| self.known.clean_str(&text).into_owned()))
    }
}

fn read(json: &Value, balance: &Balance) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.chars().take(40).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let left = plain(json.pointer(&balance.left)?)?;
    let unit = if balance.unit.starts_with('/') { plain(json.pointer(&balance.unit)?)? } else { balance.unit.clone() };
    Some(format!("{left} {unit}"))
}
