//! What a budget has spent outlives the calls that it counts: they may leave by age or for room, and the process with them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keywheel::config::{self, Keep};
use keywheel::gateway::budgets::Budgets;
use keywheel::kit::{CallId, Money, Time};
use keywheel::store::{By, Entry, Filter, Ledger, Memory, Over, Span, Sqlite, Total};

use crate::store::entry;

const NOW: &str = "2026-11-21T12:00:00Z";
const BUDGETS: &str = "[budgets.day]\nlimit_usd = '100'\nper = 'day'\n\
    [budgets.month]\nlimit_usd = '100'\nper = 'month'\n\
    [budgets.session]\nlimit_usd = '100'\nper = 'session'\n\
    [budgets.total]\nlimit_usd = '100'\nper = 'total'\neach = 'project'\n\
    [budgets.web]\nlimit_usd = '100'\nper = 'total'\nmodel = 'lab/*'\nproject = 'web'\n";
/// What each of them has spent after `calls`, the dearest part first.
const SPENT: [&str; 8] = [
    "day : 1",
    "month : 3",
    "session session s1: 13",
    "session no session: 2",
    "total project keys: 10",
    "total project web: 4",
    "total no project: 1",
    "web : 4",
];

fn at(text: &str) -> Time {
    Time::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// Calls of this year, this month and today.
fn calls() -> Vec<Entry> {
    let of = |moment: &str, cost: &str, session: Option<&str>, project: Option<&str>| {
        let mut call = Entry { id: CallId::new(), at: at(moment), ..entry() };
        (call.provider, call.account, call.model) = (Some("lab".into()), Some("a".into()), Some("m".into()));
        call.spend.cost = Some(Money::parse(cost).unwrap());
        (call.context.session_id, call.context.project) = (session.map(str::to_owned), project.map(str::to_owned));
        call
    };
    vec![
        of("2026-01-10T08:00:00Z", "7.000000000001", Some("s1"), Some("keys")),
        of("2026-01-10T09:00:00Z", "0.999999999999", Some("s1"), Some("keys")),
        of("2026-10-31T23:59:59Z", "4", Some("s1"), Some("web")),
        of("2026-11-03T10:00:00Z", "2", None, Some("keys")),
        of("2026-11-21T01:30:00Z", "1", Some("s1"), None),
    ]
}

/// What budgets count that begin now, as after a start.
fn lines(ledger: &dyn Ledger) -> Vec<String> {
    let budgets: Arc<Budgets> = Arc::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(budgets.apply(ledger, &config::parse(BUDGETS).unwrap(), at(NOW)));
    let lines = budgets.lines(at(NOW)).into_iter();
    lines.map(|line| format!("{} {}: {}", line.name, line.of, line.spent.exact())).collect()
}

fn count(ledger: &dyn Ledger) -> usize {
    ledger.list(&Filter { limit: 100_000, ..Filter::default() }).unwrap().len()
}

fn wait_for(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_budget_counts_calls_that_have_left_the_file_also_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let ledger = Sqlite::open(&path).unwrap();
    calls().into_iter().for_each(|call| drop(ledger.record(call)));
    ledger.flush();
    assert_eq!(lines(&ledger), SPENT, "all are there");
    let projects = |ledger: &Sqlite| ledger.totals(&[By::Project], Span::default()).unwrap();
    let costs = |totals: Vec<Total>| totals.into_iter().map(|total| total.cost).collect::<Vec<_>>();
    let before = costs(projects(&ledger));
    drop(ledger);
    // only today's stay
    let ledger = Sqlite::open(&path).unwrap();
    ledger.keep(Keep { age: Duration::from_secs(5 * 86_400), size: None });
    drop(ledger.record(Entry { at: at(NOW), ..entry() }));
    wait_for("they leave", || count(&ledger) == 2);
    assert_eq!(lines(&ledger), SPENT);
    drop(ledger);
    let ledger = Sqlite::open(&path).unwrap();
    assert_eq!(lines(&ledger), SPENT);
    assert_eq!(costs(projects(&ledger)), before, "projects are told as before");
    // the same session goes on, and its calls leave in their turn
    ledger.keep(Keep { age: Duration::from_secs(3600), size: None });
    drop(ledger.record(Entry { at: at(NOW), ..entry() }));
    wait_for("today's leaves too", || count(&ledger) == 2);
    assert_eq!(lines(&ledger), SPENT);
}

#[test]
fn a_budget_counts_calls_that_have_left_the_memory() {
    let ledger = Memory::new();
    calls().into_iter().for_each(|call| drop(ledger.record(call)));
    assert_eq!(lines(&ledger), SPENT, "all are there");
    (0..10_000).for_each(|_| drop(ledger.record(Entry { at: at(NOW), ..entry() })));
    let dear = ledger.list(&Filter { limit: 100_000, ..Filter::default() }).unwrap();
    assert!(dear.iter().all(|entry| entry.spend.cost.is_none()), "they have left");
    assert_eq!(lines(&ledger), SPENT);
}

#[test]
fn sessions_that_left_are_known_up_to_a_number_and_calls_without_one_always() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let ledger = Sqlite::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) \
                INSERT INTO gone SELECT 's' || i, 'c', '', 'lab', 'a', 'm', i, 1, 0 FROM n";
    other.execute_batch(many).unwrap();
    other.execute("INSERT INTO gone VALUES ('', 'c', '', 'lab', 'a', 'm', 0, 7, 0)", []).unwrap();
    ledger.keep(Keep { age: Duration::from_secs(3600), size: None });
    drop(ledger.record(Entry { at: at(NOW), ..entry() }));
    let left = || other.query_row("SELECT count(*) FROM gone", [], |row| row.get::<_, i64>(0)).unwrap();
    wait_for("the oldest go", || left() == 65_537);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let spent = runtime.block_on(ledger.spent(Over::Sessions)).unwrap();
    let of = |session: Option<&str>| spent.iter().find(|one| one.session_id.as_deref() == session).map(|one| one.cost);
    assert_eq!(of(None), Some(Money::parse("7").unwrap()));
    assert_eq!((of(Some("s70000")), of(Some("s1"))), (Some(Money::parse("1").unwrap()), None));
}

