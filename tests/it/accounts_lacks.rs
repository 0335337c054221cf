//! Accounts whose secret is not to be had, on a clock that is moved by hand: who may try for it, and what is noted.

use std::sync::Arc;
use std::time::Duration;

use keywheel::accounts::{PROGRAM, Pool, Wanted};
use keywheel::config;
use keywheel::kit::{Clock, Fault, Kind, Time};

const AGAIN: Duration = Duration::from_secs(10);

fn wanted() -> Wanted<'static> {
    Wanted { provider: "lab", model: "m", ..Wanted::default() }
}

fn bench(accounts: &[(&str, &str)]) -> (Arc<Pool>, Clock) {
    let mut text = "[providers.lab]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n".to_owned();
    for (id, lines) in accounts {
        text += &format!("[[accounts]]\nid = \"{id}\"\nprovider = \"lab\"\n{lines}\n");
    }
    let clock = Clock::manual(Time::from_micros(1_800_000_000_000_000));
    let pool = Pool::new(clock.clone());
    pool.apply(&config::parse(&text).expect("settings"));
    (pool, clock)
}

fn lack() -> Fault {
    Fault::new(Kind::NoSecret, "account a: the program failed")
}

#[test]
fn one_call_tries_for_a_secret_while_others_pass_the_account_over() {
    let (pool, clock) = bench(&[("a", "secret = { command = [\"hangs\"] }")]);
    let taken = || pool.try_lease(wanted()).map(|lease| lease.account().id.clone());
    pool.lacks_secret("a", &lack(), Some(AGAIN));
    let not = taken().expect_err("it is passed over");
    assert_eq!((not.verdicts[0].why.as_str(), not.verdicts[0].kind), ("the program failed", Some(Kind::NoSecret)));
    clock.advance(AGAIN);
    // a question takes no turn
    assert!(pool.able(wanted()).is_some() && pool.outlook(wanted()).is_none());
    assert_eq!(taken().as_deref(), Ok("a"), "one goes in");
    let not = taken().expect_err("the next does not");
    assert_eq!((not.busy, not.verdicts[0].why.as_str()), (false, "the program failed"));
    pool.may_try_secret("a");
    assert!(taken().is_err(), "a look does not send another after it");
    // whoever has no other account shares what becomes of the one that tries
    assert!(pool.invites("a"));
    assert_eq!(taken().as_deref(), Ok("a"));
    assert!(taken().is_err());
    clock.advance(PROGRAM);
    assert!(taken().is_err(), "it may still hang");
    clock.advance(Duration::from_secs(2));
    assert_eq!(taken().as_deref(), Ok("a"), "the one that tried has told nothing");
    pool.has_secret("a");
    assert!(taken().is_ok() && taken().is_ok());
}

#[test]
fn only_a_call_misses_an_account() {
    let (pool, _) = bench(&[("a", "secret = { env = \"K\" }")]);
    pool.lacks_secret("a", &lack(), None);
    assert!(pool.able(wanted()).is_none() && pool.outlook(wanted()).is_some());
    assert!(!pool.missed_secret());
    assert!(!pool.invites("a"), "no call can find it");
    assert!(pool.try_lease(wanted()).is_err());
    assert!(pool.missed_secret() && !pool.missed_secret());
}

#[test]
fn the_vault_is_watched_only_for_what_it_can_mend() {
    let accounts = [
        ("unset", "secret = { env = \"K\" }"),
        ("program", "secret = { command = [\"fails\"] }"),
        ("off", "secret = { vault = \"off\" }\ndisabled = true"),
        ("kept", "secret = { vault = \"kept\" }"),
    ];
    let (pool, _) = bench(&accounts);
    for (id, _) in &accounts[..3] {
        pool.lacks_secret(id, &lack(), None);
        assert!(!pool.awaits_vault(), "{id}");
    }
    pool.lacks_secret("kept", &lack(), None);
    assert!(pool.awaits_vault());
    pool.has_secret("kept");
    assert!(!pool.awaits_vault());
}
