//! Accounts that nobody wrote down: keys in the environment and servers on this machine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::home::Env;
use super::settings::{Account, SecretSource, Settings};
use crate::catalog::{BaseUrl, LocalUrl};

/// How long a server on this machine may take to show its models.
const PATIENCE: Duration = Duration::from_millis(300);

/// The largest list of models that is read.
const LIST_LIMIT: usize = 1 << 20;

/// A place where a server may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The provider whose server it would be.
    pub provider: String,
    /// Its base URL.
    pub url: LocalUrl,
    /// Whether the URL differs from the provider's own, so that the account must carry it.
    pub base_url: Option<String>,
}

impl Settings {
    /// Adds accounts that were found; an id that is taken stays with who has it.
    pub fn adopt(&mut self, found: Vec<Account>) {
        for account in found {
            if !self.accounts.iter().any(|known| known.id == account.id) {
                self.accounts.push(Arc::new(account));
            }
        }
    }
}

/// One account per provider whose variables are set, named after it, and what is wrong with the others. An account of
/// the user's own that reads the same variable stands for it.
pub fn in_environment(settings: &Settings, env: Env<'_>) -> (Vec<Account>, Vec<String>) {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for (id, provider) in &settings.providers {
        let Some(variable) = provider.env_key.iter().find(|name| set(name).is_some()) else { continue };
        let secret = SecretSource::Env(variable.clone());
        if settings.accounts.iter().any(|account| account.provider == *id && account.secret == secret) {
            continue;
        }
        let taken = settings.accounts.iter().any(|account| account.id == *id);
        let name = if taken { format!("{id}-env") } else { id.clone() };
        let mut account = Account::found(&name, id, secret, variable);
        if let Some(base) = &provider.env_base_url {
            let Some(value) = set(base) else { continue };
            match value.trim().parse::<BaseUrl>() {
                Ok(url) => account.base_url = Some(url.0),
                Err(malformed) => {
                    warnings.push(format!("{variable} is set but not used, because {base} is wrong: {malformed}"));
                    continue;
                }
            }
        }
        found.push(account);
    }
    (found, warnings)
}

/// Where servers on this machine may be; none for providers that the user has accounts of.
pub fn candidates(settings: &Settings) -> Vec<Candidate> {
    let nobody = |id: &str| !settings.accounts.iter().any(|account| account.provider == id);
    let local = settings.providers.iter().filter(|(id, _)| settings.discover && nobody(id));
    local
        .filter_map(|(id, provider)| {
            let url: LocalUrl = provider.discover.as_ref()?.parse().ok()?;
            let base_url = (url.0 != provider.base_url).then(|| url.0.clone());
            Some(Candidate { provider: id.clone(), url, base_url })
        })
        .collect()
}

/// Asks all candidates at once and returns an account for each that shows a list of models; takes at most 300 ms.
pub async fn probe(candidates: Vec<Candidate>) -> Vec<Account> {
    let asked = candidates.into_iter().map(|candidate| async move {
        let place = timeout(PATIENCE, ask(&candidate.url.0)).await.ok()??;
        let mut account = Account::found(&candidate.provider, &candidate.provider, SecretSource::None, &place);
        account.base_url = candidate.base_url;
        Some(account)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// `host:port` of a server that answers with a list of models. Many other things live on port 8080, so a 200 alone says
/// nothing. A connection of its own: there is no secret to attach and no failure to report.
#[expect(clippy::disallowed_methods, reason = "one small answer from this machine, under the caller's deadline")]
async fn ask(base: &str) -> Option<String> {
    let url = url::Url::parse(base).ok()?;
    let place = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let stream = TcpStream::connect(&place).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = http::Request::get(format!("{}/models", url.path().trim_end_matches('/')))
        .header(http::header::HOST, &place)
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        if response.status() != http::StatusCode::OK {
            return None;
        }
        let body = Limited::new(response.into_body(), LIST_LIMIT).collect().await.ok()?.to_bytes();
        let list: serde_json::Value = serde_json::from_slice(&body).ok()?;
        list["data"].is_array().then_some(())
    };
    // the connection only moves while it is polled; a server that closes at once may leave the answer's end to be read
    tokio::pin!(answer);
    let answered = tokio::select! {
        biased;
        answered = &mut answer => answered,
        _ = connection => answer.await,
    };
    answered.map(|()| place)
}
