//! The refresher over a vault that will not write, or that another process holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keywheel::accounts::refresh::{Parts, Refresher};
use keywheel::catalog::Grant;
use keywheel::config::{Account, Oauth, SecretSource};
use keywheel::kit::{Clock, Fault, Kind};
use keywheel::vault::{Hold, Item, Label, Memory, Source, Vault, VaultError};

use crate::accounts::account;
use crate::refresh::{LIFE, Paper, START, item, oauth};

/// A vault in memory with a full disk, or a neighbour, when it is told so.
#[derive(Default)]
struct Moody {
    inner: Memory,
    full: AtomicBool,
    held: AtomicBool,
    holds: AtomicUsize,
}

impl Vault for Moody {
    fn get(&self, name: &str) -> Result<Option<Item>, VaultError> {
        self.inner.get(name)
    }

    fn list(&self) -> Result<Vec<Label>, VaultError> {
        self.inner.list()
    }

    fn update(&self, name: &str, edit: &mut dyn FnMut(&mut Option<Item>)) -> Result<(), VaultError> {
        let mut stored = self.inner.get(name)?;
        edit(&mut stored);
        // a mark fits on the fullest disk; a new token does not
        let grown = stored.as_ref().is_some_and(|item| item.refreshing.is_none());
        if grown && self.full.load(Ordering::SeqCst) {
            return Err(VaultError::Busy("full".into()));
        }
        self.inner.update(name, &mut |slot| *slot = stored.clone())
    }

    fn hold(&self, name: &str, wait: Duration) -> Result<Hold, VaultError> {
        self.holds.fetch_add(1, Ordering::SeqCst);
        if self.held.load(Ordering::SeqCst) {
            return Err(VaultError::Busy(name.into()));
        }
        self.inner.hold(name, wait)
    }
}

struct Bench {
    clock: Clock,
    vault: Arc<Moody>,
    refresher: Refresher,
    account: Account,
    oauth: Arc<Oauth>,
}

impl Bench {
    /// An account whose token has expired.
    fn expired() -> Self {
        let clock = Clock::manual(START);
        let vault = Arc::new(Moody::default());
        vault.put("a", item("access-1", "refresh-1", START)).unwrap();
        clock.advance(LIFE);
        let exchange = Arc::new(Paper { clock: clock.clone(), ..Paper::default() });
        let source = Arc::new(Source::new(|_| None, clock.clone()));
        let parts = Parts { vault: Arc::clone(&vault) as _, source, exchange, clock: clock.clone(), pool: None };
        let oauth = Arc::new(oauth(Grant::RefreshToken));
        let secret = SecretSource::Vault("a".to_owned());
        let account = Account { secret, oauth: Some(Arc::clone(&oauth)), ..account("a") };
        Self { refresher: Refresher::new(parts), clock, vault, account, oauth }
    }

    async fn token(&self) -> Result<String, Fault> {
        self.refresher.token(&self.account, &self.oauth).await.map(|token| token.expose().to_owned())
    }

    fn stored(&self) -> Item {
        self.vault.get("a").unwrap().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_stored_is_stored_once_it_can_be() {
    let bench = Bench::expired();
    bench.vault.full.store(true, Ordering::SeqCst);
    assert!(matches!(bench.token().await.unwrap_err().kind, Kind::StaleToken(_)));
    assert_eq!(bench.stored().secret.expose(), "access-1");
    bench.vault.full.store(false, Ordering::SeqCst);
    bench.clock.advance(Duration::from_secs(5));
    assert_eq!(bench.token().await.unwrap(), "access-2");
    assert_eq!(bench.stored().refresh.unwrap().expose(), "refresh-2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_stored_never_replaces_a_newer_login() {
    let bench = Bench::expired();
    bench.vault.full.store(true, Ordering::SeqCst);
    assert!(bench.token().await.is_err());
    bench.vault.full.store(false, Ordering::SeqCst);
    let login = item("access-login", "refresh-login", bench.clock.now());
    bench.refresher.bring(&bench.account, login).await.unwrap();
    assert_eq!(bench.token().await.unwrap(), "access-login");
    assert_eq!(bench.stored().refresh.unwrap().expose(), "refresh-login");
}

#[tokio::test(start_paused = true)]
async fn while_another_process_holds_the_fence_nobody_knocks_again_before_its_time() {
    let bench = Bench::expired();
    bench.vault.held.store(true, Ordering::SeqCst);
    for left in [5, 3, 1] {
        let fault = bench.token().await.unwrap_err();
        assert_eq!(fault.kind, Kind::StaleToken(Duration::from_secs(left)), "{fault}");
        bench.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(bench.vault.holds.load(Ordering::SeqCst), 1, "one knock for three calls");
    bench.vault.held.store(false, Ordering::SeqCst);
    assert_eq!(bench.token().await.unwrap(), "access-2");
}
