//! The secrets of accounts as calls get them, and the looks that find out, off the way of calls, which account has none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Inner;
use crate::accounts::NotBefore;
use crate::config::{Account, SecretSource, Settings};
use crate::kit::{Fault, Kind, Secret};

/// A program that gave no secret is not run for every call that has another account.
const AGAIN: Duration = Duration::from_secs(10);

/// The looks at each account's secret.
#[derive(Default)]
pub(super) struct Looks(Mutex<HashMap<String, Arc<Door>>>);

#[derive(Default)]
struct Door {
    /// How many looks have begun.
    begun: AtomicU64,
    /// Held during a look. An async mutex: a look reads files.
    looking: tokio::sync::Mutex<()>,
}

/// What a look came to.
#[derive(PartialEq, Eq)]
enum Seen {
    /// The pool knows.
    Told,
    /// Only a program or an identity provider knows.
    Nothing,
}

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
            Err(fault) if fault.kind.lacks_secret() => {
                // noted first: a client that leaves during the look takes nothing with it
                self.pool.lacks_secret(&account.id, fault, Some(AGAIN));
                self.look(account).await;
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
            if self.look(account).await == Seen::Nothing {
                self.pool.may_try_secret(&account.id);
            }
        }
    }

    /// Whether one of the accounts that were passed over for want of a secret may take the call by now. Asked only where
    /// no other account takes it.
    pub(super) async fn mended(&self, settings: &Settings, not: &NotBefore) -> bool {
        let lacking =
            |id: &str| not.verdicts.iter().any(|it| it.account == id && it.kind.is_some_and(Kind::lacks_secret));
        let mut mended = false;
        for account in settings.accounts.iter().filter(|account| lacking(&account.id)) {
            self.look(account).await;
            mended |= self.pool.invites(&account.id);
        }
        mended
    }

    /// Looks at one account's secret, and notes what was seen.
    async fn look(&self, account: &Account) -> Seen {
        let id = &account.id;
        let door = self.looks.door(id);
        let came = door.begun.load(Ordering::Acquire);
        // one look at a time: the last word is what was so last
        let _one = door.looking.lock().await;
        // one that began after this caller came tells it as much as its own would
        if door.begun.load(Ordering::Acquire) != came {
            return Seen::Told;
        }
        door.begun.fetch_add(1, Ordering::AcqRel);
        match self.credentials.look(account).await {
            Some(Ok(())) => self.pool.has_secret(id),
            Some(Err(fault)) => self.pool.lacks_secret(id, &fault, None),
            None => return Seen::Nothing,
        }
        Seen::Told
    }
}

impl Looks {
    fn door(&self, id: &str) -> Arc<Door> {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match doors.get(id) {
            Some(door) => Arc::clone(door),
            None => Arc::clone(doors.entry(id.to_owned()).or_default()),
        }
    }
}
