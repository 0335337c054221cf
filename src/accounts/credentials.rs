//! An account's secret when it is needed; the one door between accounts and the vault.

use std::sync::Arc;

use crate::config::Account;
use crate::kit::{Fault, Kind, Secret};
use crate::vault::Source;

/// The secrets of all accounts.
#[derive(Clone)]
pub struct Credentials(Arc<Source>);

impl Credentials {
    /// Secrets from this source.
    pub const fn new(source: Arc<Source>) -> Self {
        Self(source)
    }

    /// The account's secret; `None` for an account that needs none. Where there should be one and is none the account
    /// does not rest: it is as good as ever once the variable, the program or the vault is mended.
    pub async fn of(&self, account: &Account) -> Result<Option<Secret>, Fault> {
        self.0.resolve(account).await.map_err(|error| Fault::new(Kind::NoSecret, error.to_string()))
    }

    /// A secret newer than the one that the provider has just refused, fetched once for all calls that were refused with
    /// it; `None` where there is nothing newer, and the account's key is rejected. A fault takes the place of the refusal:
    /// it says why there is no newer one.
    pub async fn renewed(&self, account: &Account, refused: &Secret) -> Result<Option<Secret>, Fault> {
        self.0.renew(account, refused).await.map_err(|error| Fault::new(Kind::NoSecret, error.to_string()))
    }

    /// The provider refused the secret: what was kept of it is not used again.
    pub fn rejected(&self, account: &Account) {
        self.0.invalidate(&account.id);
    }
}
