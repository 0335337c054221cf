//! The contract that every ledger keeps; each case runs against every implementation.

use std::path::Path;
use std::sync::Arc;

use keywheel::kit::{CallId, Money, Time, Usage};
use keywheel::store::{
    Attempt, By, Context, Decision, Entry, Filter, Ledger, LedgerError, Memory, Outcome, Span, Spend, Sqlite,
};

/// Runs a case against each implementation, in a runtime as the gateway has one.
fn each(case: impl AsyncFn(Arc<dyn Ledger>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(case(Arc::new(Memory::new())));
    for open in [Sqlite::open, Sqlite::without_spool] {
        let home = tempfile::tempdir().unwrap();
        runtime.block_on(case(Arc::new(open(&home.path().join("ledger.sqlite")).unwrap())));
    }
}

/// An entry with every field filled.
pub(crate) fn full_entry() -> Entry {
    Entry {
        at: Time::from_micros(1_795_000_000_123_456),
        client: "laptop".to_owned(),
        asked: "fast".to_owned(),
        provider: Some("lab".to_owned()),
        account: Some("lab-b".to_owned()),
        model: Some("model-a".to_owned()),
        stream: true,
        parked_us: 12,
        first_byte_us: Some(3_400),
        total_us: u64::from(u32::MAX),
        bytes_in: 200_000,
        bytes_out: 1_234,
        context: Context {
            project: Some("keys & wheels".to_owned()),
            session_id: Some("ses_1".to_owned()),
            run_id: Some("run \"2\"".to_owned()),
            parent_id: Some(CallId::new()),
            branch: Some("feature/ä".to_owned()),
        },
        spend: Spend {
            usage: Some(Usage {
                input: 9,
                cache_write_1h: 3,
                output: u64::from(u32::MAX),
                maps: 1,
                ..Usage::default()
            }),
            answered: Some("model-a-2026-11-01".to_owned()),
            service_tier: Some("flex".to_owned()),
            cost: Some(Money::from_pico(1_234_567_890_123_456_789)),
            listed: Some(Money::from_pico(1)),
            price: Some("a15dfd47174d".to_owned()),
            estimated: true,
        },
        attempts: vec![
            Attempt {
                status: Some(429),
                fault: Some("rate_limit_exceeded".to_owned()),
                why: Some("over 60 requests a minute, ünïcode and 'quotes'".to_owned()),
                head_us: Some(900),
                ..attempt("lab-a")
            },
            attempt("lab-b"),
        ],
        decisions: vec![Decision {
            route: "lab/model-a".to_owned(),
            account: "lab-a".to_owned(),
            verdict: "cooling".to_owned(),
        }],
        ..entry()
    }
}

/// An entry that says no more than it must.
pub(crate) fn entry() -> Entry {
    Entry {
        id: CallId::new(),
        tenant: "local".to_owned(),
        at: Time::from_micros(1_795_000_000_000_000),
        client: "local".to_owned(),
        endpoint: "chat/completions".to_owned(),
        asked: String::new(),
        provider: None,
        account: None,
        model: None,
        status: 200,
        outcome: Outcome::Completed,
        stream: false,
        parked_us: 0,
        first_byte_us: None,
        total_us: 1,
        bytes_in: 0,
        bytes_out: 0,
        context: Context::default(),
        spend: Spend::default(),
        attempts: Vec::new(),
        decisions: Vec::new(),
        choices: Vec::new(),
    }
}

fn attempt(account: &str) -> Attempt {
    Attempt {
        provider: "lab".to_owned(),
        account: account.to_owned(),
        model: "model-a".to_owned(),
        status: None,
        fault: None,
        why: None,
        start_us: 7,
        connect_us: Some(3),
        head_us: None,
        first_us: None,
        last_us: Some(8),
    }
}

fn ids(entries: &[Entry]) -> Vec<CallId> {
    entries.iter().map(|entry| entry.id).collect()
}

#[test]
fn an_entry_comes_back_as_it_was_recorded() {
    each(async |ledger| {
        for entry in [full_entry(), entry()] {
            ledger.record(entry.clone()).await;
            assert_eq!(ledger.find(&entry.id.to_string()).unwrap(), Some(entry));
        }
    });
}

#[test]
fn an_entry_of_the_same_id_replaces_the_earlier_one() {
    each(async |ledger| {
        let first = entry();
        let second = Entry { outcome: Outcome::Broken, status: 502, ..first.clone() };
        ledger.record(first).await;
        ledger.record(second.clone()).await;
        assert_eq!(ledger.list(&Filter::default()).unwrap(), [second]);
    });
}

#[test]
fn the_newest_come_first_and_only_as_many_as_asked_for() {
    each(async |ledger| {
        let entries: Vec<Entry> = (0..120).map(|_| entry()).collect();
        for entry in &entries {
            drop(ledger.record(entry.clone()));
        }
        ledger.flush();
        let newest: Vec<CallId> = entries.iter().rev().map(|entry| entry.id).collect();
        assert_eq!(ids(&ledger.list(&Filter::default()).unwrap()), newest[..100]);
        assert_eq!(ids(&ledger.list(&Filter { limit: 3, ..Filter::default() }).unwrap()), newest[..3]);
        assert_eq!(ids(&ledger.list(&Filter { limit: 500, ..Filter::default() }).unwrap()), newest);
    });
}

#[test]
fn every_filter_narrows_the_list() {
    each(async |ledger| {
        let early = Entry { at: Time::from_micros(1), ..entry() };
        let laptop = Entry { client: "laptop".to_owned(), ..entry() };
        let lab = Entry { account: Some("lab-a".to_owned()), ..entry() };
        let failed = Entry { outcome: Outcome::Failed, status: 429, account: Some("lab-a".to_owned()), ..entry() };
        let left = Entry { outcome: Outcome::Left, status: 499, ..entry() };
        for entry in [&early, &laptop, &lab, &failed, &left] {
            ledger.record(entry.clone()).await;
        }
        let list = |filter: Filter| ids(&ledger.list(&filter).unwrap());
        let any = Filter::default;
        assert_eq!(
            list(Filter { span: Span::since(Some(laptop.at)), ..any() }),
            [left.id, failed.id, lab.id, laptop.id]
        );
        assert_eq!(list(Filter { client: Some("laptop".to_owned()), ..any() }), [laptop.id]);
        assert_eq!(list(Filter { account: Some("lab-a".to_owned()), ..any() }), [failed.id, lab.id]);
        assert_eq!(list(Filter { failed: true, ..any() }), [left.id, failed.id]);
        assert_eq!(list(Filter { status: Some(400..=499), ..any() }), [left.id, failed.id]);
        let until = Span { since: None, until: Some(laptop.at) };
        assert_eq!(list(Filter { span: until, ..any() }), [early.id]);
        let never = Span { since: Some(Time::from_micros(2)), until: Some(Time::from_micros(3)) };
        assert_eq!(list(Filter { span: never, ..any() }), []);
        let named = Entry {
            provider: Some("lab".to_owned()),
            model: Some("org/m".to_owned()),
            asked: "fast".to_owned(),
            context: Context { project: Some("p".to_owned()), ..Context::default() },
            ..entry()
        };
        ledger.record(named.clone()).await;
        for model in ["fast", "org/m", "lab/org/m"] {
            assert_eq!(list(Filter { model: Some(model.to_owned()), ..any() }), [named.id], "{model}");
        }
        assert_eq!(list(Filter { model: Some("lab".to_owned()), ..any() }), []);
        assert_eq!(list(Filter { provider: Some("lab".to_owned()), ..any() }), [named.id]);
        assert_eq!(list(Filter { project: Some("p".to_owned()), ..any() }), [named.id]);
        let both = Filter { failed: true, account: Some("lab-a".to_owned()), limit: 5, ..any() };
        assert_eq!(list(both), [failed.id]);
        assert_eq!(list(Filter { client: Some("' OR 1".to_owned()), ..any() }), []);
    });
}

#[test]
fn the_beginning_of_an_id_finds_its_entry() {
    each(async |ledger| {
        let bytes = |last: u8| CallId::from_bytes([0x01, 0x8f, 0xab, 0xcd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        let (one, two) = (Entry { id: bytes(0x10), ..entry() }, Entry { id: bytes(0x2f), ..entry() });
        ledger.record(one.clone()).await;
        ledger.record(two.clone()).await;
        let find = |prefix: &str| ledger.find(prefix);
        let whole = two.id.to_string();
        assert_eq!(find(&whole).unwrap(), Some(two.clone()));
        assert_eq!(find(&whole[..31]).unwrap(), Some(two.clone()), "an odd number of digits");
        assert_eq!(find(&whole.to_uppercase()).unwrap(), Some(two));
        assert_eq!(find("018fabcd-0000-0000-0000-000000000010").unwrap(), Some(one), "with dashes");
        assert!(matches!(find("018f").unwrap_err(), LedgerError::Ambiguous(2, prefix) if prefix == "018f"));
        assert!(matches!(find("").unwrap_err(), LedgerError::Ambiguous(2, _)));
        for nothing in ["018e", "no id", "ünï", &"0".repeat(33)] {
            assert_eq!(find(nothing).unwrap(), None, "{nothing}");
        }
    });
}

#[test]
fn a_thousand_entries_at_once_are_all_kept() {
    each(async |ledger| {
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let ledger = ledger.clone();
                tokio::spawn(async move { ledger.record(full_entry()).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(ledger.list(&Filter { limit: 2000, ..Filter::default() }).unwrap().len(), 1000);
        assert_eq!(ledger.lag(), None);
    });
}

#[test]
fn an_entry_whose_commit_nobody_awaits_is_kept_all_the_same() {
    each(async |ledger| {
        let entry = entry();
        drop(ledger.record(entry.clone()));
        ledger.flush();
        assert_eq!(ledger.list(&Filter::default()).unwrap(), [entry]);
    });
}

/// The permission bits of a file.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn sums_are_made_by_every_key_and_are_exact() {
    let call = |provider: &str, hour: i64, pico: Option<i128>, tokens: u64| Entry {
        at: Time::from_micros(1_795_000_000_000_000 + hour * 3_600_000_000),
        provider: Some(provider.to_owned()),
        model: Some("m".to_owned()),
        account: Some(format!("{provider}-a")),
        spend: Spend {
            usage: Some(Usage { input: tokens, audio_in: 1, output: 2, ..Usage::default() }),
            cost: pico.map(Money::from_pico),
            estimated: pico == Some(1),
            ..Spend::default()
        },
        ..entry()
    };
    let large = 9_000_000_000_000_000_001;
    each(async |ledger| {
        for entry in [
            call("x", 0, Some(large), 10),
            call("x", 1, Some(large), 20),
            call("y", 2, Some(1), 30),
            call("y", 48, None, 40),
            Entry { status: 429, outcome: Outcome::Failed, ..entry() },
        ] {
            ledger.record(entry).await;
        }
        let of = |by, since: Option<i64>| ledger.totals(&[by], Span::since(since.map(Time::from_micros))).unwrap();
        let totals = of(By::Model, None);
        let keys: Vec<&str> = totals.iter().map(|total| total.keys[0].as_str()).collect();
        assert_eq!(keys, ["x/m", "y/m", ""]);
        assert_eq!((totals[0].cost.pico(), totals[0].tokens), (2 * large, [32, 0, 0, 4, 0]));
        assert_eq!((totals[1].unpriced, totals[1].estimated, totals[1].cost.pico()), (1, 1, 1));
        assert_eq!((totals[2].calls, totals[2].untold, totals[2].cost), (1, 0, Money::ZERO));
        let recent = of(By::Day, Some(1_795_000_000_000_000 + 24 * 3_600_000_000));
        assert_eq!((recent.len(), recent[0].keys[0].as_str(), recent[0].calls), (1, "2026-11-20", 1));
        assert_eq!(of(By::Account, None)[0].keys, ["x-a"]);
        assert_eq!(of(By::Client, None)[0].calls, 5);
    });
}
