//! What only a ledger in a file can do or suffer: reopening, other programs' locks, files of other versions.

use std::path::Path;
use std::time::{Duration, Instant};

use keywheel::store::{Filter, Ledger, LedgerError, Sqlite};

use crate::store::{entry, full_entry, mode};

fn list(ledger: &Sqlite) -> Vec<keywheel::store::Entry> {
    ledger.list(&Filter { limit: 5000, ..Filter::default() }).unwrap()
}

fn other_program(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

#[test]
fn entries_outlive_the_ledger_that_took_them() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let entries = [full_entry(), entry()];
    let ledger = Sqlite::open(&path).unwrap();
    for entry in &entries {
        drop(ledger.record(entry.clone()));
    }
    drop(ledger);
    let again = Sqlite::open(&path).unwrap();
    assert_eq!(list(&again), [entries[1].clone(), entries[0].clone()]);
}

#[test]
fn the_files_are_closed_to_other_users() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let ledger = Sqlite::open(&path).unwrap();
    drop(ledger.record(entry()));
    ledger.flush();
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        assert_eq!(mode(&home.path().join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    drop(Sqlite::open(&path).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Sqlite::open(&path).err().unwrap().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn a_file_of_a_later_version_is_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    drop(Sqlite::open(&path).unwrap());
    other_program(&path).pragma_update(None, "user_version", 99).unwrap();
    let error = Sqlite::open(&path).err().unwrap();
    assert!(matches!(error, LedgerError::Newer(_, 99, _)), "{error}");
    assert!(error.to_string().contains("written by a newer keywheel (schema 99, this one knows "), "{error}");
    let version: i64 = other_program(&path).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_file_that_is_no_database_is_refused_in_words() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    std::fs::write(&path, "not a database, but long enough to look like one".repeat(100)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let error = Sqlite::open(&path).err().unwrap().to_string();
    assert!(error.contains("move the file away"), "{error}");
}

#[tokio::test]
async fn a_locked_ledger_without_a_spool_releases_the_answer_says_so_and_catches_up() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let ledger = Sqlite::without_spool(&path).unwrap();
    let other = other_program(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let (first, second) = (entry(), entry());
    let began = Instant::now();
    ledger.record(first.clone()).await;
    assert!(began.elapsed() < Duration::from_secs(3), "released after {:?}", began.elapsed());
    drop(ledger.record(second.clone()));
    let lag = ledger.lag().expect("it lags while the lock is held");
    assert_eq!(lag.queued, 2);
    assert!(lag.why.unwrap().contains("locked"));
    assert_eq!(list(&ledger), []);

    other.execute_batch("ROLLBACK").unwrap();
    ledger.flush();
    assert_eq!(list(&ledger), [second, first]);
    assert_eq!(ledger.lag(), None);
}

#[test]
fn opening_a_ledger_that_another_program_holds_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    drop(Sqlite::open(&path).unwrap());
    let other = other_program(&path);
    other.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let error = Sqlite::open(&path).err().unwrap().to_string();
    assert!(error.contains("close the program that holds it"), "{error}");
}

/// A check against a list did, which took a third of what a row costs.
#[test]
fn no_row_needs_a_table_of_its_own_in_memory() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    drop(Sqlite::open(&path).unwrap());
    let other = other_program(&path);
    let columns: i64 =
        other.query_row("SELECT count(*) FROM pragma_table_info('calls')", [], |row| row.get(0)).unwrap();
    let values = vec!["NULL"; usize::try_from(columns).unwrap()].join(", ");
    let mut steps = other.prepare(&format!("EXPLAIN INSERT INTO calls VALUES ({values})")).unwrap();
    let steps: Vec<String> = steps.query_map([], |row| row.get("opcode")).unwrap().map(Result::unwrap).collect();
    assert!(steps.contains(&"MakeRecord".to_owned()), "{steps:?}");
    assert!(!steps.contains(&"OpenEphemeral".to_owned()), "{steps:?}");
}

/// The bound is ten times what a laptop needs in a debug build; `KEYWHEEL_TEST_SOAK` prints the figures.
#[test]
fn an_entry_is_small_and_cheap() {
    const COUNT: u32 = 2000;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger.sqlite");
    let ledger = Sqlite::open(&path).unwrap();
    let began = Instant::now();
    for _ in 0..COUNT {
        drop(ledger.record(usual_entry()));
    }
    ledger.flush();
    let each = began.elapsed() / COUNT;
    drop(ledger);
    let size = path.metadata().unwrap().len() / u64::from(COUNT);
    if std::env::var_os("KEYWHEEL_TEST_SOAK").is_some() {
        eprintln!("ledger: {each:?} and {size} bytes an entry");
    }
    assert!(size < 400, "{size} bytes an entry");
    assert!(each < Duration::from_millis(2), "{each:?} an entry");
}

/// What an ordinary call leaves behind: one attempt that succeeded.
fn usual_entry() -> keywheel::store::Entry {
    let full = full_entry();
    let attempt = keywheel::store::Attempt { status: Some(200), head_us: Some(412_345), ..full.attempts[1].clone() };
    keywheel::store::Entry {
        context: keywheel::store::Context::default(),
        attempts: vec![attempt],
        decisions: full.decisions.clone(),
        ..full
    }
}
