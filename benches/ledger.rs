//! A ledger of a million calls: how large it is, how fast people's questions are answered, what recording costs, and
//! whether pruning holds up a call. `cargo bench --bench ledger [-- COUNT [FOLDER]]`.

#![allow(clippy::disallowed_methods, reason = "it measures from outside of the gateway")]

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keywheel::config::Keep;
use keywheel::kit::{CallId, Clock, Money, Time, Usage};
use keywheel::store::{Attempt, By, Context, Entry, Filter, Ledger, Outcome, Span, Spend, Sqlite};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const DAY: u64 = 86_400;
const DAYS: u64 = 30;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let count: u64 = args.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let home = tempfile::tempdir_in(folder)?;
    let path = home.path().join("ledger.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout();
    let now = Clock::system().now();

    fill(&path, count, now)?;
    let look = Sqlite::look(&path)?;
    writeln!(out, "{count} calls within {DAYS} days: {} bytes a call with indexes and sums", look.bytes / count)?;

    let ledger = Sqlite::open(&path)?;
    questions(&mut out, &ledger, now)?;
    let entries: Vec<Entry> = (0..20_000).map(|at| entry(at, now)).collect();
    let cpu = cpu_each(&ledger, entries)?;
    writeln!(out, "recording under load: {cpu:.1} us of CPU a call, all threads")?;
    let quiet = runtime.block_on(paced(&ledger, now));
    writeln!(out, "recording 500 calls a second: {quiet}")?;
    ledger.keep(Keep { age: Duration::from_secs(DAYS * DAY / 2), size: None });
    // the writer looks every ten seconds
    std::thread::sleep(Duration::from_secs(11));
    let before = Sqlite::look(&path)?;
    let pruning = runtime.block_on(paced(&ledger, now));
    let after = Sqlite::look(&path)?;
    let left = after.free.saturating_sub(before.free) / (look.bytes / count);
    writeln!(out, "the same while old calls leave:  {pruning}; about {left} left meanwhile")?;
    questions(&mut out, &ledger, now)?;
    Ok(())
}

/// What people ask, the middle of nine.
fn questions(out: &mut dyn Write, ledger: &Sqlite, now: Time) -> Result<(), Box<dyn Error>> {
    let ago = |days: u64| {
        // not on an hour, so that its beginning is added up call by call
        Span::since(Some(Time::from_micros(now.as_micros() - i64::try_from(days * DAY * 1_000_000).unwrap_or(0) + 1)))
    };
    let hour = Span::since(Some(Time::from_micros(now.as_micros() - 3_600_000_000)));
    type Ask<'a> = (&'a str, Box<dyn Fn() -> bool + 'a>);
    let list = |filter: Filter| ledger.list(&filter).is_ok();
    let total = |by: By, span: Span| ledger.totals(&[by], span).is_ok();
    let asks: [Ask<'_>; 9] = [
        ("cost --by model --since 30d", Box::new(|| total(By::Model, ago(30)))),
        ("cost --by day", Box::new(|| total(By::Day, Span::default()))),
        ("cost --by project --since 1d", Box::new(|| total(By::Project, ago(1)))),
        ("cost --by project --since 30d", Box::new(|| total(By::Project, ago(30)))),
        ("requests", Box::new(|| list(Filter { limit: 20, ..Filter::default() }))),
        ("requests --limit 1000", Box::new(|| list(Filter { limit: 1000, ..Filter::default() }))),
        ("requests --failed", Box::new(|| list(Filter { limit: 20, failed: true, ..Filter::default() }))),
        ("requests --since 1h", Box::new(|| list(Filter { limit: 20, span: hour, ..Filter::default() }))),
        (
            "requests --client nobody",
            Box::new(|| list(Filter { limit: 20, client: Some("nobody".to_owned()), ..Filter::default() })),
        ),
    ];
    for (what, ask) in asks {
        let mut took: Vec<Duration> = (0..9)
            .map(|_| {
                let began = Instant::now();
                assert!(ask(), "{what}");
                began.elapsed()
            })
            .collect();
        took.sort();
        writeln!(out, "{what:<32} {:>10.2} ms", took[4].as_secs_f64() * 1e3)?;
    }
    Ok(())
}

