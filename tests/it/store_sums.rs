//! Sums over calls: whatever is asked for, the file gives what adding up every call gives.

use std::ops::Range;

use keywheel::kit::{Money, Time, Usage};
use keywheel::store::{By, Context, Entry, Ledger, Memory, Outcome, Span, Spend, Sqlite, Total};
use proptest::prelude::*;

use crate::store::entry;

const HOUR: i64 = 3_600_000_000;
/// On an hour.
const BEGIN: i64 = 1_795_000_000_000_000 / HOUR * HOUR;
const KEYS: [By; 12] = [
    By::Model,
    By::Provider,
    By::Account,
    By::Client,
    By::Project,
    By::Session,
    By::Branch,
    By::Run,
    By::Tier,
    By::Outcome,
    By::Day,
    By::Hour,
];

fn call() -> impl Strategy<Value = Entry> {
    let names = (0..3_usize, 0..3_usize, 0..2_usize, any::<bool>());
    let money = (any::<bool>(), any::<bool>(), any::<bool>(), 0..i64::MAX, 0..u64::MAX / 4);
    (moments(), names, money).prop_map(|(at, (model, client, project, failed), money)| {
        let (used, priced, told, pico, tokens) = money;
        let name = |text: &str, number: usize| (number > 0).then(|| format!("{text}{number}"));
        let cost = priced.then(|| Money::from_pico(pico.into()));
        Entry {
            at: Time::from_micros(at),
            client: format!("c{client}"),
            provider: name("p", model),
            model: name("m", client),
            account: name("a", model),
            status: if failed { 500 } else { 200 },
            outcome: if failed { Outcome::Failed } else { Outcome::Completed },
            context: Context {
                project: name("pr", project),
                session_id: name("s", client),
                run_id: name("r", project),
                branch: name("b", project),
                parent_id: None,
            },
            spend: Spend {
                usage: used.then(|| Usage { input: tokens >> 40, output: tokens >> 50, ..Usage::default() }),
                cost,
                listed: cost.filter(|_| told).map(|cost| Money::from_pico(cost.pico() / 2)),
                service_tier: name("t", project),
                estimated: failed,
                ..Spend::default()
            },
            ..entry()
        }
    })
}

/// Over two days, often on the edge of an hour.
fn moments() -> impl Strategy<Value = i64> {
    const REACH: Range<i64> = 0..48;
    (REACH, prop_oneof![Just(0), Just(1), Just(-1), -HOUR..HOUR]).prop_map(|(hour, off)| BEGIN + hour * HOUR + off)
}

fn span() -> impl Strategy<Value = Span> {
    let end = || proptest::option::of(moments().prop_map(Time::from_micros));
    (end(), end()).prop_map(|(since, until)| Span { since, until })
}

fn all(ledger: &dyn Ledger, by: &[By], span: Span) -> Vec<Total> {
    ledger.totals(by, span).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_file_sums_as_adding_up_every_call_does(
        calls in proptest::collection::vec(call(), 1..60),
        spans in proptest::collection::vec(span(), 8),
        pairs in proptest::collection::vec((0..KEYS.len(), 0..KEYS.len()), 4),
    ) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("ledger.sqlite");
        let (file, memory) = (Sqlite::open(&path).unwrap(), Memory::new());
        for call in &calls {
            drop(file.record(call.clone()));
            drop(memory.record(call.clone()));
        }
        // one call comes again with other figures: the sums must forget what it said first
        let again = Entry { spend: Spend::default(), client: "other".to_owned(), ..calls[0].clone() };
        drop(file.record(again.clone()));
        drop(memory.record(again));
        file.flush();
        for span in spans.into_iter().chain([Span::default()]) {
            for by in KEYS {
                prop_assert_eq!(all(&file, &[by], span), all(&memory, &[by], span), "{:?} {:?}", by, span);
            }
            for (one, other) in &pairs {
                let by = [KEYS[*one], KEYS[*other]];
                prop_assert_eq!(all(&file, &by, span), all(&memory, &by, span), "{:?} {:?}", by, span);
            }
        }
    }
}

#[test]
fn a_ledger_without_sums_gets_them_from_its_calls() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let spend = Spend {
        usage: Some(Usage { input: u64::MAX, output: 3, ..Usage::default() }),
        cost: Some(Money::from_pico(9_000_000_000_000_000_001)),
        listed: Some(Money::from_pico(8_000_000_000_000_000_000)),
        ..Spend::default()
    };
    let context = Context { project: Some("web".to_owned()), ..Context::default() };
    let calls = [Entry { spend, ..entry() }, entry(), Entry { client: "other".to_owned(), context, ..entry() }];
    let ledger = Sqlite::open(&path).unwrap();
    calls.iter().for_each(|call| drop(ledger.record(call.clone())));
    ledger.flush();
    let before = all(&ledger, &[By::Client, By::Day], Span::default());
    drop(ledger);
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "DROP TABLE sums; DROP TABLE spools; DROP TABLE gone; DROP TABLE holds; ALTER TABLE calls DROP COLUMN branch; PRAGMA user_version = 3",
        )
        .unwrap();
    drop(other);
    let ledger = Sqlite::open(&path).unwrap();
    assert_eq!(all(&ledger, &[By::Client, By::Day], Span::default()).len(), before.len());
    let of: Vec<_> =
        all(&ledger, &[By::Project], Span::default()).into_iter().map(|one| (one.keys, one.calls)).collect();
    assert_eq!(of, [(vec![String::new()], 2), (vec!["web".to_owned()], 1)]);
    let (was, is) = (&before[0], &all(&ledger, &[By::Client, By::Day], Span::default())[0]);
    assert_eq!((was.calls, was.cost, was.told, was.listed), (is.calls, is.cost, is.told, is.listed));
}

#[test]
fn an_answer_that_claims_any_number_of_tokens_stops_no_ledger() {
    let home = tempfile::tempdir().unwrap();
    let ledger = Sqlite::open(&home.path().join("ledger.sqlite")).unwrap();
    let usage = Some(Usage { input: u64::MAX, cache_read: u64::MAX, ..Usage::default() });
    for _ in 0..3 {
        drop(ledger.record(Entry { spend: Spend { usage, ..Spend::default() }, ..entry() }));
        ledger.flush();
    }
    assert_eq!(ledger.lag(), None);
    let totals = all(&ledger, &[By::Model], Span::default());
    assert_eq!((totals[0].calls, totals[0].unpriced), (3, 3));
    assert!(totals[0].tokens[0] > 1 << 60);
}
