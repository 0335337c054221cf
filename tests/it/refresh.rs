//! The refresher over a vault in memory and an identity provider of paper, by a manual clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keywheel::accounts::refresh::{Asked, Asking, By, Device, Exchange, Parts, Refresher, Refusal, Tokens, Why};
use keywheel::catalog::Grant;
use keywheel::config::{Account, Oauth, SecretSource};
use keywheel::kit::{Clock, Fault, Kind, Secret, Time};
use keywheel::vault::{Item, Memory, Source, Vault};

use crate::accounts::account;

pub const START: Time = Time::from_micros(1_800_000_000_000_000);
pub const LIFE: Duration = Duration::from_secs(3600);

/// An identity provider that rotates, and fails as it was told.
#[derive(Default)]
pub struct Paper {
    pub asked: Mutex<Vec<String>>,
    pub fails: Mutex<VecDeque<Refusal>>,
    /// Replaces what is stored while it is asked.
    pub overtaker: Mutex<Option<(Memory, Item)>>,
    pub clock: Clock,
}

impl Exchange for Paper {
    fn tokens<'a>(&'a self, _: &'a Account, asked: Asked) -> Asking<'a, Tokens> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let word = match &asked.by {
                By::Refresh(token) => token.expose().to_owned(),
                By::Client => "client".to_owned(),
                _ => "other".to_owned(),
            };
            let count = {
                let mut all = self.asked.lock().unwrap();
                all.push(word);
                all.len()
            };
            if let Some((vault, item)) = self.overtaker.lock().unwrap().take() {
                vault.put("a", item).unwrap();
            }
            if let Some(refusal) = self.fails.lock().unwrap().pop_front() {
                return Err(refusal);
            }
            let came = self.clock.now();
            let refresh = matches!(asked.by, By::Refresh(_)).then(|| Secret::new(format!("refresh-{}", count + 1)));
            Ok(Tokens {
                access: Secret::new(format!("access-{}", count + 1)),
                refresh,
                came,
                expires_at: Some(came.after(LIFE)),
            })
        })
    }

    fn device<'a>(&'a self, _: &'a Account) -> Asking<'a, Device> {
        Box::pin(std::future::ready(Err(Refusal::new(Why::Client, "no devices here"))))
    }
}

struct Bench {
    clock: Clock,
    vault: Memory,
    paper: Arc<Paper>,
    refresher: Refresher,
    account: Account,
    oauth: Arc<Oauth>,
}