/// Calls of thirty days, the oldest first, as many in every hour.
fn fill(path: &Path, count: u64, now: Time) -> Result<(), Box<dyn Error>> {
    let ledger = Sqlite::open(path)?;
    let each = DAYS * DAY * 1_000_000 / count;
    for at in 0..count {
        let ago = i64::try_from((count - at) * each)?;
        drop(ledger.record(entry(at, Time::from_micros(now.as_micros() - ago))));
        if at.is_multiple_of(20_000) {
            ledger.flush();
        }
    }
    ledger.flush();
    Ok(())
}

/// CPU of recording as a busy gateway does it, in microseconds.
fn cpu_each(ledger: &Sqlite, entries: Vec<Entry>) -> Result<f64, Box<dyn Error>> {
    let count = entries.len();
    let began = cpu()?;
    for chunk in entries.chunks(64) {
        chunk.iter().for_each(|entry| drop(ledger.record(entry.clone())));
        ledger.flush();
    }
    Ok((cpu()? - began).as_secs_f64() * 1e6 / count as f64)
}

fn cpu() -> Result<Duration, Box<dyn Error>> {
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

/// How long the last frame is held, at 500 calls a second for twenty seconds.
async fn paced(ledger: &Sqlite, now: Time) -> String {
    let mut took = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    for at in 0..10_000 {
        ticks.tick().await;
        let entry = entry(at, now);
        let began = Instant::now();
        ledger.record(entry).await;
        took.push(began.elapsed());
    }
    took.sort();
    let at = |place: usize| took[place.min(took.len() - 1)].as_secs_f64() * 1e3;
    let (p50, p99, p999, most) = (at(5_000), at(9_900), at(9_990), at(10_000));
    format!("held {p50:.2} ms at p50, {p99:.2} at p99, {p999:.2} at p99.9, {most:.2} at most")
}

/// What ordinary calls leave behind: some clients, accounts and models, a few that failed first.
fn entry(at: u64, when: Time) -> Entry {
    let (account, model) = (format!("account-{}", at % 7), format!("gpt-6.1-model-{}", at % 11));
    let attempt = Attempt {
        provider: "openai".to_owned(),
        account: account.clone(),
        model: model.clone(),
        status: Some(200),
        fault: None,
        why: None,
        start_us: 312,
        connect_us: None,
        head_us: Some(412_345),
        first_us: Some(434_567),
        last_us: Some(8_765_432),
    };
    let failed = at.is_multiple_of(100);
    let refused = Attempt {
        account: "account-9".to_owned(),
        status: Some(429),
        fault: Some("rate_limit_exceeded".to_owned()),
        why: Some("the provider says that this minute's requests are used up".to_owned()),
        ..attempt.clone()
    };
    let attempts = if at.is_multiple_of(20) { vec![refused, attempt] } else { vec![attempt] };
    Entry {
        id: CallId::new(),
        tenant: "local".to_owned(),
        at: when,
        client: format!("client-{}", at % 5),
        endpoint: "chat/completions".to_owned(),
        asked: "fast".to_owned(),
        provider: Some("openai".to_owned()),
        account: Some(account),
        model: Some(model),
        status: if failed { 502 } else { 200 },
        outcome: if failed { Outcome::Broken } else { Outcome::Completed },
        stream: true,
        parked_us: 0,
        first_byte_us: Some(435_000),
        total_us: 8_766_000,
        bytes_in: 182_345,
        bytes_out: 23_456,
        context: Context {
            project: at.is_multiple_of(4).then(|| "keywheel".to_owned()),
            session_id: at.is_multiple_of(4).then(|| format!("ses_4f9a01c2{:08x}", at / 50)),
            branch: at.is_multiple_of(4).then(|| "feature/ledger".to_owned()),
            ..Context::default()
        },
        spend: Spend {
            usage: Some(Usage { input: 1234, cache_read: 45_678, output: 890, reasoning: 321, ..Usage::default() }),
            answered: Some("gpt-6.1-model-2026-11-01".to_owned()),
            service_tier: Some("default".to_owned()),
            cost: Some(Money::from_pico(12_345_678_901)),
            listed: None,
            price: Some("a15dfd47174d".to_owned()),
            estimated: false,
        },
        attempts,
        decisions: Vec::new(),
        choices: Vec::new(),
    }
}
