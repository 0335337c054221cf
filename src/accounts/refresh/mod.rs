//! Tokens that renew themselves: one refresh in flight per account, across tasks and across processes that share a vault.
//!
//! `plan` decides, `turn` does it, `slot` remembers, `exchange` is the port to whoever sends.

pub mod code;
pub mod exchange;
mod faults;
pub mod login;
mod look;
pub mod plan;
mod slot;
mod turn;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;

pub use exchange::{Asked, Asking, By, Device, Exchange, Refusal, Tokens, Why};

use self::slot::{Ahead, Look, Slot};
use self::turn::Turn;
use super::Pool;
use super::credentials::lacking;
use crate::catalog::Grant;
use crate::config::{Account, Oauth, SecretSource};
use crate::kit::{Clock, Fault, Kind, Secret};
use crate::vault::{Item, ItemKind, Memory, Source, Vault, VaultError};

/// Between two looks at the vault for a login that a person started elsewhere.
const LOGIN_LOOK: Duration = Duration::from_secs(2);
/// Between two looks at all accounts, at most.
const LONGEST_LOOK: Duration = Duration::from_secs(30);
const SHORTEST_LOOK: Duration = Duration::from_millis(200);

/// What a refresher is made of.
pub struct Parts {
    /// Where logins are kept.
    pub vault: Arc<dyn Vault>,
    /// Where client secrets and documents come from.
    pub source: Arc<Source>,
    /// Who asks identity providers.
    pub exchange: Arc<dyn Exchange>,
    /// What time it is.
    pub clock: Clock,
    /// Who is told of logins that have ended; `None` outside of a gateway.
    pub pool: Option<Arc<Pool>>,
}

/// Hands out tokens and renews them. Clones share everything.
#[derive(Clone)]
pub struct Refresher(Arc<Inner>);

/// Whether a renewal keeps to what the last one found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Waits after failures are kept.
    Usual,
    /// A person wants it now.
    Forced,
}

struct Inner {
    vault: Arc<dyn Vault>,
    /// Tokens that can be had again at any time: nothing is lost with them, so they are kept from the disk.
    fleeting: Arc<dyn Vault>,
    source: Arc<Source>,
    exchange: Arc<dyn Exchange>,
    clock: Clock,
    pool: Option<Arc<Pool>>,
    // a std mutex: held for a map look-up
    slots: Mutex<HashMap<String, Way>>,
    tasks: TaskTracker,
    /// Answers of identity providers: tokens, and refusals.
    renewals: [AtomicU64; 2],
}

/// An account's way to tokens, and what came of it.
type Way = (Arc<Oauth>, Arc<Slot>);