pub fn oauth(grant: Grant) -> Oauth {
    Oauth {
        grant,
        token_url: Some("http://127.0.0.1:9/token".to_owned()),
        device_url: None,
        authorize_url: None,
        client_id: Some("mine".to_owned()),
        client_secret: None,
        style: Default::default(),
        scope: None,
        audience: None,
        resource: None,
        redirect_url: None,
        extra: Default::default(),
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(Grant::RefreshToken)
    }

    fn with(grant: Grant) -> Self {
        let clock = Clock::manual(START);
        let vault = Memory::default();
        let paper = Arc::new(Paper { clock: clock.clone(), ..Paper::default() });
        let oauth = Arc::new(oauth(grant));
        let secret = SecretSource::Vault("a".to_owned());
        let account = Account { secret, oauth: Some(Arc::clone(&oauth)), ..account("a") };
        let mut bench =
            Self { refresher: Self::refresher(&clock, &vault, &paper), clock, vault, paper, account, oauth };
        if grant == Grant::ClientCredentials {
            bench.account.secret = SecretSource::None;
        }
        bench
    }

    /// Another process that shares the vault.
    fn refresher(clock: &Clock, vault: &Memory, paper: &Arc<Paper>) -> Refresher {
        let source = Arc::new(Source::new(|_| None, clock.clone()));
        let exchange = Arc::clone(paper) as Arc<dyn Exchange>;
        Refresher::new(Parts { vault: Arc::new(vault.clone()), source, exchange, clock: clock.clone(), pool: None })
    }

    fn neighbour(&self) -> Refresher {
        Self::refresher(&self.clock, &self.vault, &self.paper)
    }

    fn logged_in(self) -> Self {
        self.vault.put("a", item("access-1", "refresh-1", START)).unwrap();
        self
    }

    async fn token(&self) -> Result<String, Fault> {
        self.refresher.token(&self.account, &self.oauth).await.map(|token| token.expose().to_owned())
    }

    fn asked(&self) -> Vec<String> {
        self.paper.asked.lock().unwrap().clone()
    }

    fn fail(&self, why: Why) {
        self.paper.fails.lock().unwrap().push_back(Refusal::new(why, format!("it says {why:?}")));
    }

    fn stored(&self) -> Item {
        self.vault.get("a").unwrap().unwrap()
    }

    /// Waits until the background has stored another token.
    async fn until_stored(&self, token: &str) {
        for _ in 0..500 {
            if self.stored().secret.expose() == token {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{token} was not stored");
    }
}

pub fn item(access: &str, refresh: &str, at: Time) -> Item {
    Item::token(Secret::new(access), Some(Secret::new(refresh)), at, Some(at.after(LIFE)))
}

#[tokio::test]
async fn a_fresh_token_is_given_without_asking() {
    let bench = Bench::new().logged_in();
    assert_eq!(bench.token().await.unwrap(), "access-1");
    assert!(bench.asked().is_empty());
}

#[tokio::test]
async fn a_due_token_is_given_at_once_and_renewed_meanwhile() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE - Duration::from_secs(100));
    assert_eq!(bench.token().await.unwrap(), "access-1", "it is good for 100 s more");
    bench.until_stored("access-2").await;
    for _ in 0..100 {
        if bench.token().await.unwrap() == "access-2" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.token().await.unwrap(), "access-2");
    assert_eq!(bench.asked(), ["refresh-1"]);
    let stored = bench.stored();
    assert_eq!(stored.refresh.unwrap().expose(), "refresh-2");
    assert_eq!(stored.refreshing, None);
}

#[tokio::test]
async fn a_hundred_calls_that_meet_an_expired_token_refresh_it_once() {
    let bench = Arc::new(Bench::new().logged_in());
    bench.clock.advance(LIFE);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.token().await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "access-2");
    }
    assert_eq!(bench.asked(), ["refresh-1"]);
}

#[tokio::test]
async fn a_hundred_calls_that_were_refused_with_the_same_token_refresh_it_once() {
    let bench = Arc::new(Bench::new().logged_in());
    let refused = bench.refresher.token(&bench.account, &bench.oauth).await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (bench, refused) = (Arc::clone(&bench), refused.clone());
            tokio::spawn(async move {
                bench.refresher.renewed(&bench.account, &bench.oauth, &refused).await.unwrap().expose().to_owned()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "access-2");
    }
    assert_eq!(bench.asked(), ["refresh-1"]);
}

#[tokio::test]
async fn processes_that_share_a_vault_refresh_once() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE);
    let others: Vec<Refresher> = (0..4).map(|_| bench.neighbour()).collect();
    let calls = others.iter().map(|other| other.token(&bench.account, &bench.oauth));
    for token in futures_util::future::join_all(calls).await {
        assert_eq!(token.unwrap().expose(), "access-2");
    }
    assert_eq!(bench.asked(), ["refresh-1"]);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_refresh() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE);
    let left = tokio::time::timeout(Duration::from_millis(5), bench.token()).await;
    assert!(left.is_err(), "it left before the answer");
    bench.until_stored("access-2").await;
    assert_eq!(bench.token().await.unwrap(), "access-2");
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test]
async fn an_identity_provider_that_keeps_the_refresh_token_may_leave_it_out() {
    let bench = Bench::with(Grant::ClientCredentials);
    assert_eq!(bench.token().await.unwrap(), "access-2");
    assert_eq!(bench.token().await.unwrap(), "access-2", "kept in memory");
    assert!(bench.vault.list().unwrap().is_empty(), "and nowhere else");
    bench.clock.advance(LIFE);
    assert_eq!(bench.token().await.unwrap(), "access-3");
    assert_eq!(bench.asked(), ["client", "client"]);
}

