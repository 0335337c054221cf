//! What the hot path's smallest steps cost, in plain loops: the least of several rounds, in nanoseconds.

#![allow(clippy::disallowed_methods, reason = "it measures from outside of the gateway")]

#[allow(dead_code, reason = "the other bench asks for more of it")]
#[path = "proxy/bodies.rs"]
mod bodies;
#[allow(dead_code, reason = "the other bench asks for more of it")]
#[path = "proxy/work.rs"]
mod work;

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use keywheel::accounts::{Pool, Wanted};
use keywheel::catalog::reasoning::{Form, family};
use keywheel::config::{self, Strategy};
use keywheel::gateway::budgets::{Budgets, Scope};
use keywheel::kit::window::{Fills, Reach, Span, What, Window};
use keywheel::kit::{CallId, Clock, Money, Secret, Usage};
use keywheel::redact::Known;
use keywheel::store::{Attempt, Context, Entry, Memory, Outcome, Spend};
use keywheel::telemetry::{Gaps, Telemetry, Told};
use keywheel::wire::sse::Frames;
use keywheel::wire::{Call, Caller, Edit, Endpoint, Json};
use work::Work;

const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let mut tell = |what: &str, nanos: f64, bytes: usize| {
        let speed = if bytes == 0 { String::new() } else { format!("  {:.2} GB/s", bytes as f64 / nanos) };
        writeln!(out, "{what:<52} {nanos:>12.0} ns{speed}")
    };
    let large = bodies::request(Work::Large);
    let small = bodies::request(Work::Small);
    let edits = [Edit::set_str("model", "large"), Edit::Drop("client_metadata".into())];
    let json = Json::parse(large.clone())?;
    tell("wire::Json::parse, 232 B", least(20_000, || Json::parse(small.clone())), small.len())?;
    tell("wire::Json::parse, 200 KB", least(200, || Json::parse(large.clone())), large.len())?;
    tell("wire::Json::splice, 200 KB", least(500, || json.splice(&edits)), large.len())?;
    // what a call under a hard budget pays for knowing its bounds, and what it would pay for a second parse
    let read = || json.edited(&edits).pieces().len();
    tell("wire::Json::edited and pieces, 200 KB", least(500, read), large.len())?;
    let again = || Json::parse(json.splice(&edits).joined());
    tell("the same, written and parsed again", least(200, again), large.len())?;
    let last = || family(&[], "bench", "no-such-model", Form::Chat).is_none();
    tell("catalog::reasoning::family, none of them", least(20_000, last), 0)?;

    let pool = pool()?;
    let strategies = [
        (Strategy::Sticky, "sticky"),
        (Strategy::FillFirst, "fill first"),
        (Strategy::RoundRobin, "round robin"),
        (Strategy::LeastBusy, "least busy"),
        (Strategy::Weighted, "weighted"),
        (Strategy::QuotaOptimized, "quota optimized"),
        (Strategy::Cheapest, "cheapest"),
        (Strategy::Latency, "latency"),
        (Strategy::Hybrid, "hybrid"),
    ];
    for (strategy, name) in strategies {
        let wanted = Wanted { provider: "bench", model: "m", strategy, affinity: Some(7), ..Wanted::default() };
        let what = format!("accounts::Pool::try_lease and back, 100, {name}");
        tell(&what, least(20_000, || pool.try_lease(wanted).map(|lease| lease.succeeded())), 0)?;
    }

    let stream = bodies::frames().concat();
    for cut in [stream.len(), 1400, 100] {
        let what = format!("wire::sse::Frames and mark, chunks of {cut} B");
        tell(&what, least(500, || frames(&stream, cut)), stream.len())?;
    }
    let known = known();
    for (what, text) in [("source text", source()), ("a conversation", large.to_vec()), ("digits", table())] {
        let what = format!("redact::Known::hits, {what}");
        tell(&what, least(20, || known.hits(&text).map(|hits| hits.len())), text.len())?;
    }
    let none = Arc::new(Budgets::default());
    tell("gateway::budgets, none set", least(1_000_000, || none.any()), 0)?;
    let (two, scope) = (budgets()?, scope());
    let reserve = || two.reserve(&scope, Some(Money::from_pico(1)), "bench/m").map(drop);
    tell("gateway::budgets::reserve and back, 2 budgets", least(100_000, reserve), 0)?;
    let (telemetry, entry, gaps) = (Telemetry::default(), entry(), Gaps::default());
    tell("telemetry::Telemetry::ended, counted", least(20_000, || telemetry.ended(&entry, None, None, &gaps)), 0)?;
    let call = Call::placed(entry.at, Endpoint::Chat, HeaderMap::new(), Json::parse(small)?, Arc::new(Caller::owner()));
    let traced = || telemetry.ended(&entry, None, Told::of(&call, None), &gaps);
    tell("telemetry::Telemetry::ended, told to a collector", least(20_000, traced), 0)?;
    let mut gaps = Gaps::default();
    tell("telemetry::Gaps::note", least(100_000, || gaps.note(Duration::from_millis(13))), 0)?;
    tell("kit::CallId::new", least(100_000, CallId::new), 0)?;
    Ok(())
}