impl Refresher {
    /// A refresher over these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { vault, source, exchange, clock, pool } = parts;
        let fleeting = Arc::new(Memory::default());
        let (slots, tasks) = (Mutex::default(), TaskTracker::new());
        let renewals = Default::default();
        Self(Arc::new(Inner { vault, fleeting, source, exchange, clock, pool, slots, tasks, renewals }))
    }

    /// The account's token. One that is still good is given at once, and renewed meanwhile where that is due.
    pub async fn token(&self, account: &Account, oauth: &Arc<Oauth>) -> Result<Secret, Fault> {
        let slot = self.0.slot(account, oauth);
        let mut look = slot.look(None, self.0.clock.now());
        if matches!(look, Look::Unknown) && self.0.load(account, oauth, &slot).await? {
            look = slot.look(None, self.0.clock.now());
        }
        match look {
            Look::Good(secret) => Ok(secret),
            Look::Due(secret) => {
                self.ahead(account, oauth, &slot);
                Ok(secret)
            }
            Look::Not(fault) => Err(fault),
            Look::Unknown | Look::Expired => self.renew(account, oauth, None, Urgency::Usual).await,
        }
    }

    /// A token newer than the one that the provider refused: one refresh for all who were refused with it.
    pub async fn renewed(&self, account: &Account, oauth: &Arc<Oauth>, refused: &Secret) -> Result<Secret, Fault> {
        self.renew(account, oauth, Some(refused.clone()), Urgency::Usual).await
    }

    /// Renews the token now, on a person's word.
    pub async fn force(&self, account: &Account, oauth: &Arc<Oauth>) -> Result<(), Fault> {
        let slot = self.0.slot(account, oauth);
        self.0.load(account, oauth, &slot).await?;
        let refused = match slot.look(None, self.0.clock.now()) {
            Look::Good(secret) | Look::Due(secret) => Some(secret),
            Look::Not(_) | Look::Unknown | Look::Expired => None,
        };
        self.renew(account, oauth, refused, Urgency::Forced).await.map(drop)
    }

    /// Forgets what is known of an account, as a person has just logged in.
    pub fn forget(&self, account: &str) {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }

    /// Looks once at every account with a login: renews what is due, clears up what was interrupted, sees logins that a
    /// person started elsewhere. Says how long until the next look.
    pub async fn tend(&self, accounts: &[Arc<Account>]) -> Duration {
        let mut next = LONGEST_LOOK;
        for account in accounts.iter().filter(|account| !account.disabled) {
            let Some(oauth) = account.oauth.as_ref().filter(|oauth| oauth.grant.by_refresh_token()) else { continue };
            let slot = self.0.slot(account, oauth);
            let now = self.0.clock.now();
            if slot.ended() {
                self.0.look_for_login(account, oauth, &slot).await;
            } else if slot.next().is_some_and(|at| at <= now) {
                self.look_after(account, oauth, &slot).await;
            }
            let wait = match slot.next() {
                _ if slot.ended() => LOGIN_LOOK,
                Some(at) => at.since(self.0.clock.now()).max(LOGIN_LOOK),
                None => LONGEST_LOOK,
            };
            next = next.min(wait);
        }
        next.max(SHORTEST_LOOK)
    }

    /// How often identity providers gave a token when they were asked for one, and how often they did not.
    pub fn renewals(&self) -> (u64, u64) {
        let [renewed, refused] = &self.0.renewals;
        (renewed.load(Ordering::Relaxed), refused.load(Ordering::Relaxed))
    }

    /// Waits until no renewal is under way; none begins afterwards.
    pub async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    async fn look_after(&self, account: &Account, oauth: &Arc<Oauth>, slot: &Arc<Slot>) {
        if matches!(slot.look(None, self.0.clock.now()), Look::Unknown) {
            match self.0.load(account, oauth, slot).await {
                // locked, or not there yet: looked at again next time
                Err(_) => return,
                Ok(true) => self.0.tell(account, Ok(())),
                Ok(false) => {}
            }
        }
        match slot.look(None, self.0.clock.now()) {
            Look::Good(_) | Look::Not(_) => {}
            Look::Due(_) | Look::Unknown | Look::Expired => self.ahead(account, oauth, slot),
        }
    }

    fn ahead(&self, account: &Account, oauth: &Arc<Oauth>, slot: &Arc<Slot>) {
        let Some(place) = Ahead::of(slot) else { return };
        let turn = self.turn(account, oauth, None, Urgency::Usual);
        self.0.tasks.spawn(async move {
            let _place = place;
            // whoever needs the token next hears of a failure
            drop(turn.run().await);
        });
    }

    async fn renew(
        &self,
        account: &Account,
        oauth: &Arc<Oauth>,
        refused: Option<Secret>,
        urgency: Urgency,
    ) -> Result<Secret, Fault> {
        let turn = self.turn(account, oauth, refused, urgency);
        let task = self.0.tasks.spawn(turn.run());
        task.await.unwrap_or_else(|error| Err(Fault::new(Kind::Internal, format!("the refresh broke off: {error}"))))
    }

    fn turn(&self, account: &Account, oauth: &Arc<Oauth>, refused: Option<Secret>, urgency: Urgency) -> Turn {
        let slot = self.0.slot(account, oauth);
        let (inner, account) = (Arc::clone(&self.0), Arc::new(account.clone()));
        Turn { inner, slot, account, oauth: Arc::clone(oauth), refused, urgency }
    }
}

