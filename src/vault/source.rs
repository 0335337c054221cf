//! An account's secret on demand: read from the environment, or printed by a program and kept for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::command::{CommandError, run};
use crate::config::{Account, SecretSource};
use crate::kit::{Clock, Secret, Time};

/// Why an account has no secret now. Safe to show: it names variables and programs, never what they hold.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set in the gateway's own environment.
    #[error("account {0}: the environment variable {1} is not set; set it where keywheel is started, then restart it")]
    Unset(String, String),
    /// The program gave none.
    #[error("account {0}: {1}")]
    Command(String, CommandError),
    /// The vault is not there yet.
    #[error(
        "account {0}: secrets cannot be kept in the vault yet; set secret = {{ env = \"NAME\" }} or {{ command = [..] }}"
    )]
    NoVault(String),
}

type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where secrets come from. One for the whole gateway, so that a program runs once however many calls wait for it.
pub struct Source {
    env: Box<Variables>,
    clock: Clock,
    // a std mutex: it guards only the map, and is never held while a program runs
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// One account's secret from a program.
struct Slot {
    argv: Vec<String>,
    state: tokio::sync::Mutex<State>,
    runs: AtomicU64,
}

#[derive(Default)]
struct State {
    kept: Option<(Secret, Option<Time>)>,
    failed: Option<SecretError>,
}

impl Source {
    /// Secrets from these environment variables and from programs; `clock` says when what they printed is too old.
    pub fn new(env: impl Fn(&str) -> Option<String> + Send + Sync + 'static, clock: Clock) -> Self {
        Self { env: Box::new(env), clock, slots: Mutex::default() }
    }

    /// The account's secret; `None` for an account that needs none.
    pub async fn resolve(&self, account: &Account) -> Result<Option<Secret>, SecretError> {
        match &account.secret {
            SecretSource::None => Ok(None),
            SecretSource::Env(name) => match (self.env)(name).map(Secret::new).filter(|secret| !secret.is_empty()) {
                Some(secret) => Ok(Some(secret)),
                None => Err(SecretError::Unset(account.id.clone(), name.clone())),
            },
            SecretSource::Command { argv, ttl } => {
                let slot = self.slot(&account.id, argv);
                slot.secret(&account.id, *ttl, None, &self.clock).await.map(Some)
            }
            SecretSource::Vault(_) => Err(SecretError::NoVault(account.id.clone())),
        }
    }

    /// A secret newer than the one that the provider refused; `None` where there is none. Runs the program, once for all
    /// calls that were refused with the same secret. A variable cannot change under a running process.
    pub async fn renew(&self, account: &Account, refused: &Secret) -> Result<Option<Secret>, SecretError> {
        let SecretSource::Command { argv, ttl } = &account.secret else { return Ok(None) };
        let slot = self.slot(&account.id, argv);
        let secret = slot.secret(&account.id, *ttl, Some(refused), &self.clock).await?;
        Ok(Some(secret).filter(|secret| !secret.same(refused)))
    }

    /// Forgets what was printed for this account, because the provider rejected it; the next call runs the program.
    pub fn invalidate(&self, account: &str) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }

    fn slot(&self, account: &str, argv: &[String]) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match slots.get(account) {
            // after a reload the account may name another program
            Some(slot) if slot.argv == argv => Arc::clone(slot),
            _ => {
                let slot = Arc::new(Slot { argv: argv.to_vec(), state: Default::default(), runs: Default::default() });
                slots.insert(account.to_owned(), Arc::clone(&slot));
                slot
            }
        }
    }
}

impl Slot {
    /// What is kept and was not refused, else what the program prints. Those who come while it runs share its outcome,
    /// a failure too: a hundred calls must not wait for a hundred timeouts one after the other.
    async fn secret(
        &self,
        account: &str,
        ttl: Option<Duration>,
        refused: Option<&Secret>,
        clock: &Clock,
    ) -> Result<Secret, SecretError> {
        let came = self.runs.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        let now = clock.now();
        let shared = self.runs.load(Ordering::SeqCst) != came;
        if let Some(error) = state.failed.as_ref().filter(|_| shared) {
            return Err(error.clone());
        }
        let fresh = |until: Option<Time>| until.is_none_or(|until| now < until);
        let good = |secret: &Secret| !refused.is_some_and(|refused| secret.same(refused));
        let kept = state.kept.as_ref().filter(|(secret, until)| shared || (fresh(*until) && good(secret)));
        if let Some((secret, _)) = kept {
            return Ok(secret.clone());
        }
        let printed = run(&self.argv).await;
        self.runs.fetch_add(1, Ordering::SeqCst);
        match printed {
            Ok(secret) => {
                let until = ttl.map(|ttl| clock.now().after(ttl));
                *state = State { kept: Some((secret.clone(), until)), failed: None };
                Ok(secret)
            }
            Err(error) => {
                let error = SecretError::Command(account.to_owned(), error);
                *state = State { kept: None, failed: Some(error.clone()) };
                Err(error)
            }
        }
    }
}