#[tokio::test]
async fn failures_climb_the_ladder_and_a_success_ends_it() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE);
    for wait in [5, 30, 120, 600, 1800] {
        bench.fail(Why::Unsent);
        let fault = bench.token().await.unwrap_err();
        assert_eq!(fault.kind, Kind::StaleToken(Duration::from_secs(wait)), "{fault}");
        let asked = bench.asked().len();
        bench.clock.advance(Duration::from_secs(wait - 1));
        let again = bench.token().await.unwrap_err();
        assert_eq!(again.kind, Kind::StaleToken(Duration::from_secs(1)), "{again}");
        assert_eq!(bench.asked().len(), asked, "not asked before its time");
        bench.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(bench.token().await.unwrap(), "access-7");
    bench.clock.advance(LIFE);
    bench.fail(Why::Client);
    assert_eq!(bench.token().await.unwrap_err().kind, Kind::StaleToken(Duration::from_secs(5)), "from the start again");
    assert!(bench.stored().refresh.is_some(), "nothing is deleted");
}

#[tokio::test]
async fn a_failure_before_the_end_keeps_the_token_in_use() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE - Duration::from_secs(100));
    bench.fail(Why::Busy(None));
    assert_eq!(bench.token().await.unwrap(), "access-1");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.token().await.unwrap(), "access-1");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.asked().len(), 1, "not asked again before the ladder says so");
    bench.clock.advance(Duration::from_secs(5));
    assert_eq!(bench.token().await.unwrap(), "access-1");
    bench.until_stored("access-3").await;
}

#[tokio::test]
async fn a_refused_refresh_token_ends_the_login_without_deleting_it() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE);
    bench.fail(Why::Grant);
    let fault = bench.token().await.unwrap_err();
    assert_eq!(fault.kind, Kind::NeedsLogin);
    assert_eq!(fault.message, "account a: it says Grant; run: keywheel account login a");
    bench.clock.advance(LIFE * 1000);
    assert_eq!(bench.token().await.unwrap_err().kind, Kind::NeedsLogin);
    let elsewhere = bench.neighbour().token(&bench.account, &bench.oauth).await;
    assert_eq!(elsewhere.err().map(|fault| fault.kind), Some(Kind::NeedsLogin), "other processes know it too");
    assert_eq!(bench.asked(), ["refresh-1"], "asked once and never again");
    let stored = bench.stored();
    assert_eq!(stored.refresh.unwrap().expose(), "refresh-1");
    assert!(stored.ended.is_some());
}

#[tokio::test]
async fn whoever_was_overtaken_uses_what_the_other_stored() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE);
    let winner = item("access-won", "refresh-won", bench.clock.now());
    *bench.paper.overtaker.lock().unwrap() = Some((bench.vault.clone(), winner));
    bench.fail(Why::Grant);
    assert_eq!(bench.token().await.unwrap(), "access-won");
    assert_eq!(bench.stored().refresh.unwrap().expose(), "refresh-won");
    assert_eq!(bench.asked(), ["refresh-1"]);
}

#[tokio::test]
async fn an_interrupted_refresh_is_tried_once_more_and_heals() {
    let bench = Bench::new().logged_in();
    bench.vault.update("a", &mut |item| item.as_mut().unwrap().refreshing = Some(START)).unwrap();
    assert_eq!(bench.token().await.unwrap(), "access-1", "it is good still");
    bench.until_stored("access-2").await;
    assert_eq!(bench.stored().refreshing, None);
    assert_eq!(bench.asked(), ["refresh-1"]);
}

