//! A thousand callers in front of a provider that takes fifty calls a second and counts itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use keywheel::sim::Persona;
use keywheel::sim::lab::{Seen, Setup, Telling};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::e2e_rig::{Rig, json_lines, quiet, said, until};
use crate::support::{Client, SOON};

const CHAT: &str = "/v1/chat/completions";
const CLIENTS: usize = 10;
const RATE: u32 = 50;
const WINDOW: Duration = Duration::from_secs(1);

fn rig(limits: &str) -> Rig {
    Rig::with(Setup::new(Persona::Openai), &["a"], |config| {
        config.account(limits).more("[parking]\nmax_wait = \"60s\"\nmax_parked = 2000\n")
    })
}

/// A call whose words say whose it is and which.
fn body(client: usize, number: usize) -> Value {
    json!({"messages": [{"role": "user", "content": format!("{client} {number}")}], "model": "lab/gpt-4o-mini"})
}

/// Whose call it is and which.
fn mark(seen: &Seen) -> (usize, usize) {
    let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
    let words = body["messages"][0]["content"].as_str().expect("words");
    let (client, number) = words.split_once(' ').expect("two numbers");
    (client.parse().expect("a number"), number.parse().expect("a number"))
}

/// Each call where it was seen last: that time it was let through.
fn let_through(rig: &Rig) -> Vec<Seen> {
    let mut last = HashMap::new();
    for seen in rig.calls() {
        last.insert(mark(&seen), seen);
    }
    let mut all: Vec<Seen> = last.into_values().collect();
    all.sort_by_key(|seen| seen.at);
    all
}

fn clients(rig: &Rig) -> Vec<Client> {
    let one = |n| Client::tcp(rig.keywheel.addr()).key(&rig.add_client(&format!("c{n}"), &[]));
    let clients = (0..CLIENTS).map(one).collect();
    // a new key is known within a second
    std::thread::sleep(Duration::from_millis(1200));
    clients
}

/// What became of a call. Ids sort by arrival.
struct Answered {
    status: u16,
    id: String,
    mark: (usize, usize),
}

/// Every client sends so many calls, one right after the other, and waits for none.
async fn send_all(clients: &[Client], each: usize) -> JoinSet<Answered> {
    let mut calls = JoinSet::new();
    for number in 0..each {
        for (at, client) in clients.iter().enumerate() {
            let client = client.clone();
            calls.spawn(async move {
                let response = client.post(CHAT, &body(at, number)).await;
                let id = response.header("x-keywheel-request-id").to_owned();
                Answered { status: response.status, id, mark: (at, number) }
            });
        }
        // the next ones of each client come after these
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    calls
}

/// How evenly so many calls went to the clients: 1 is perfectly.
fn jain(calls: &[Seen]) -> f64 {
    let mut shares = [0_u32; CLIENTS];
    calls.iter().for_each(|seen| shares[mark(seen).0] += 1);
    let sum: f64 = shares.iter().map(|&share| f64::from(share)).sum();
    let squares: f64 = shares.iter().map(|&share| f64::from(share).powi(2)).sum();
    sum * sum / (f64::from(u32::try_from(CLIENTS).expect("few")) * squares)
}

/// The share of what the provider permits that was used from the first call of its second window to the last call.
fn used(through: &[Seen]) -> f64 {
    let start = through[0].at + WINDOW;
    let waited: Vec<Instant> = through.iter().map(|seen| seen.at).filter(|at| *at >= start).collect();
    let took = waited[waited.len() - 1] - waited[0];
    f64::from(u32::try_from(waited.len() - 1).expect("few")) / (took.as_secs_f64() * f64::from(RATE))
}

/// How many of a client's parked calls went before one that had come earlier.
fn swapped(through: &[Seen], answered: &[Answered]) -> usize {
    let ids: HashMap<_, _> = answered.iter().map(|call| (call.mark, call.id.as_str())).collect();
    let mut last = [""; CLIENTS];
    let mut swapped = 0;
    // those of the first window did not wait, and raced each other
    for seen in through.iter().skip(RATE as usize) {
        let (client, number) = mark(seen);
        let id = ids[&(client, number)];
        swapped += usize::from(id < last[client]);
        last[client] = id;
    }
    swapped
}

/// Whoever was served, and in which order, must always be right. The times are measured anew where something else took
/// the machine away for longer than the margin of two in a hundred: five times at most.
fn check(what: &str, limits: &str, telling: Telling, first: usize) {
    let _quiet = quiet();
    for tries_left in (0..5).rev() {
        let (refused_first, refused_after, used) = run(what, limits, telling);
        if tries_left > 0 && (refused_first > first || refused_after > 0 || used < 0.95) {
            continue;
        }
        assert!(refused_first <= first, "{what}");
        assert_eq!(refused_after, 0, "{what}: no 429 after the first window");
        assert!(used >= 0.95, "{what}: {used}");
        return;
    }
}

/// How many calls the lab refused in the first window and after it, and how much of the rate was used.
fn run(what: &str, limits: &str, telling: Telling) -> (usize, usize, f64) {
    let rig = rig(limits);
    let clients = clients(&rig);
    rig.lab.enforce(RATE, WINDOW, telling);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (refused_first, answered) = runtime.block_on(async {
        let calls = send_all(&clients, 1000 / CLIENTS).await;
        tokio::time::sleep(WINDOW).await;
        let refused = rig.lab.refused();
        let answered = calls.join_all().await;
        let bad: Vec<_> = answered.iter().map(|call| call.status).filter(|&status| status != 200).take(9).collect();
        assert!(bad.is_empty(), "{what}: {bad:?}\n{}", rig.keywheel.words());
        (refused, answered)
    });
    let through = let_through(&rig);
    let (used, jain, swapped) = (used(&through), jain(&through[..500]), swapped(&through, &answered));
    eprintln!(
        "{what}: {} calls, refused {refused_first} in the first window and {} after it, {:.1} % of the rate used, \
         Jain {jain:.4} at half-time, {swapped} out of order",
        through.len(),
        rig.lab.refused() - refused_first,
        used * 100.0
    );
    assert_eq!(through.len(), 1000);
    assert!(jain >= 0.98, "{what}: {jain}");
    assert_eq!(swapped, 0, "{what}");
    (refused_first, rig.lab.refused() - refused_first, used)
}

#[test]
fn a_rate_that_only_refusals_tell_is_learnt_from_the_first() {
    check("learnt from refusals", "", Telling::Refusals, 1000);
}

#[test]
fn a_rate_that_every_answer_tells_is_kept() {
    check("told by every answer", "", Telling::Always, 1000);
}

#[test]
fn a_rate_that_a_person_set_is_kept() {
    // the first calls have to connect: on a busy machine one of them may arrive among those of the next second
    check("set as rpm = 3000", "limits = { rpm = 3000 }", Telling::Refusals, 2);
}

/// The resident memory of a process in KiB.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Connections that have been used once and stay open, as clients keep them.
#[cfg(target_os = "linux")]
async fn connections(rig: &Rig, count: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut pipe = TcpStream::connect(rig.keywheel.addr()).await.expect("a connection");
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", rig.keywheel.addr());
        pipe.write_all(request.as_bytes()).await.expect("written");
        assert!(pipe.read(&mut [0; 2048]).await.expect("an answer") > 0);
        open.push(pipe);
    }
    open
}

