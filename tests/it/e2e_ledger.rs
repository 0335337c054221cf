//! What the faces show of the ledger: where a call's time went, filters, the newest as they come, costs by any key.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use keywheel::cli::chart::Paint;
use keywheel::cli::{self, Cost, Format, Lines};
use keywheel::operator::{CostRow, Tokens};
use keywheel::sim::lab::{Hint, Setup};
use keywheel::sim::{Persona, Script};
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, chat, json_lines, said, stream, words};
use crate::home_support::program;

const MODEL: &str = "lab/gpt-4o-mini";

#[tokio::test]
async fn a_call_tells_where_its_time_went_and_on_which_branch_it_was_made() {
    let rig = Rig::with(Setup::new(Persona::Openai), &["a", "b"], |config| config);
    rig.lab.on("a").then(Script::throttled(Hint::Silent));
    rig.lab.on("b").then(Script::chunks(4).after(Duration::from_millis(200)).every(Duration::from_millis(100)));
    let long = "x".repeat(5000);
    let client =
        rig.keywheel.client().header("x-keywheel-branch", "feature/ledger").header("x-keywheel-project", &long);
    client.post("/v1/chat/completions", &stream(MODEL)).await.text().await;
    let row = json_lines(&rig.keywheel.run(["requests", "--json"])).remove(0);
    let id = row["id"].as_str().unwrap();
    let record = json_lines(&rig.keywheel.run(["requests", id, "--json"])).remove(0);
    assert_eq!(record["branch"], "feature/ledger");
    assert_eq!(record["project"].as_str().unwrap().len(), 256, "a name that is no name is cut");
    let of = |attempt: usize, step: &str| record["timing"]["attempts"][attempt][step].as_u64();
    let (start, head, first, last) = (of(1, "start_us"), of(1, "head_us"), of(1, "first_us"), of(1, "last_us"));
    assert!(of(0, "connect_us").is_some(), "the first call needs a connection: {record}");
    assert!(of(0, "head_us") < start && of(0, "last_us").is_none(), "{record}");
    assert!(start.unwrap() + 190_000 < head.unwrap() && head <= first, "the lab waits 200 ms: {record}");
    assert!(first.unwrap() + 250_000 < last.unwrap(), "four chunks, 100 ms apart: {record}");
    let timing = &record["timing"];
    assert!(timing["client_first_us"].as_u64() >= first && timing["client_last_us"].as_u64() >= last, "{record}");
    assert!(timing["queue_us"].as_u64() <= of(0, "start_us"), "{record}");
    let lines = said(&rig.keywheel.run(["requests", id, "--timing"]));
    assert!(lines.contains("attempt 2: first byte") && lines.contains("last byte for the client"), "{lines}");
    let plain = said(&rig.keywheel.run(["requests", id]));
    assert!(plain.contains("queue_ms") && plain.contains("last_ms") && !plain.contains("client_last_us"), "{plain}");
}

