//! A gateway that is killed between what it set aside for a call and what the call turned out to cost.

use std::time::Duration;

use keywheel::kit::Money;
use keywheel::sim::{Lab, Script};
use keywheel::store::{Filter, Ledger, Outcome, Sqlite};
use serde_json::{Value, json};

use crate::e2e_budgets::{CHAT, home, kill_hard, lab, line};
use crate::e2e_home::Home;
use crate::e2e_rig::{json_lines, said, text};
use crate::support::{Client, SOON};

const TEN: &str = "[budgets.ten]\nlimit_usd = \"10.00\"\nper = \"total\"\n";
/// A dollar for a million tokens of input, 200 for a million of output, and room for long texts.
const PRICES: &str = "provider = \"lab\"\n[[models]]\nid = \"m\"\ncontext = 100000000\nmax_output = 4000\n\
    rates = [{ input = \"1\", output = \"200\" }]\n";
/// Tokens of the longest answer that is asked for.
const LONGEST: usize = 100;
/// Pieces of the answer, a token each.
const PIECES: usize = 20;

fn chat(words: usize) -> Value {
    let content = vec!["word"; words].join(" ");
    json!({"model": "lab/m", "stream": true, "max_tokens": LONGEST, "messages": [{"role": "user", "content": content}]})
}

/// What the lab would bill, a token a word.
fn billed(words: usize, pieces: usize) -> Money {
    Money::from_pico(words as i128 * 1_000_000 + pieces as i128 * 200_000_000)
}

/// The most that the one call may cost as it was sent: a token a byte, and the longest answer.
fn worst(lab: &Lab) -> Money {
    let seen = lab.seen();
    let sent: Vec<usize> = seen.iter().filter(|seen| seen.method == "POST").map(|seen| seen.body.len()).collect();
    let [sent] = sent[..] else { panic!("one call was sent, and not {}", sent.len()) };
    billed(sent, LONGEST)
}

/// What the ledger holds while no gateway runs: calls under way, and how its entries ended.
fn ledger(home: &Home) -> (usize, Vec<Outcome>) {
    let ledger = Sqlite::open(&home.path().join("data/ledger.sqlite")).expect("the ledger");
    let entries = ledger.list(&Filter { limit: 10, ..Filter::default() }).expect("calls");
    (ledger.holds().expect("holds").len(), entries.into_iter().map(|entry| entry.outcome).collect())
}

/// The one call after a start, and the start after that one: charged at its worst, marked, and nothing is left aside.
fn assert_charged_at_its_worst(home: &Home, lab: &Lab, billed: Money) {
    for _ in 0..2 {
        said(&home.detach());
        let (spent, reserved, limit) = line(home);
        assert!(billed <= spent && spent <= limit, "lab {billed} ≤ spent {spent} ≤ {limit}");
        assert_eq!((spent, reserved), (worst(lab), Money::ZERO));
        let rows = json_lines(&home.run(["requests", "--json"]));
        let row = &rows[0];
        assert_eq!((rows.len(), text(&row["outcome"]), &row["estimated"]), (1, "interrupted", &json!(true)), "{row}");
        assert_eq!(text(&row["cost_usd"]), spent.exact());
        said(&home.run(["stop"]));
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_answer_leaves_the_call_charged_at_its_worst() {
    let lab = lab();
    let home = home(&lab, TEN);
    std::fs::write(home.path().join("config/pricing/lab.toml"), PRICES).expect("prices");
    said(&home.detach());
    lab.on("a").then(Script::chunks(PIECES).every(Duration::from_millis(200)));
    let body = chat(50);
    let answer = Client::unix(home.socket()).post(CHAT, &body).await;
    assert_eq!(answer.status, 200);
    lab.wait_seen(1, SOON).await.expect("it is under way");
    kill_hard(&home).await;
    drop(answer);
    assert_eq!(ledger(&home), (1, Vec::new()), "set aside, and nothing more is known");
    assert_charged_at_its_worst(&home, &lab, billed(50, PIECES));
}

#[tokio::test]
async fn a_kill_before_the_tokens_are_counted_that_no_provider_told_leaves_the_call_charged_at_its_worst() {
    let lab = lab();
    let home = home(&lab, TEN);
    std::fs::write(home.path().join("config/pricing/lab.toml"), PRICES).expect("prices");
    // a stream tells its usage only where it is asked to
    let file = home.path().join("config/keywheel.toml");
    let told = std::fs::read_to_string(&file).expect("settings").replace("ask_usage = true", "ask_usage = false");
    home.write("config/keywheel.toml", &told);
    said(&home.detach());
    lab.on("a").then(Script::chunks(PIECES));
    // so long that counting it takes a while
    let words = 600_000;
    let body = chat(words);
    let answer = Client::unix(home.socket()).post(CHAT, &body).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.text().await.contains("\"usage\":{"), "it says nothing of its tokens");
    kill_hard(&home).await;
    assert_eq!(
        ledger(&home),
        (1, [Outcome::Completed].to_vec()),
        "the guess is recorded, and what was set aside still stands"
    );
    assert_charged_at_its_worst(&home, &lab, billed(words, PIECES));
}
