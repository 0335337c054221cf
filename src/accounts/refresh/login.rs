//! Logins that a person starts: the first token, stored behind the same fence as every later one.

use std::sync::Arc;

use super::exchange::{Asked, By, Device, Refusal};
use super::turn::FENCE;
use super::{Refresher, faults, name};
use crate::config::{Account, Oauth};
use crate::kit::{Fault, Kind, Time};
use crate::vault::Item;

/// What a login brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// Until when its token is good.
    pub until: Option<Time>,
    /// Whether the token can be renewed without a person.
    pub renews: bool,
}

/// Why a login did not come about.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The identity provider gave nothing; with a device that only means "ask again" for some reasons.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is needed for it is not there, or cannot be stored.
    #[error("{0}")]
    Fault(Fault),
}

impl Refresher {
    /// Begins a login by device code.
    pub async fn device(&self, account: &Account) -> Result<Device, Refusal> {
        self.0.exchange.device(account).await
    }

    /// Asks for the first token of a login and stores it.
    pub async fn log_in(&self, account: &Account, oauth: &Arc<Oauth>, by: By) -> Result<LoggedIn, LoginError> {
        let client_secret = self.0.client_secret(account, oauth).await.map_err(LoginError::Fault)?;
        let tokens = self.0.exchange.tokens(account, Asked { by, client_secret }).await?;
        let (until, renews) = (tokens.expires_at, tokens.refresh.is_some());
        let item = Item::token(tokens.access, tokens.refresh, tokens.came, tokens.expires_at);
        self.bring(account, item).await.map_err(LoginError::Fault)?;
        Ok(LoggedIn { until, renews })
    }

    /// Stores what a person brought in place of what was there, once no refresh of it is under way.
    pub async fn bring(&self, account: &Account, item: Item) -> Result<(), Fault> {
        let (vault, name) = (Arc::clone(&self.0.vault), name(account));
        let stored = tokio::task::spawn_blocking(move || {
            let _fence = vault.hold(&name, FENCE)?;
            vault.put(&name, item)
        });
        let stored =
            stored.await.map_err(|error| Fault::new(Kind::Internal, format!("the vault broke off: {error}")))?;
        stored.map_err(|error| faults::vault(account, &error))?;
        self.forget(&account.id);
        Ok(())
    }
}
