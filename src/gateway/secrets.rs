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
    /// The number of the last one that ended; who looked may have left before.
    ended: AtomicU64,
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
        let look = async {
            match self.credentials.look(account).await {
                Some(Ok(())) => self.pool.has_secret(id),
                Some(Err(fault)) => self.pool.lacks_secret(id, &fault, None),
                None => return Seen::Nothing,
            }
            Seen::Told
        };
        self.looks.once(id, look).await.unwrap_or(Seen::Told)
    }
}

impl Looks {
    /// What this look at an account comes to, one after the other, so that the last word is what was so last. `None` where
    /// another one, begun after this caller came and ended by now, has told as much as its own would.
    async fn once<T>(&self, id: &str, look: impl Future<Output = T>) -> Option<T> {
        let door = self.door(id);
        let came = door.begun.load(Ordering::Acquire);
        let _one = door.looking.lock().await;
        if door.ended.load(Ordering::Acquire) > came {
            return None;
        }
        let own = door.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let seen = look.await;
        door.ended.store(own, Ordering::Release);
        Some(seen)
    }

    fn door(&self, id: &str) -> Arc<Door> {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match doors.get(id) {
            Some(door) => Arc::clone(door),
            None => Arc::clone(doors.entry(id.to_owned()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_come_during_a_look_share_the_next_and_other_accounts_wait_for_none() {
        let (looks, count, gate) = (Looks::default(), Cell::new(0), Notify::new());
        let looked = || count.set(count.get() + 1);
        let first = looks.once("a", async {
            looked();
            gate.notified().await;
        });
        let others = join_all((0..10).map(|_| looks.once("a", async { looked() })));
        let another = async {
            assert!(looks.once("b", async {}).await.is_some());
            assert_eq!(count.get(), 1, "a is being looked at");
            gate.notify_one();
        };
        let (first, others, ()) = tokio::join!(first, others, another);
        assert!(first.is_some());
        assert_eq!((others.iter().flatten().count(), count.get()), (1, 2));
    }

    #[tokio::test]
    async fn a_look_that_is_given_up_tells_nobody_anything() {
        let (looks, gate) = (Looks::default(), Notify::new());
        let mut first = Box::pin(looks.once("a", gate.notified()));
        let mut leaves = Box::pin(looks.once("a", std::future::pending::<()>()));
        let mut stays = Box::pin(looks.once("a", async {}));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut leaves).is_pending() && futures_util::poll!(&mut stays).is_pending());
        gate.notify_one();
        assert!(first.await.is_some());
        assert!(futures_util::poll!(&mut leaves).is_pending(), "it looks now");
        drop(leaves);
        assert!(stays.await.is_some());
    }
}
