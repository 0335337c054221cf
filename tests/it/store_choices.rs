//! What accounts were chosen from: kept beside its call, for a week or 100,000 calls, across a change of schema.

use std::time::Duration;

use keywheel::config::Strategy;
use keywheel::kit::{Money, Time};
use keywheel::store::choice::{Considered, PassedOver};
use keywheel::store::{Choice, Entry, Filter, Ledger, Memory, Sqlite};

use crate::store::entry;

fn choice(account: &str) -> Choice {
    let one = |account: &str, share| Considered {
        route: "lab/m".to_owned(),
        account: account.to_owned(),
        busy: 3,
        weight: 2,
        priority: -1,
        share,
        first_byte_us: Some(120_000),
        price: Some(Money::from_pico(1_250_000_001)),
    };
    Choice {
        strategy: Strategy::Hybrid,
        turn: 7,
        seed: u64::MAX,
        affinity: Some(u64::MAX - 1),
        home: false,
        chosen: 1,
        candidates: vec![one("a", None), one(account, Some((733, Time::from_micros(9))))],
        passed_over: vec![PassedOver {
            route: "lab/m".to_owned(),
            account: "c".to_owned(),
            why: "switched off".to_owned(),
        }],
    }
}

#[tokio::test]
async fn the_choices_of_a_call_come_back_with_it_and_a_list_leaves_them_out() {
    let home = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(&home.path().join("ledger.sqlite")).unwrap();
    for ledger in [&sqlite as &dyn Ledger, &Memory::new()] {
        let chosen = Entry { choices: vec![choice("b"), choice("d")], ..entry() };
        let plain = entry();
        ledger.record(chosen.clone()).await;
        ledger.record(plain.clone()).await;
        assert_eq!(ledger.find(&chosen.id.to_string()).unwrap(), Some(chosen.clone()));
        assert_eq!(ledger.find(&plain.id.to_string()).unwrap(), Some(plain));
        assert!(ledger.list(&Filter::default()).unwrap().iter().all(|entry| entry.choices.is_empty()));
    }
}

#[tokio::test]
async fn choices_are_forgotten_after_a_week_and_their_calls_are_not() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let now = entry().at;
    let at =
        |days: u64| Time::from_micros(0).after(now.since(Time::from_micros(0)) - Duration::from_secs(days * 86_400));
    let made = |days| Entry { at: at(days), choices: vec![choice("b")], ..entry() };
    let (old, young) = (made(8), made(6));
    let ledger = Sqlite::open(&path).unwrap();
    ledger.record(old.clone()).await;
    ledger.record(young.clone()).await;
    drop(ledger);
    // the first choice that a process writes takes out what is too old
    let ledger = Sqlite::open(&path).unwrap();
    ledger.record(made(0)).await;
    let kept = |entry: &Entry| ledger.find(&entry.id.to_string()).unwrap().unwrap().choices.len();
    assert_eq!((kept(&old), kept(&young)), (0, 1));
}

#[tokio::test]
async fn a_ledger_of_an_earlier_schema_is_brought_up_and_keeps_its_calls() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let before = entry();
    let ledger = Sqlite::open(&path).unwrap();
    ledger.record(before.clone()).await;
    drop(ledger);
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "DROP TABLE choices; DROP TABLE sums; DROP TABLE spools; DROP TABLE gone; DROP TABLE holds; ALTER TABLE calls DROP COLUMN branch; \
             PRAGMA user_version = 2",
        )
        .unwrap();
    drop(other);
    let ledger = Sqlite::open(&path).unwrap();
    let chosen = Entry { choices: vec![choice("b")], ..entry() };
    ledger.record(chosen.clone()).await;
    assert_eq!(ledger.find(&chosen.id.to_string()).unwrap(), Some(chosen));
    assert_eq!(ledger.find(&before.id.to_string()).unwrap(), Some(before));
}
