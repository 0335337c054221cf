//! A hard dollar, the real binary and many clients at once; also over a kill.

use std::sync::Arc;
use std::time::Duration;

use keywheel::kit::Money;
use keywheel::sim::lab::{Seen, Setup};
use keywheel::sim::{Lab, Persona, Script};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::e2e_home::Home;
use crate::e2e_rig::{json_lines, said, text, until};
use crate::support::{Client, SOON};

pub const CHAT: &str = "/v1/chat/completions";
/// Clients at once.
const CLIENTS: usize = 64;
/// Tokens of the longest answer that is asked for, at 200 dollars a million: two cents.
const LONGEST: u64 = 100;
/// A dollar for a million tokens of input.
const PRICES: &str = "provider = \"lab\"\n[[models]]\nid = \"m\"\ncontext = 100000\nmax_output = 4000\n\
    rates = [{ input = \"1\", output = \"200\" }]\n[[models]]\nid = \"free\"\nrates = [{ input = \"0\", output = \"0\" }]\n\
    max_output = 10\n";

/// A home whose budget is a hard dollar.
pub fn home(lab: &Lab, budgets: &str) -> Home {
    let text = format!(
        "[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"m\"]\nask_usage = true\n\
         [[accounts]]\nid = \"a\"\nprovider = \"lab\"\nsecret = {{ env = \"KEY_A\" }}\n{budgets}",
        lab.base_url()
    );
    let home = Home::with(&text).env("KEY_A", &lab.key("a"));
    let folder = home.path().join("config/pricing");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("lab.toml"), PRICES).expect("prices");
    home
}

const DOLLAR: &str = "[budgets.dollar]\nlimit_usd = \"1.00\"\nper = \"day\"\n";

pub fn lab() -> Arc<Lab> {
    Arc::new(Lab::start_with(Setup::new(Persona::Generic)).expect("a lab"))
}

/// A call whose answer has as many words as its last message, so that costs differ.
fn chat(words: usize, stream: bool) -> Value {
    let content = vec!["word"; words].join(" ");
    json!({"model": "lab/m", "stream": stream, "max_tokens": LONGEST, "messages": [{"role": "user", "content": content}]})
}

/// What the lab would bill for a call that it answers as usual: it repeats what was said, a token a word.
fn billed(seen: &Seen) -> Money {
    let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
    let words = text(&body["messages"][0]["content"]).split(' ').count() as i128;
    Money::from_pico(words * 1_000_000 + words * 200_000_000)
}

/// The budget's line: spent, reserved, limit.
pub fn line(home: &Home) -> (Money, Money, Money) {
    let row = json_lines(&home.run(["cost", "--budgets", "--json"])).remove(0);
    let usd = |key: &str| Money::parse(text(&row[key])).unwrap_or_else(|error| panic!("{key}: {error}: {row}"));
    (usd("spent_usd"), usd("reserved_usd"), usd("limit_usd"))
}

/// The amounts of a refusal, which must not have been for nothing: spent, limit, set aside, worst.
fn assert_did_not_fit(error: &Value) {
    let words = text(&error["message"]);
    let amounts: Vec<Money> = words
        .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '$'))
        .filter_map(|part| Money::parse(part.strip_prefix('$')?).ok())
        .collect();
    let [spent, limit, reserved, worst] = amounts[..] else { panic!("four amounts: {words}") };
    // shown to six digits
    let slack = Money::from_pico(3_000_000);
    let sum = [spent, reserved, worst, slack].into_iter().sum::<Money>();
    assert!(sum > limit, "it would have fitted: {words}");
    assert_eq!(limit, Money::parse("1").expect("a dollar"), "{words}");
}