/// A call that failed over once and completed.
fn entry() -> Entry {
    let attempt = |fault: Option<&str>, start_us| Attempt {
        provider: "bench".to_owned(),
        account: "bench-1".to_owned(),
        model: "gpt-4o-mini".to_owned(),
        status: Some(if fault.is_some() { 429 } else { 200 }),
        fault: fault.map(str::to_owned),
        why: fault.map(|_| "account bench-1 is over a limit of its provider".to_owned()),
        start_us,
        connect_us: None,
        first_us: None,
        last_us: None,
        head_us: Some(40_000),
    };
    Entry {
        id: CallId::new(),
        tenant: "local".to_owned(),
        at: Clock::system().now(),
        client: "laptop".to_owned(),
        endpoint: "chat/completions".to_owned(),
        asked: "bench/gpt-4o-mini".to_owned(),
        provider: Some("bench".to_owned()),
        account: Some("bench-1".to_owned()),
        model: Some("gpt-4o-mini".to_owned()),
        status: 200,
        outcome: Outcome::Completed,
        stream: true,
        parked_us: 0,
        first_byte_us: Some(90_000),
        total_us: 1_900_000,
        bytes_in: 4_000,
        bytes_out: 40_000,
        context: Context::default(),
        spend: Spend {
            usage: Some(Usage { input: 900, cache_read: 100, output: 300, ..Usage::default() }),
            cost: Some(Money::from_pico(345_000_000)),
            price: Some("2026-11-20".to_owned()),
            ..Spend::default()
        },
        attempts: vec![attempt(Some("rate_limit_exceeded"), 100), attempt(None, 40_300)],
        decisions: Vec::new(),
        choices: Vec::new(),
    }
}

/// The least time of one run, over rounds of `times` runs each.
fn least<T>(times: u32, mut run: impl FnMut() -> T) -> f64 {
    let mut round = || {
        let began = Instant::now();
        for _ in 0..times {
            black_box(run());
        }
        began.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// A hundred accounts, each with limits of its own, two windows that its provider told of, and a known speed.
fn pool() -> Result<Arc<Pool>, Box<dyn Error>> {
    let mut text = "[providers.bench]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n".to_owned();
    for at in 0..100 {
        text.push_str(&format!(
            "[[accounts]]\nid = \"bench-{at}\"\nprovider = \"bench\"\nsecret = {{ env = \"KEY_{at}\" }}\n\
             limits = {{ rpm = 4000000000, tpm = 1000000000000, concurrency = 1000 }}\n"
        ));
    }
    let pool = Pool::new(Clock::system());
    pool.apply(&config::parse(&text)?);
    let mut rows = pool.rows();
    rows.retain(|row| row.account.provider == "bench");
    for at in 0..rows.len() {
        let tried: Vec<_> = rows[..at].iter().map(|row| Arc::clone(&row.account)).collect();
        let wanted =
            Wanted { provider: "bench", model: "m", strategy: Strategy::FillFirst, tried: &tried, ..Wanted::default() };
        let lease = pool.try_lease(wanted).map_err(|_| "the next account is free")?;
        lease.learned(&[What::Requests, What::Tokens].map(|what| window(what, at)));
        lease.began(Duration::from_millis(200 + at as u64));
    }
    Ok(pool)
}

fn window(what: What, at: usize) -> Window {
    let (limit, left) = (Some(1_000_000_000), Some(900_000_000 - at as u64));
    let reset = Some(Clock::system().now().after(Duration::from_secs(600)));
    Window { what, span: Span::Minute, reach: Reach::Model, limit, left, reset, fills: Fills::Evenly }
}

/// A budget for all calls of a day, and one for each client's month.
fn budgets() -> Result<Arc<Budgets>, Box<dyn Error>> {
    let text = "[budgets.all]\nlimit_usd = \"100\"\nper = \"day\"\n\
                [budgets.own]\nlimit_usd = \"100\"\nper = \"month\"\neach = \"client\"\n";
    let (budgets, ledger, settings) = (Arc::new(Budgets::default()), Memory::new(), config::parse(text)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(budgets.apply(&ledger, &settings, Clock::system().now()));
    Ok(budgets)
}

fn scope() -> Scope<'static> {
    let at = Clock::system().now();
    Scope { at, client: "bench", project: None, session: None, provider: "bench", account: Some("a"), model: "m" }
}

/// Eight accounts' keys.
fn known() -> Known {
    let known = Known::default();
    for at in 0..8 {
        known.learn(&Secret::new(format!("sk-bench-{at}-{}", "4f9a01".repeat(8))));
    }
    known
}

/// Two megabytes of this project.
fn source() -> Vec<u8> {
    let files = [include_str!("../src/lib.rs"), include_str!("../src/gateway/relay.rs"), include_str!("../Cargo.lock")];
    let once = files.concat();
    once.repeat((2 << 20) / once.len()).into_bytes()
}

/// A megabyte of numbers, each of which might be a card.
fn table() -> Vec<u8> {
    (0..60_000_u64).flat_map(|at| format!("{},{}\n", 4_000_000_000_000_000 + at * 7919, at).into_bytes()).collect()
}

/// What the relay does with the bytes of a stream.
fn frames(stream: &[u8], cut: usize) -> usize {
    let (mut frames, mut marks) = (Frames::default(), 0);
    for chunk in stream.chunks(cut) {
        frames.push(chunk, |frame, _| marks += Endpoint::Chat.mark(frame) as usize);
    }
    marks
}