#[tokio::test]
async fn a_call_over_a_connection_that_is_there_has_no_time_of_connecting() {
    let rig = Rig::start(&["a"]);
    for _ in 0..2 {
        rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await.json().await;
        // the provider's connection is free a moment after the answer
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let rows = json_lines(&rig.keywheel.run(["requests", "--json"]));
    let connect = |row: &Value| {
        let record = json_lines(&rig.keywheel.run(["requests", row["id"].as_str().unwrap(), "--json"])).remove(0);
        record["timing"]["attempts"][0]["connect_us"].as_u64()
    };
    assert_eq!(connect(&rows[0]), None);
}

#[tokio::test]
async fn every_filter_of_requests_reaches_the_ledger_and_follow_shows_calls_as_they_end() {
    let rig = Rig::start(&["a"]);
    let client = rig.keywheel.client();
    client.clone().header("x-keywheel-project", "wheel").post("/v1/chat/completions", &chat(MODEL)).await.json().await;
    rig.lab.on("a").then(Script::json(400, &json!({"error": {"message": "no"}})));
    client.post("/v1/chat/completions", &chat("lab/gpt-4o")).await.text().await;
    let count = |words: &[&str]| json_lines(&rig.keywheel.run([&["requests", "--json"], words].concat())).len();
    crate::home_support::eventually("both are recorded", || count(&[]) == 2);
    let cases: &[(&[&str], usize)] = &[
        (&["--model", "gpt-4o"], 1),
        (&["--model", MODEL], 1),
        (&["--client", "default"], 2),
        (&["--client", "nobody"], 0),
        (&["--provider", "lab"], 2),
        (&["--account", "a"], 2),
        (&["--project", "wheel"], 1),
        (&["--status", "4xx"], 1),
        (&["--status", "200"], 1),
        (&["--since", "1h"], 2),
        (&["--until", "1h"], 0),
        (&["--failed", "--since", "1h", "--model", MODEL], 0),
    ];
    for (words, expected) in cases {
        assert_eq!(count(words), *expected, "{words:?}");
    }

    let mut command = program(&["requests", "--follow", "--json", "--limit", "1", "--model", MODEL]);
    command.env("KEYWHEEL_HOME", rig.keywheel.home()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut following = command.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    client.post("/v1/chat/completions", &chat(MODEL)).await.json().await;
    let second: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(first["id"].as_str() < second["id"].as_str(), "{first}\n{second}");
}

#[tokio::test]
async fn costs_are_put_together_by_any_key_or_several_within_a_time_and_drawn() {
    let rig = Rig::start(&["a"]);
    for branch in ["one", "one", "two"] {
        let client = rig.keywheel.client().header("x-keywheel-branch", branch).header("x-keywheel-run", "r");
        client.post("/v1/chat/completions", &chat(MODEL)).await.json().await;
    }
    for key in ["model", "provider", "account", "client", "project", "session", "run", "tier", "outcome", "day", "hour"]
    {
        let rows = json_lines(&rig.keywheel.run(["cost", "--by", key, "--since", "1h", "--json"]));
        let calls: u64 = rows.iter().map(|row| row["calls"].as_u64().unwrap()).sum();
        assert_eq!(calls, 3, "{key}: {rows:?}");
    }
    let sheet = said(&rig.keywheel.run(["cost", "--by", "branch,client", "--csv"]));
    assert!(sheet.starts_with("branch,client,calls,") && sheet.contains("\none,default,2,"), "{sheet}");
    let rows = json_lines(&rig.keywheel.run(["cost", "--by", "branch", "--json", "--until", "1h"]));
    assert!(rows.is_empty(), "{rows:?}");
    let (chart, told) = words(&rig.keywheel.run(["cost", "--by", "branch", "--chart", "--since", "2d"]));
    assert!(chart.lines().count() == 2 && !chart.contains('\u{1b}'), "{chart}");
    assert!(told.contains("an hour") && told.contains("in 30 days at that pace"), "{told}");
}

/// The words and the data of `cost` over these rows.
fn shown(rows: &[CostRow], csv: bool) -> (String, String) {
    let (mut data, mut words) = (Vec::new(), Vec::new());
    let format = Format { json: false };
    let asked = Cost { by: "model".to_owned(), since: None, until: None, chart: false, budgets: false, csv, format };
    cli::cost::show(&mut Lines::new(&mut data, &mut words), &asked, rows, None, Paint::Plain).unwrap();
    (String::from_utf8(data).unwrap(), String::from_utf8(words).unwrap())
}

#[test]
fn a_provider_that_tells_another_cost_than_the_price_table_is_named_from_one_part_in_a_hundred_on() {
    let row = |told: &str| CostRow {
        key: "lab/m".to_owned(),
        keys: vec!["lab/m".to_owned()],
        calls: 7,
        usage: Tokens::default(),
        cost_usd: told.to_owned(),
        unpriced: 1,
        untold: 0,
        estimated: 0,
        compared: 5,
        told_usd: Some(told.to_owned()),
        listed_usd: Some("1".to_owned()),
    };
    assert!(!shown(&[row("1.01")], false).1.contains("told"), "one in a hundred is no drift");
    let (_, words) = shown(&[row("1.0101")], false);
    assert!(
        words.contains("lab/m: the provider told") && words.contains("5 calls") && words.contains("+1.0 %"),
        "{words}"
    );
    assert!(shown(&[row("0.5")], false).1.contains("-50.0 %"));
    assert!(words.contains("1 calls are unpriced"), "{words}");
    let (sheet, _) = shown(&[row("2")], true);
    assert!(sheet.lines().nth(1).unwrap().ends_with(",5,2,1"), "{sheet}");
}