/// What fits is taken, what does not is refused.
async fn one_by_one_until_nothing_fits(home: &Home, mut spent: Money, limit: Money) {
    let worst = |words: usize| {
        let sent = chat(words, false).to_string().len() as i128 - "lab/".len() as i128;
        Money::from_pico(sent * 1_000_000 + i128::from(LONGEST) * 200_000_000)
    };
    loop {
        let fits = spent.saturating_add(worst(9)) <= limit;
        let answer = Client::unix(home.socket()).post(CHAT, &chat(9, false)).await;
        assert_eq!(answer.status, if fits { 200 } else { 402 }, "{spent} of {limit}, {} more", worst(9));
        if !fits {
            break;
        }
        answer.bytes().await;
        spent = line(home).0;
    }
    assert!(
        spent.saturating_add(Money::parse("0.03").expect("usd")) > limit,
        "used up but for one worst case: {spent}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hard_dollar_holds_against_64_clients_and_refuses_only_what_does_not_fit() {
    let lab = lab();
    let home = home(&lab, DOLLAR);
    said(&home.detach());
    let socket = home.socket();
    lab.on("a").always(Script::usual().after(Duration::from_millis(30)));
    let clients = (0..CLIENTS).map(|client| {
        let socket = socket.clone();
        tokio::spawn(async move {
            let (mut answered, mut refused) = (0, 0);
            for round in 0..8 {
                let words = 5 + (client * 7 + round * 13) % 60;
                let answer = Client::unix(&socket).post(CHAT, &chat(words, round % 2 == 0)).await;
                match answer.status {
                    200 => {
                        answer.bytes().await;
                        answered += 1;
                    }
                    402 => {
                        assert!(answer.header("x-keywheel-reset-at").ends_with('Z'), "{:?}", answer.headers);
                        assert_did_not_fit(&answer.json().await["error"]);
                        refused += 1;
                    }
                    other => panic!("{other}: {}", answer.text().await),
                }
            }
            (answered, refused)
        })
    });
    let (mut answered, mut refused) = (0, 0);
    for client in clients.collect::<Vec<_>>() {
        let (yes, no) = client.await.expect("a client");
        (answered, refused) = (answered + yes, refused + no);
    }
    let theirs: Money = lab.seen().iter().filter(|seen| seen.method == "POST").map(billed).sum();
    let (spent, reserved, limit) = line(&home);
    assert_eq!((spent, reserved), (theirs, Money::ZERO), "to the picodollar, and nothing is left aside");
    assert!(
        spent <= limit && answered > 40 && refused > 40,
        "{answered} answered, {refused} refused, {spent} of {limit}"
    );

    one_by_one_until_nothing_fits(&home, spent, limit).await;
    // what costs nothing fits always
    let mut free = chat(3, false);
    free["model"] = json!("lab/free");
    assert_eq!(Client::unix(&socket).post(CHAT, &free).await.status, 200);
    let status = said(&home.run(["status"]));
    assert!(
        status.contains("budget dollar: $0.9") && status.contains("of $1.000000 a day, hard, resets at"),
        "{status}"
    );
}

/// Ends its gateway as a crash does.
pub async fn kill_hard(home: &Home) {
    let pid = home.pid().expect("a leader");
    kill(pid, Signal::SIGKILL).expect("ours");
    until("it is gone", SOON, async || kill(pid, None).is_err()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_in_the_middle_a_hard_dollar_still_holds_and_interrupted_calls_are_marked() {
    let lab = lab();
    let home = home(&lab, DOLLAR);
    said(&home.detach());
    // every third answer is slow, so that the kill comes in the middle of some
    for at in 0..200 {
        let wait = if at % 3 == 0 { Duration::from_millis(40) } else { Duration::ZERO };
        lab.on("a").then(Script::usual().every(wait));
    }
    let swarm = |home: &Home| {
        let socket = home.socket();
        (0..CLIENTS)
            .map(|client| {
                let socket = socket.clone();
                tokio::spawn(async move {
                    for round in 0..6 {
                        let body = chat(10 + (client + round) % 40, true).to_string();
                        // a gateway that is killed answers nobody; nor may it take the connection
                        let Ok(answer) = Client::unix(&socket).send(http::Method::POST, CHAT, body.into()).await else {
                            return;
                        };
                        drop(answer.read().await);
                    }
                })
            })
            .collect::<Vec<_>>()
    };
    let clients = swarm(&home);
    lab.wait_seen(45, SOON).await.expect("calls are under way");
    until("some are", SOON, async || lab.in_flight() > 3).await;
    kill_hard(&home).await;
    for client in clients {
        client.await.expect("a client");
    }
    let theirs = |lab: &Lab| lab.seen().iter().filter(|seen| seen.method == "POST").map(billed).sum::<Money>();
    said(&home.detach());
    let (spent, reserved, limit) = line(&home);
    assert_eq!(reserved, Money::ZERO);
    assert!(theirs(&lab) <= spent && spent <= limit, "lab {} ≤ spent {spent} ≤ {limit}", theirs(&lab));
    let rows = json_lines(&home.run(["requests", "--json", "--limit", "1000"]));
    let interrupted: Vec<&Value> = rows.iter().filter(|row| row["outcome"] == "interrupted").collect();
    assert!(!interrupted.is_empty(), "none of {} calls", rows.len());
    for row in &interrupted {
        assert_eq!(
            (&row["estimated"], &row["account"], &row["attempts"]),
            (&json!(true), &json!("a"), &json!(1)),
            "{row}"
        );
        assert!(Money::parse(text(&row["cost_usd"])).expect("usd") > Money::parse("0.02").expect("usd"), "{row}");
    }

    // it goes on where it was, and holds
    for client in swarm(&home) {
        client.await.expect("a client");
    }
    let (spent, reserved, limit) = line(&home);
    assert!(theirs(&lab) <= spent && spent <= limit, "lab {} ≤ spent {spent} ≤ {limit}", theirs(&lab));
    assert_eq!(reserved, Money::ZERO);
    let again = json_lines(&home.run(["requests", "--json", "--limit", "1000"]));
    let marked = again.iter().filter(|row| row["outcome"] == "interrupted").count();
    assert_eq!(marked, interrupted.len(), "no call is interrupted twice");
    let sum: Money = again.iter().filter_map(|row| Money::parse(row["cost_usd"].as_str()?).ok()).sum();
    assert_eq!(sum, spent, "the ledger and the budget agree");
}

#[tokio::test]
async fn a_reload_changes_the_limit_at_once_and_a_new_budget_counts_what_was_spent() {
    let lab = lab();
    let home = home(&lab, DOLLAR);
    said(&home.detach());
    let client = Client::unix(home.socket());
    client.post(CHAT, &chat(50, false)).await.bytes().await;
    let (spent, ..) = line(&home);
    assert_eq!(spent, billed(&lab.seen()[0]));
    let file = home.path().join("config/keywheel.toml");
    let before = std::fs::read_to_string(&file).expect("settings");
    let more = "[budgets.apart]\nlimit_usd = \"0.005\"\nper = \"total\"\nkind = \"soft\"\neach = \"client\"\n";
    home.write("config/keywheel.toml", &(before.replace("1.00", "0.02") + more));
    said(&home.run(["reload"]));
    let rows = json_lines(&home.run(["cost", "--budgets", "--json"]));
    assert_eq!((text(&rows[0]["budget"]), text(&rows[0]["of"])), ("apart", "client local"), "{rows:?}");
    assert!(rows.iter().all(|row| row["spent_usd"] == json!(spent.exact())), "{rows:?}");
    let answer = client.post(CHAT, &chat(50, false)).await;
    assert_eq!(answer.status, 402);
    let status = said(&home.run(["status"]));
    assert!(status.contains("warning: the budget apart (client local) is spent"), "{status}");
    let table = said(&home.run(["cost", "--budgets"]));
    assert!(table.contains("client local") && table.contains("RESETS AT") && table.contains("$0.020000"), "{table}");
}

#[tokio::test]
async fn while_the_ledger_is_behind_calls_under_a_hard_budget_are_refused_and_no_others() {
    let lab = lab();
    let soft = "[budgets.soft]\nlimit_usd = \"1.00\"\nper = \"day\"\nkind = \"soft\"\n";
    for (budget, status) in [(DOLLAR, 503), (soft, 200)] {
        let home = home(&lab, budget);
        said(&home.detach());
        let client = Client::unix(home.socket());
        let ledger = rusqlite::Connection::open(home.path().join("data/ledger.sqlite")).expect("the ledger");
        ledger.execute_batch("BEGIN IMMEDIATE").expect("it is ours");
        let first = client.post(CHAT, &chat(5, false)).await;
        assert_eq!(first.status, 200, "what it may cost stands in the spool");
        first.bytes().await;
        let lag = || serde_json::from_str::<Value>(&said(&home.run(["status", "--json"]))).expect("JSON");
        until("it is known that the ledger is behind", SOON, async || lag()["ledger_lag"].is_object()).await;
        let before = lab.seen().len();
        let answer = client.post(CHAT, &chat(5, false)).await;
        assert_eq!(answer.status, status, "{budget}");
        if status == 503 {
            assert_eq!(answer.header("retry-after"), "1");
            let error = &answer.json().await["error"];
            assert_eq!(error["code"], "ledger_lag", "{error}");
            assert!(text(&error["message"]).contains("keywheel status"), "{error}");
            assert_eq!(lab.seen().len(), before, "nothing was sent");
        } else {
            answer.bytes().await;
        }
        ledger.execute_batch("ROLLBACK").expect("it was ours");
        until("the ledger has recovered", SOON, async || client.post(CHAT, &chat(5, false)).await.status == 200).await;
        assert_eq!(line(&home).1, Money::ZERO);
    }
}
