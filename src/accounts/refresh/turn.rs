//! One renewal of one token: fence, re-read, mark, ask, store. It runs in a task of its own, so that a client that
//! leaves cannot cut it between the answer and the disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::exchange::{Asked, By, Refusal, Tokens};
use super::plan::{Failure, Stand, Verdict, due, judge, may_be_spent, stand};
use super::slot::{Look, Slot, Unsaved};
use super::{Inner, Urgency, faults};
use crate::catalog::Grant;
use crate::config::{Account, Oauth};
use crate::kit::{Fault, Secret, Time};
use crate::vault::{Item, ItemKind, Vault, VaultError};

/// Longer than any other process talks with an identity provider.
pub(super) const FENCE: Duration = Duration::from_secs(90);
/// After it, how soon the next try may come.
const FENCE_AGAIN: Duration = Duration::from_secs(5);
/// Between two tries to store a token that exists nowhere else.
const STORE_AGAIN: [u64; 4] = [1, 2, 4, 8];

/// A renewal under way.
pub(super) struct Turn {
    pub(super) inner: Arc<Inner>,
    pub(super) slot: Arc<Slot>,
    pub(super) account: Arc<Account>,
    pub(super) oauth: Arc<Oauth>,
    /// What the provider refused, where that is the reason.
    pub(super) refused: Option<Secret>,
    pub(super) urgency: Urgency,
}

impl Turn {
    /// The token after it, whoever fetched it.
    pub(super) async fn run(self) -> Result<Secret, Fault> {
        let _mine = self.slot.turn.lock().await;
        if self.urgency == Urgency::Usual {
            match self.slot.look(self.refused.as_ref(), self.now()) {
                Look::Good(secret) => return Ok(secret),
                Look::Not(fault) => return Err(fault),
                Look::Due(_) | Look::Unknown | Look::Expired => {}
            }
        }
        let renewed = self.behind_fence().await;
        self.inner.tell(&self.account, renewed.as_ref().map(drop));
        renewed
    }

    async fn behind_fence(&self) -> Result<Secret, Fault> {
        let name = self.name();
        // no other process that shares the vault asks until this is dropped
        let (_fence, stored) = self
            .vault(move |vault| Ok((vault.hold(&name, FENCE)?, vault.get(&name)?)))
            .await
            .map_err(|error| self.no_fence(&error))?;
        let stored = match self.slot.unsaved() {
            Some(Unsaved { item, spent }) if succeeds(&item, spent.as_ref(), stored.as_ref()) => {
                Some(self.store(item, spent).await?)
            }
            _ => stored,
        };
        if let Some(item) = &stored
            && let Some(secret) = self.usable(item)
        {
            self.slot.keep(item, self.inner.spread(&self.account), self.now());
            self.slot.well();
            return Ok(secret);
        }
        self.ask(stored).await
    }

    /// The stored token, where it is another than the one that is to be replaced and needs no renewal itself.
    fn usable(&self, item: &Item) -> Option<Secret> {
        if item.kind != ItemKind::Token || item.refreshing.is_some() {
            return None;
        }
        let due = due(item.issued_at, item.expires_at, 0);
        let another = !self.refused.as_ref().is_some_and(|refused| refused.same(&item.secret));
        let good = another && stand(due, item.expires_at, self.now()) == Stand::Fresh;
        good.then(|| item.secret.clone())
    }

    async fn ask(&self, stored: Option<Item>) -> Result<Secret, Fault> {
        let interrupted = stored.as_ref().and_then(|item| item.refreshing);
        if stored.as_ref().is_some_and(|item| item.ended.is_some()) {
            return Err(self.end(faults::ended(&self.account, interrupted)));
        }
        let by = self.by(stored.as_ref()).await?;
        let spent = match &by {
            By::Refresh(token) => Some(token.clone()),
            _ => None,
        };
        let asked = Asked { by, client_secret: self.inner.client_secret(&self.account, &self.oauth).await? };
        if let Some(token) = &spent {
            self.mark(token).await?;
        }
        let answer = self.inner.exchange.tokens(&self.account, asked).await;
        self.inner.renewals[usize::from(answer.is_err())].fetch_add(1, Ordering::Relaxed);
        match answer {
            Ok(tokens) => self.take(tokens, spent).await,
            Err(refusal) => self.failed(refusal, spent, interrupted).await,
        }
    }

    /// What the token is asked for with.
    async fn by(&self, stored: Option<&Item>) -> Result<By, Fault> {
        match self.oauth.grant {
            Grant::ClientCredentials => Ok(By::Client),
            Grant::ManagedIdentity => Ok(By::Machine),
            Grant::ServiceAccount => {
                let document = self.inner.source(&self.account, None).await?;
                document.map(By::Document).ok_or_else(|| faults::no_document(&self.account))
            }
            Grant::None | Grant::RefreshToken | Grant::DeviceCode | Grant::AuthorizationCode => {
                let token = stored.and_then(|item| match item.kind {
                    // a person stored the refresh token that they brought, and nothing else
                    ItemKind::Key => Some(&item.secret),
                    _ => item.refresh.as_ref(),
                });
                match token {
                    Some(token) => Ok(By::Refresh(token.clone())),
                    None if stored.is_some() => Err(self.end(faults::no_refresh_token(&self.account))),
                    None => Err(self.end(faults::no_login(&self.account))),
                }
            }
        }
    }

    /// The write-ahead mark: from here on the token may be spent. One that is there already keeps its time, since it is
    /// the first try that may have spent it.
    async fn mark(&self, token: &Secret) -> Result<(), Fault> {
        let (name, token, now) = (self.name(), token.clone(), self.now());
        let marked = self.vault(move |vault| {
            vault.update(&name, &mut |stored| {
                if let Some(item) = stored.as_mut().filter(|item| holds(item, &token)) {
                    item.refreshing.get_or_insert(now);
                }
            })
        });
        marked.await.map_err(|error| faults::vault(&self.account, &error))
    }

