//! The secrets of accounts as calls get them, and the looks that find out, off the way of calls, which account has none.

use std::time::Duration;

use super::Inner;
use crate::accounts::NotBefore;
use crate::config::{Account, SecretSource, Settings};
use crate::kit::{Fault, Kind, Secret};

/// A program that gave no secret is not run for every call that has another account.
const AGAIN: Duration = Duration::from_secs(10);

impl Inner {
    /// An account's secret; from here on no error can hold it. Where there is none, later calls are kept from the account
    /// until a look finds one.
    pub(super) async fn secret(&self, account: &Account) -> Result<Option<Secret>, Fault> {
        let found = self.credentials.of(account).await;
        match &found {
            Ok(secret) => {
                secret.iter().for_each(|secret| self.known.learn(secret));
                // of these no look can tell
                if account.oauth.is_some() || matches!(account.secret, SecretSource::Command { .. }) {
                    self.pool.has_secret(&account.id);
                }
            }
            Err(fault) if is_lack(fault.kind) => {
                self.look(account, Some(fault)).await;
            }
            Err(_) => {}
        }
        found
    }

    /// A secret newer than the refused one; from here on no error can hold it either.
    pub(super) async fn renewed(&self, account: &Account, refused: &Secret) -> Result<Option<Secret>, Fault> {
        let newer = self.credentials.renewed(account, refused).await?;
        newer.iter().for_each(|secret| self.known.learn(secret));
        Ok(newer)
    }

    /// Looks at every account's secret: those that have none are passed over from now on, those that have one again
    /// are not.
    pub(super) async fn attend(&self, settings: &Settings) {
        for account in settings.accounts.iter().filter(|account| !account.disabled) {
            self.look(account, None).await;
        }
    }

    /// Whether one of the accounts that were passed over for want of a secret may take the call by now. Asked only where
    /// no other account takes it.
    pub(super) async fn mended(&self, settings: &Settings, not: &NotBefore) -> bool {
        let lacking = |id: &str| not.verdicts.iter().any(|it| it.account == id && it.kind.is_some_and(is_lack));
        let mut mended = false;
        for account in settings.accounts.iter().filter(|account| lacking(&account.id)) {
            mended |= self.look(account, None).await;
        }
        mended
    }

    /// Looks at one account's secret, which a call may just have failed for want of; whether a call may try it.
    async fn look(&self, account: &Account, failed: Option<&Fault>) -> bool {
        // one look at a time: the last word is what was so last
        let _one = self.looking.lock().await;
        let id = &account.id;
        match (self.credentials.look(account).await, failed) {
            (Some(Ok(())), _) => {
                self.pool.has_secret(id);
                true
            }
            (Some(Err(fault)), _) => {
                self.pool.lacks_secret(id, &fault, None);
                false
            }
            (None, Some(fault)) => {
                self.pool.lacks_secret(id, fault, Some(AGAIN));
                false
            }
            (None, None) => {
                self.pool.may_try_secret(id);
                true
            }
        }
    }
}

/// Whether the account's secret is not to be had.
const fn is_lack(kind: Kind) -> bool {
    matches!(kind, Kind::VaultLocked | Kind::NoSecret)
}