impl Inner {
    /// The account's slot; another one when its way to tokens was changed.
    fn slot(&self, account: &Account, oauth: &Arc<Oauth>) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match slots.get(&account.id) {
            Some((known, slot)) if known == oauth => Arc::clone(slot),
            _ => {
                let slot = Arc::<Slot>::default();
                slots.insert(account.id.clone(), (Arc::clone(oauth), Arc::clone(&slot)));
                slot
            }
        }
    }

    /// Reads what the vault holds of this account, without any fence; whether there is a token.
    async fn load(&self, account: &Account, oauth: &Oauth, slot: &Slot) -> Result<bool, Fault> {
        let name = name(account);
        let found = self.vault(oauth, move |vault| vault.get(&name)).await;
        let item = found.map_err(|error| faults::vault(account, &error))?;
        let token = item.filter(|item| item.kind == ItemKind::Token);
        if let Some(item) = &token {
            slot.keep(item, self.spread(account), self.clock.now());
        }
        Ok(token.is_some())
    }

    /// Whether a person has logged in again, in whatever process.
    async fn look_for_login(&self, account: &Account, oauth: &Oauth, slot: &Slot) {
        let name = name(account);
        let found = self.vault(oauth, move |vault| vault.get(&name)).await;
        let now = self.clock.now();
        // one without a refresh token lasts no longer than its token
        let lasts = |item: &Item| {
            let fresh = item.expires_at.is_none_or(|end| end > now);
            item.ended.is_none() && (item.kind != ItemKind::Token || item.refresh.is_some() || fresh)
        };
        if found.is_ok_and(|item| item.as_ref().is_some_and(lasts)) {
            slot.forget();
            self.tell(account, Ok(()));
        }
    }

    /// Tells the pool what became of the account's token.
    fn tell(&self, account: &Account, outcome: Result<(), &Fault>) {
        if let Some(pool) = &self.pool {
            pool.renewed(&account.id, outcome);
        }
    }

    /// The account's secret, or another one of its secrets, from wherever it comes.
    async fn source(&self, account: &Account, other: Option<&SecretSource>) -> Result<Option<Secret>, Fault> {
        let found = match other {
            None => self.source.resolve(account).await,
            Some(secret) => {
                let id = format!("{} (client secret)", account.id);
                self.source.resolve(&Account { id, secret: secret.clone(), ..account.clone() }).await
            }
        };
        found.map_err(|error| lacking(&error))
    }

    /// The secret of the client registration, where there is one.
    async fn client_secret(&self, account: &Account, oauth: &Oauth) -> Result<Option<Secret>, Fault> {
        match (&oauth.client_secret, oauth.grant) {
            (Some(source), _) => self.source(account, Some(source)).await,
            (None, Grant::ClientCredentials) if account.secret != SecretSource::None => {
                self.source(account, None).await
            }
            _ => Ok(None),
        }
    }

    /// Works on the vault that keeps tokens of this grant, off the async threads.
    async fn vault<T, F>(&self, oauth: &Oauth, work: F) -> Result<T, VaultError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Vault) -> Result<T, VaultError> + Send + 'static,
    {
        let vault = if oauth.grant.by_refresh_token() { &self.vault } else { &self.fleeting };
        let vault = Arc::clone(vault);
        let done = tokio::task::spawn_blocking(move || work(&*vault)).await;
        done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// A number in 0..=1023 that is always the same for an account and spreads many accounts.
    fn spread(&self, account: &Account) -> u32 {
        let hash =
            account.id.bytes().fold(0xcbf2_9ce4_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        (hash >> 7) % 1024
    }
}

/// The name of an account's login in the vault.
fn name(account: &Account) -> String {
    match &account.secret {
        SecretSource::Vault(name) => name.clone(),
        _ => account.id.clone(),
    }
}
