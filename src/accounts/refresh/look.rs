//! Whether an account with a login could have a token at all: a look at what it is asked for with.

use std::sync::Arc;

use super::slot::Look;
use super::{Refresher, faults, name};
use crate::catalog::Grant;
use crate::config::{Account, Oauth, SecretSource};
use crate::kit::Fault;

impl Refresher {
    /// Whether what a token is asked for with is to be had; nobody is asked for one. `None` where only a program knows.
    /// A login that nobody has begun is no lack of a secret.
    pub async fn look(&self, account: &Account, oauth: &Arc<Oauth>) -> Option<Result<(), Fault>> {
        let slot = self.0.slot(account, oauth);
        if matches!(slot.look(None, self.0.clock.now()), Look::Good(_) | Look::Due(_)) {
            return Some(Ok(()));
        }
        let own = matches!(oauth.grant, Grant::ClientCredentials | Grant::ServiceAccount).then_some(&account.secret);
        let sources = [oauth.client_secret.as_ref(), own];
        if sources.into_iter().flatten().any(|source| matches!(source, SecretSource::Command { .. })) {
            return None;
        }
        Some(self.sound(account, oauth).await)
    }

    async fn sound(&self, account: &Account, oauth: &Oauth) -> Result<(), Fault> {
        if oauth.grant.by_refresh_token() {
            let name = name(account);
            let found = self.0.vault(oauth, move |vault| vault.get(&name).map(drop)).await;
            match found.map_err(|error| faults::vault(account, &error)) {
                Err(fault) if fault.kind.lacks_secret() => return Err(fault),
                _ => {}
            }
        }
        if oauth.grant == Grant::ServiceAccount {
            self.0.source(account, None).await?;
        }
        self.0.client_secret(account, oauth).await.map(drop)
    }
}
