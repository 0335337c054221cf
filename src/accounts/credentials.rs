//! An account's secret when it is needed; the one door between accounts and the vault.

use std::sync::Arc;
use std::time::Duration;

use super::Refresher;
use crate::config::{Account, SecretSource};
use crate::kit::{Fault, Kind, Secret};
use crate::vault::{PATIENCE, SecretError, Source};

/// The longest that a program may take for a secret.
pub const PROGRAM: Duration = PATIENCE;

/// The secrets of all accounts.
#[derive(Clone)]
pub struct Credentials {
    source: Arc<Source>,
    refresher: Option<Refresher>,
}

impl Credentials {
    /// Secrets from this source.
    pub const fn new(source: Arc<Source>) -> Self {
        Self { source, refresher: None }
    }

    /// With tokens from this refresher, for accounts that have them instead of a key.
    #[must_use]
    pub fn with_tokens(mut self, refresher: Refresher) -> Self {
        self.refresher = Some(refresher);
        self
    }

    /// The account's secret; `None` for an account that needs none. Where there should be one and is none the account
    /// does not rest: it is as good as ever once the variable, the program or the vault is mended.
    pub async fn of(&self, account: &Account) -> Result<Option<Secret>, Fault> {
        match &account.oauth {
            Some(oauth) => self.refresher(account)?.token(account, oauth).await.map(Some),
            None => self.source.resolve(account).await.map_err(|error| lacking(&error)),
        }
    }

    /// Whether the account's secret is to be had, as far as a look tells: it reads files, and asks neither a program nor
    /// an identity provider. `None` where only they know.
    pub async fn look(&self, account: &Account) -> Option<Result<(), Fault>> {
        match (&account.oauth, &self.refresher) {
            (Some(oauth), Some(refresher)) => refresher.look(account, oauth).await,
            (Some(_), None) | (None, _) if matches!(account.secret, SecretSource::Command { .. }) => None,
            _ => Some(self.source.resolve(account).await.map(drop).map_err(|error| lacking(&error))),
        }
    }

    /// A secret newer than the one that the provider has just refused, fetched once for all calls that were refused with
    /// it; `None` where there is nothing newer, and the account's key is rejected. A fault takes the place of the refusal:
    /// it says why there is no newer one.
    pub async fn renewed(&self, account: &Account, refused: &Secret) -> Result<Option<Secret>, Fault> {
        match &account.oauth {
            Some(oauth) => {
                let token = self.refresher(account)?.renewed(account, oauth, refused).await?;
                Ok(Some(token).filter(|token| !token.same(refused)))
            }
            None => self.source.renew(account, refused).await.map_err(|error| lacking(&error)),
        }
    }

    /// A person has mended something about the account: what was known of its token is looked up afresh.
    pub fn forget(&self, account: &Account) {
        self.source.invalidate(&account.id);
        if let Some(tokens) = &self.refresher {
            tokens.forget(&account.id);
        }
    }

    /// The provider refused the secret: what was kept of it is not used again.
    pub fn rejected(&self, account: &Account) {
        self.source.invalidate(&account.id);
    }

    /// Renews the account's token now, on a person's word.
    pub async fn force(&self, account: &Account) -> Result<(), Fault> {
        match &account.oauth {
            Some(oauth) => self.refresher(account)?.force(account, oauth).await,
            None => {
                let id = &account.id;
                Err(Fault::new(Kind::NoSecret, format!("account {id} sends a key, which is not renewed")))
            }
        }
    }

    /// How often identity providers gave a token when they were asked for one, and how often they did not.
    pub fn renewals(&self) -> (u64, u64) {
        self.refresher.as_ref().map(Refresher::renewals).unwrap_or_default()
    }

    fn refresher(&self, account: &Account) -> Result<&Refresher, Fault> {
        let missing = || Fault::new(Kind::NoSecret, format!("account {}: tokens are not renewed here", account.id));
        self.refresher.as_ref().ok_or_else(missing)
    }
}

/// There is no secret now.
pub(super) fn lacking(error: &SecretError) -> Fault {
    let kind = if matches!(error, SecretError::Locked(_)) { Kind::VaultLocked } else { Kind::NoSecret };
    Fault::new(kind, error.to_string())
}