#[cfg(target_os = "linux")]
#[test]
fn a_parked_call_is_small_and_one_that_leaves_costs_nothing() {
    let _quiet = quiet();
    let rig = rig("");
    let client = rig.keywheel.client();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let text = body(0, 0).to_string();
    let call = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{text}",
        rig.keywheel.addr(),
        rig.keywheel.key(),
        text.len()
    );
    let parked = || json_lines(&rig.keywheel.run(["status", "--json"]))[0]["parked"].as_u64().expect("a number");
    runtime.block_on(async {
        rig.lab.enforce(RATE, Duration::from_secs(12), Telling::Refusals);
        let warm = send_all(std::slice::from_ref(&client), RATE as usize).await.join_all().await;
        assert!(warm.iter().all(|call| call.status == 200));
        let mut open = connections(&rig, 1000).await;
        let (first, others) = open.split_first_mut().expect("a thousand");
        // the first one finds out, so that the others are not sent in vain
        first.write_all(call.as_bytes()).await.expect("written");
        until("one waits", SOON, async || parked() == 1).await;
        let before = resident(rig.keywheel.pid());
        for pipe in others {
            pipe.write_all(call.as_bytes()).await.expect("written");
        }
        until("all wait", SOON, async || parked() == 1000).await;
        let each = (resident(rig.keywheel.pid()) - before) / 1000;
        eprintln!("{each} KiB of resident memory for each of 1000 parked calls, beside its open connection");
        assert!(each <= 24, "{each}");
        let lines = &json_lines(&rig.keywheel.run(["status", "--json"]))[0]["waiting"];
        assert_eq!((&lines[0]["plan"], &lines[0]["calls"]), (&json!("lab/gpt-4o-mini"), &json!(1000)), "{lines}");
        let seen = rig.calls().len();
        drop(open);
        until("all have left", SOON, async || parked() == 0).await;
        assert_eq!(rig.calls().len(), seen, "none of them was sent");
        // the lab's window is over by now, and a person who knows need not wait for what the gateway has learnt
        tokio::time::sleep(Duration::from_secs(12)).await;
        let config = rig.keywheel.home().join("keywheel.toml");
        let config = config.to_str().expect("UTF-8");
        said(&rig.keywheel.run(["--config", config, "account", "enable", "a", "--now"]));
        assert_eq!(client.post(CHAT, &body(0, 0)).await.status, 200);
        rig.assert_untouched("calls that left");
    });
}