#[test]
fn a_session_of_today_keeps_its_budget_however_many_sessions_a_start_finds() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let ledger = Sqlite::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    let (now, week) = (at(NOW).as_micros(), 7 * 86_400_000_000_i64);
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 66000) \
                INSERT INTO gone SELECT 's' || i, 'c', '', 'lab', 'a', 'm', ?1, 1, 0 FROM n";
    other.execute(many, [now - week]).unwrap();
    other.execute("INSERT INTO gone VALUES ('today', 'c', '', 'lab', 'a', 'm', ?1, 7, 0)", [now - 60_000_000]).unwrap();
    other.execute("INSERT INTO gone VALUES ('', 'c', '', 'lab', 'a', 'm', ?1, 9, 0)", [now - week]).unwrap();
    let budgets: Arc<Budgets> = Arc::default();
    let settings = config::parse("[budgets.session]\nlimit_usd = '100'\nper = 'session'\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(budgets.apply(&ledger, &settings, at(NOW)));
    let mut fresh = Entry { id: CallId::new(), at: at(NOW), ..entry() };
    fresh.spend.cost = Some(Money::parse("1").unwrap());
    fresh.context.session_id = Some("fresh".to_owned());
    drop(budgets.settle(fresh, Vec::new(), |entry| ledger.record(entry)));
    let lines = budgets.lines(at(NOW)).into_iter().map(|line| format!("{}: {}", line.of, line.spent.exact()));
    let lines: Vec<String> = lines.collect();
    assert_eq!(lines, ["no session: 9", "session today: 7", "session fresh: 1"], "only those of last week were let go");
}