    /// Stores what came, then uses it.
    async fn take(&self, tokens: Tokens, spent: Option<Secret>) -> Result<Secret, Fault> {
        let Tokens { access, refresh, came, expires_at } = tokens;
        let item = Item::token(access.clone(), refresh.or_else(|| spent.clone()), came, expires_at);
        let item = self.store(item, spent).await?;
        self.slot.keep(&item, self.inner.spread(&self.account), self.now());
        self.slot.well();
        let until = expires_at.map_or_else(|| "until it is refused".to_owned(), |end| format!("until {end}"));
        tracing::info!(account.id = %self.account.id, "account {}: a new token, good {until}", self.account.id);
        Ok(access)
    }

    /// Stores a token that exists nowhere else: a full disk may have room again in a moment.
    async fn store(&self, item: Item, spent: Option<Secret>) -> Result<Item, Fault> {
        let mut waits = STORE_AGAIN.into_iter();
        loop {
            let (name, copy) = (self.name(), item.clone());
            let Err(error) = self.vault(move |vault| vault.put(&name, copy)).await else { return Ok(item) };
            tracing::error!(account.id = %self.account.id, "account {}: a new token is not stored: {error}", self.account.id);
            let Some(wait) = waits.next() else {
                self.slot.keep_unsaved(item, spent);
                return Err(self.later(faults::unsaved(&self.account, &error), Duration::from_secs(5)));
            };
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
    }

    async fn failed(&self, refusal: Refusal, spent: Option<Secret>, mark: Option<Time>) -> Result<Secret, Fault> {
        let stored = match &spent {
            Some(_) => self.stored().await?,
            None => None,
        };
        let overtaken = stored.as_ref().zip(spent.as_ref()).is_some_and(|(item, token)| !holds(item, token));
        let by_refresh_token = spent.is_some();
        match judge(Failure { why: refusal.why, by_refresh_token, overtaken, step: self.slot.step() }) {
            Verdict::UseStored => match stored.as_ref().and_then(|item| self.usable(item).map(|s| (item, s))) {
                Some((item, secret)) => {
                    self.slot.keep(item, self.inner.spread(&self.account), self.now());
                    self.slot.well();
                    Ok(secret)
                }
                None => Err(self.later(faults::stale(&self.account, &refusal), Duration::from_secs(5))),
            },
            Verdict::NeedsLogin => {
                self.note(spent, |item, now| item.ended = Some(now)).await?;
                Err(self.end(faults::needs_login(&self.account, &refusal, mark)))
            }
            Verdict::Later(wait) => {
                // an earlier try that may have spent the token is not undone by this one
                if !may_be_spent(refusal.why) && mark.is_none() {
                    self.note(spent, |item, _| item.refreshing = None).await?;
                }
                Err(self.later(faults::stale(&self.account, &refusal), wait))
            }
        }
    }

    /// Notes something on the stored item, while it still holds this refresh token.
    async fn note(&self, token: Option<Secret>, edit: impl Fn(&mut Item, Time) + Send + 'static) -> Result<(), Fault> {
        let Some(token) = token else { return Ok(()) };
        let (name, now) = (self.name(), self.now());
        let noted = self.vault(move |vault| {
            vault.update(&name, &mut |stored| {
                if let Some(item) = stored.as_mut().filter(|item| holds(item, &token)) {
                    edit(item, now);
                }
            })
        });
        noted.await.map_err(|error| faults::vault(&self.account, &error))
    }

    async fn stored(&self) -> Result<Option<Item>, Fault> {
        let name = self.name();
        self.vault(move |vault| vault.get(&name)).await.map_err(|error| faults::vault(&self.account, &error))
    }

    /// The vault did not let this turn begin. Those who wait for it would each wait as long for a process that hangs.
    fn no_fence(&self, error: &VaultError) -> Fault {
        let fault = faults::vault(&self.account, error);
        if matches!(error, VaultError::Busy(_)) { self.later(fault, FENCE_AGAIN) } else { fault }
    }

    fn end(&self, fault: Fault) -> Fault {
        tracing::warn!(account.id = %self.account.id, "{fault}");
        self.slot.failed(fault.clone(), None, self.now());
        fault
    }

    fn later(&self, mut fault: Fault, wait: Duration) -> Fault {
        fault = faults::again_in(fault, wait);
        tracing::warn!(account.id = %self.account.id, "{fault}");
        self.slot.failed(fault.clone(), Some(wait), self.now());
        fault
    }

    async fn vault<T, F>(&self, work: F) -> Result<T, VaultError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Vault) -> Result<T, VaultError> + Send + 'static,
    {
        self.inner.vault(&self.oauth, work).await
    }

    fn name(&self) -> String {
        super::name(&self.account)
    }

    fn now(&self) -> Time {
        self.inner.clock.now()
    }
}

/// Whether a token that could not be stored is the successor of what is stored by now, and no person has logged in since.
fn succeeds(unsaved: &Item, spent: Option<&Secret>, stored: Option<&Item>) -> bool {
    match (stored, spent) {
        (None, _) => true,
        (Some(stored), Some(spent)) => holds(stored, spent),
        (Some(stored), None) => stored.issued_at <= unsaved.issued_at,
    }
}

/// Whether this item's refresh token is still this one.
fn holds(item: &Item, token: &Secret) -> bool {
    let held = if item.kind == ItemKind::Key { Some(&item.secret) } else { item.refresh.as_ref() };
    held.is_some_and(|held| held.same(token))
}
