//! Retention: what has been kept for long enough leaves, what it cost stays, and no call waits for it.

use std::path::Path;
use std::time::{Duration, Instant};

use keywheel::config::Keep;
use keywheel::kit::Time;
use keywheel::store::{By, Entry, Filter, Ledger, Span, Sqlite};

use crate::store::{entry, full_entry};

const DAY: Duration = Duration::from_secs(86_400);

fn days_ago(days: u32) -> Time {
    Time::from_micros(entry().at.as_micros() - i64::try_from((DAY * days).as_micros()).unwrap())
}

fn count(ledger: &Sqlite) -> usize {
    ledger.list(&Filter { limit: 100_000, ..Filter::default() }).unwrap().len()
}

/// Waits until so many entries are left.
fn wait_for(ledger: &Sqlite, left: usize) {
    let end = Instant::now() + Duration::from_secs(30);
    while count(ledger) != left {
        assert!(Instant::now() < end, "{} are left and not {left}", count(ledger));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn filled(path: &Path, days: impl Iterator<Item = u32>) -> usize {
    let ledger = Sqlite::open(path).unwrap();
    let entries = days.map(|days| Entry { at: days_ago(days), ..full_entry() });
    entries.map(|entry| drop(ledger.record(entry))).count()
}

#[test]
fn calls_leave_after_their_time_and_what_they_cost_stays() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    // the oldest come first, as they do
    assert_eq!(filled(&path, (1..=1000).rev()), 1000);
    let ledger = Sqlite::open(&path).unwrap();
    let before = ledger.totals(&[By::Client], Span::default()).unwrap();
    ledger.keep(Keep { age: DAY * 30, size: None });
    drop(ledger.record(Entry { client: "now".to_owned(), ..entry() }));
    wait_for(&ledger, 31);
    let kept = ledger.list(&Filter { limit: 100, ..Filter::default() }).unwrap();
    assert_eq!(kept.last().unwrap().at, days_ago(30), "to the day");
    let after = ledger.totals(&[By::Client], Span::default()).unwrap();
    assert_eq!(after[0], before[0], "the sums are kept");
}

#[test]
fn a_ledger_that_is_too_large_lets_its_oldest_calls_go() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    filled(&path, std::iter::repeat_n(0, 4000));
    let large = Sqlite::look(&path).unwrap();
    let most = large.bytes / 2;
    let ledger = Sqlite::open(&path).unwrap();
    ledger.keep(Keep { age: DAY * 365, size: Some(most) });
    let newest = entry();
    drop(ledger.record(newest.clone()));
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let look = Sqlite::look(&path).unwrap();
        // its log is no part of the database, and is emptied by itself
        let log = path.with_extension("sqlite-wal").metadata().map_or(0, |file| file.len());
        if look.bytes - look.free - log <= most {
            break;
        }
        assert!(Instant::now() < end, "{look:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let left = count(&ledger);
    assert!((1000..3900).contains(&left), "{left} are left");
    assert_eq!(ledger.find(&newest.id.to_string()).unwrap(), Some(newest));
}

#[test]
fn without_a_word_about_it_all_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    filled(&path, [4000, 3000].into_iter());
    let ledger = Sqlite::open(&path).unwrap();
    drop(ledger.record(entry()));
    ledger.flush();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(count(&ledger), 3);
}

/// The bound is what a busy machine needs; the bench tells the figures.
#[tokio::test]
async fn a_call_is_recorded_at_once_while_old_ones_leave() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    filled(&path, std::iter::repeat_n(400, 20_000));
    let ledger = Sqlite::open(&path).unwrap();
    ledger.keep(Keep { age: DAY * 365, size: None });
    let mut took = Vec::new();
    while took.len() < 5 || (count(&ledger) > took.len() && took.len() < 2000) {
        let began = Instant::now();
        ledger.record(entry()).await;
        took.push(began.elapsed());
    }
    assert!(took.len() < 2000, "the old ones never left");
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(50), "half of them took {:?}", took[took.len() / 2]);
}