#[tokio::test]
async fn an_interrupted_refresh_that_spent_its_token_says_so_after_one_try() {
    let bench = Bench::new().logged_in();
    bench.vault.update("a", &mut |item| item.as_mut().unwrap().refreshing = Some(START)).unwrap();
    bench.clock.advance(LIFE);
    bench.fail(Why::Grant);
    let fault = bench.token().await.unwrap_err();
    let words = format!("a refresh was interrupted at {START}, and the old token is no longer taken: it says Grant");
    assert_eq!(fault.message, format!("account a: {words}; run: keywheel account login a"));
    let after = bench.neighbour().token(&bench.account, &bench.oauth).await.err().unwrap();
    assert!(after.message.contains(&format!("a refresh was interrupted at {START}")), "{after}");
    assert_eq!(bench.asked(), ["refresh-1"], "one try, no loop");
    assert_eq!(bench.stored().refresh.unwrap().expose(), "refresh-1", "nothing deleted");
}

#[tokio::test]
async fn an_answer_that_was_lost_leaves_the_mark_and_a_refusal_later_names_its_time() {
    let bench = Bench::new().logged_in();
    bench.clock.advance(LIFE);
    let lost_at = bench.clock.now();
    bench.fail(Why::Lost);
    assert_eq!(bench.token().await.unwrap_err().kind, Kind::StaleToken(Duration::from_secs(5)));
    assert_eq!(bench.stored().refreshing, Some(lost_at));
    bench.clock.advance(Duration::from_secs(5));
    bench.fail(Why::Busy(None));
    bench.token().await.unwrap_err();
    assert_eq!(bench.stored().refreshing, Some(lost_at), "a busy answer does not undo it");
    bench.clock.advance(Duration::from_secs(30));
    bench.fail(Why::Grant);
    let fault = bench.token().await.unwrap_err();
    assert!(fault.message.contains(&format!("interrupted at {lost_at}")), "{fault}");
}

#[tokio::test]
async fn a_login_elsewhere_is_seen_and_a_refresh_token_brought_as_a_key_is_used() {
    let bench = Bench::new();
    let fault = bench.token().await.unwrap_err();
    assert_eq!(fault.message, "account a: nobody has logged in yet; run: keywheel account login a");
    bench.vault.put("a", Item::key(Secret::new("brought"))).unwrap();
    let accounts = [Arc::new(bench.account.clone())];
    bench.refresher.tend(&accounts).await;
    assert_eq!(bench.token().await.unwrap(), "access-2");
    assert_eq!(bench.asked(), ["brought"]);
    assert_eq!(bench.stored().refresh.unwrap().expose(), "refresh-2");
}

#[tokio::test]
async fn the_background_renews_what_nobody_uses() {
    let bench = Bench::new().logged_in();
    let accounts = [Arc::new(bench.account.clone())];
    let wait = bench.refresher.tend(&accounts).await;
    assert!(wait >= Duration::from_secs(2) && bench.asked().is_empty());
    bench.clock.advance(LIFE - Duration::from_secs(200));
    bench.refresher.tend(&accounts).await;
    bench.until_stored("access-2").await;
    bench.refresher.settle().await;
    assert_eq!(bench.asked(), ["refresh-1"]);
}

#[tokio::test]
async fn a_person_may_renew_at_any_time() {
    let bench = Bench::new().logged_in();
    bench.refresher.force(&bench.account, &bench.oauth).await.unwrap();
    assert_eq!(bench.token().await.unwrap(), "access-2");
    bench.clock.advance(LIFE);
    bench.fail(Why::Unsent);
    bench.token().await.unwrap_err();
    bench.refresher.force(&bench.account, &bench.oauth).await.unwrap();
    assert_eq!(bench.asked().len(), 3, "the ladder is for machines");
}
