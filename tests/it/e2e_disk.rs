//! A ledger whose disk is slow or full, or whose file another program holds: calls go on, `status` and `doctor` say so,
//! and what waited is written in the end.
//!
//! The disk's faults come from `disk/faults.c`, which stands between the real binary and the C library, for the ledger's
//! files alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use keywheel::sim::Persona;
use keywheel::sim::lab::Setup;
use keywheel::store::{Filter, Ledger, Outcome, Sqlite};
use serde_json::Value;

use crate::e2e_rig::{Rig, chat, json_lines, text, until, words};
use crate::home_support::PATIENCE;
use crate::support::SOON;

const MODEL: &str = "lab/gpt-4o-mini";
/// An answer is released after a second; the rest is for a busy machine.
const RELEASED: Duration = Duration::from_secs(4);

/// A gateway with a disk that can be given faults.
struct Faulty {
    rig: Rig,
    faults: PathBuf,
}

impl Faulty {
    fn start() -> Self {
        let mut faults = PathBuf::new();
        let rig = Rig::with_start(
            Setup::new(Persona::Openai),
            &["a"],
            |config| config,
            |start| {
                faults = start.home().join("faults");
                fs::create_dir(&faults).expect("a folder");
                let library = compiled(&faults);
                start.env("LD_PRELOAD", library).env("FAULTS", &faults)
            },
        );
        Self { rig, faults }
    }

    fn set(&self, fault: &str, value: &str) {
        fs::write(self.faults.join(fault), value).expect("a fault");
    }

    fn mend(&self, fault: &str) {
        fs::remove_file(self.faults.join(fault)).expect("a fault");
    }

    fn slow_fsyncs(&self) -> usize {
        fs::read(self.faults.join("fsyncs")).map_or(0, |bytes| bytes.len())
    }
}

/// The C compiler that the project needs anyway.
fn compiled(folder: &Path) -> PathBuf {
    let library = folder.join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk/faults.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    let output = compiler.output().expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// A call that must be answered, and how long that took.
async fn call(rig: &Rig) -> Duration {
    let began = Instant::now();
    let answer = rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json().await["usage"]["prompt_tokens"].is_u64());
    began.elapsed()
}

fn recorded(rig: &Rig) -> usize {
    json_lines(&rig.keywheel.run(["requests", "--json", "--limit", "100000"])).len()
}

/// What `doctor` says that has failed, and its exit code.
fn failures(rig: &Rig) -> (Vec<String>, Option<i32>) {
    let config = rig.keywheel.home().join("keywheel.toml");
    let output = rig.keywheel.run(["doctor", "--json", "--config", config.to_str().expect("a path")]);
    let (out, _) = words(&output);
    let rows = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let failed = rows.filter(|row| row["level"] == "fail");
    (failed.map(|row| format!("{}: {}", text(&row["check"]), text(&row["says"]))).collect(), output.status.code())
}

/// Waits until `doctor` has the ledger among what failed, in these words.
async fn doctor_says(rig: &Rig, part: &str) {
    let mut last = (Vec::new(), None);
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        last = failures(rig);
        if last.0.iter().any(|line| line.starts_with("ledger: ") && line.contains(part)) {
            assert_eq!(last.1, Some(1), "its exit code says so too");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("doctor never said {part:?}: {last:?}");
}

async fn all_is_written(rig: &Rig, calls: usize) {
    until("all is written", PATIENCE, async || recorded(rig) == calls && failures(rig).0.is_empty()).await;
}

#[tokio::test]
async fn a_full_disk_holds_up_no_call_and_loses_none() {
    let faulty = Faulty::start();
    let rig = &faulty.rig;
    call(rig).await;
    assert_eq!(recorded(rig), 1);
    faulty.set("full", "");
    for _ in 0..3 {
        let took = call(rig).await;
        assert!(took < RELEASED, "{took:?}");
    }
    doctor_says(rig, "full").await;
    let (status, _) = words(&rig.keywheel.run(["status", "--json"]));
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["ledger_lag"]["queued"], 3, "{status}");
    assert_eq!(recorded(rig), 1);
    faulty.mend("full");
    all_is_written(rig, 4).await;
}

#[tokio::test]
async fn a_disk_that_takes_200_ms_for_each_fsync_holds_up_a_call_no_longer() {
    let faulty = Faulty::start();
    let rig = &faulty.rig;
    faulty.set("fsync_ms", "200");
    let (mut calls, mut slowest) = (0, Duration::ZERO);
    let end = Instant::now() + PATIENCE * 3;
    // only a checkpoint waits for the disk: the log is copied back after some megabytes
    while faulty.slow_fsyncs() < 2 {
        assert!(Instant::now() < end, "no fsync after {calls} calls");
        let took = futures_util::future::join_all((0..8).map(|_| call(rig))).await;
        calls += took.len();
        slowest = slowest.max(took.into_iter().max().unwrap_or_default());
    }
    eprintln!("200 ms a fsync: {calls} calls, {} fsyncs, the slowest call took {slowest:?}", faulty.slow_fsyncs());
    assert!(slowest < RELEASED, "{slowest:?}");
    all_is_written(rig, calls).await;
}

#[tokio::test]
async fn a_disk_that_takes_seconds_releases_the_answer_after_one_and_doctor_says_so() {
    let faulty = Faulty::start();
    let rig = &faulty.rig;
    call(rig).await;
    faulty.set("write_ms", "1500");
    let took = call(rig).await;
    assert!(took > Duration::from_millis(900), "it waits for a second: {took:?}");
    assert!(took < RELEASED, "{took:?}");
    doctor_says(rig, "slow").await;
    faulty.mend("write_ms");
    all_is_written(rig, 2).await;
}

#[tokio::test]
async fn another_program_that_holds_the_ledger_holds_up_no_call() {
    let rig = Rig::start(&["a"]);
    call(&rig).await;
    let other = rusqlite::Connection::open(rig.keywheel.home().join("data/ledger.sqlite")).expect("the ledger");
    other.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    for _ in 0..3 {
        let took = call(&rig).await;
        assert!(took < RELEASED, "{took:?}");
    }
    doctor_says(&rig, "locked").await;
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    all_is_written(&rig, 4).await;
}

#[tokio::test]
async fn what_was_answered_while_another_program_held_the_ledger_outlives_a_kill() {
    let mut rig = Rig::start(&["a"]);
    let path = rig.keywheel.home().join("data/ledger.sqlite");
    call(&rig).await;
    assert_eq!(recorded(&rig), 1);
    let other = rusqlite::Connection::open(&path).expect("the ledger");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        slowest = slowest.max(call(&rig).await);
    }
    assert!(slowest < RELEASED, "{slowest:?}");
    let pid = nix::unistd::Pid::from_raw(rig.keywheel.pid().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is ours");
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    until("it is dead", SOON, async || !rig.keywheel.runs()).await;
    // whoever opens the ledger next writes what was left
    let ledger = Sqlite::open(&path).expect("the ledger opens");
    let entries = ledger.list(&Filter { limit: 100, ..Filter::default() }).expect("entries");
    assert_eq!(entries.len(), 21);
    assert!(entries.iter().all(|entry| entry.outcome == Outcome::Completed && entry.spend.usage.is_some()));
}
