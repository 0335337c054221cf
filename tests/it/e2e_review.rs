//! `keywheel review` in real repositories: what the model gets, what a person gets, and the exit code.

use std::collections::BTreeSet;
use std::fmt::Write;

use keywheel::sim::lab::Script;
use serde_json::{Value, json};

use crate::e2e_clients::Program;
use crate::e2e_rig::words;
use crate::hooks_rig::{Bench, Repo, planted, says};

fn found(file: &str, line: usize, severity: &str, title: &str, replacement: Option<&str>) -> Value {
    json!({"file": file, "line": line, "severity": severity, "title": title, "detail": "why", "replacement": replacement})
}

fn answers(bench: &Bench, findings: &Value) {
    let _ = bench.rig.lab.on_any().always(says(&format!("```json\n{findings}\n```")));
}

/// A repository with a small change in it.
fn changed(bench: &Bench) -> Repo {
    let repo = bench.repo("r");
    repo.stage("greet.rs", "fn greet() {\n    say(\"hello\")\n}\n");
    repo
}

#[test]
fn a_staged_change_is_read_and_the_exit_code_says_how_bad_it_is() {
    let bench = Bench::new();
    let repo = changed(&bench);
    answers(&bench, &json!([found("greet.rs", 2, "high", "nobody hears it", Some("    shout(\"hello\")"))]));
    let review = |args: &[&str]| repo.keywheel([&["review", "--staged", "--model", "lab/gpt-4o-mini"], args].concat());
    let ended = review(&[]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.out.contains("## high: nobody hears it\n\n`greet.rs:2`"), "{}", ended.out);
    assert!(ended.out.contains("-    say(\"hello\")\n+    shout(\"hello\")"), "{}", ended.out);
    assert!(
        ended.err.contains("reviewing the staged changes in 1 part with lab/gpt-4o-mini (as you said)"),
        "{}",
        ended.err
    );
    assert_eq!(review(&["--fail-on", "critical"]).code, 0);
    assert_eq!(review(&["--fail-on", "never"]).code, 0);
    assert_eq!(review(&["--fail-on", "low"]).code, 6);
    let json: Value = serde_json::from_str(&review(&["--format", "json"]).out).unwrap();
    assert_eq!((&json["findings"][0]["severity"], &json["parts"]), (&json!("high"), &json!(1)));
    repo.write(".git/p", json["findings"][0]["patch"].as_str().unwrap());
    repo.git(["apply", "--check", "--cached", ".git/p"]).done();
    let cost = repo.keywheel(["cost", "--by", "project", "--json"]).done();
    assert!(cost.contains("\"key\":\"r\""), "its calls are the project's: {cost}");
    assert_eq!(repo.keywheel(["review", "--staged", "--max-cost", "much"]).code, 2);
}

#[test]
fn the_model_that_reasons_best_of_those_that_can_be_called_is_chosen_and_the_reason_is_said() {
    let bench = Bench::new();
    let repo = changed(&bench);
    answers(&bench, &json!([]));
    let ended = repo.keywheel(["review", "--staged"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("with lab/gpt-4o-mini (review rank"), "{}", ended.err);
    assert!(ended.out.contains("Nothing was found."), "{}", ended.out);
}

#[test]
fn every_changed_hunk_of_five_megabytes_is_sent_exactly_once_and_no_secret_is() {
    let bench = Bench::new();
    let repo = bench.repo("big");
    let mut text = String::new();
    for line in 0..60_000 {
        let _ = writeln!(
            text,
            "let value_{line} = compute({line}); // what this line is for, in a few more words: {line:>8}"
        );
    }
    repo.stage("big.rs", &text);
    repo.stage("key.py", format!("token = \"{}\"\n", planted()));
    assert!(text.len() > 5 << 20, "{}", text.len());
    answers(&bench, &json!([]));
    let ended = repo.keywheel(["review", "--staged", "--model", "lab/gpt-4o-mini", "--format", "json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let review: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&review["parts"], &review["masked"]), (&review["read"], &json!(1)));
    assert!(review["parts"].as_u64().unwrap() > 200, "{review}");
    let heard = bench.heard();
    assert!(!heard.contains(&planted()));
    let mut seen = BTreeSet::new();
    for part in heard.split("let value_").skip(1) {
        let number: usize = part.split(' ').next().unwrap().parse().unwrap();
        assert!(seen.insert(number), "line {number} was sent twice");
    }
    assert_eq!(seen.len(), 60_000);
}

#[test]
fn each_severity_ends_as_fail_on_says() {
    let bench = Bench::new();
    let repo = changed(&bench);
    let worst = ["low", "medium", "high", "critical"];
    for (at, severity) in worst.iter().enumerate() {
        answers(
            &bench,
            &json!([found("greet.rs", 1, "low", "so so", None), found("greet.rs", 3, severity, "the end", None)]),
        );
        for (least, fail_on) in worst.iter().enumerate() {
            let args = ["review", "--staged", "-m", "lab/gpt-4o-mini", "--fail-on", fail_on, "--format", "json"];
            let expected = if at >= least { 6 } else { 0 };
            assert_eq!(repo.keywheel(args).code, expected, "{severity} under --fail-on {fail_on}");
        }
    }
    let default = repo.keywheel(["review", "--staged", "-m", "lab/gpt-4o-mini"]);
    assert_eq!(default.code, 6, "critical is worse than high, the default");
}

#[test]
fn a_budget_stops_before_it_is_overdrawn_and_is_refused_where_nothing_is_known_of_costs() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let line = |n: usize| format!("let more_{n} = {n}; // and some words beside it, so that a line is long\n");
    repo.stage("more.rs", (0..3000).map(line).collect::<String>());
    answers(&bench, &json!([]));
    let review = || {
        let args = ["review", "--staged", "-m", "lab/gpt-4o-mini", "--max-cost", "0.004", "--format", "json"];
        let ended = repo.keywheel(args);
        (ended.code, serde_json::from_str::<Value>(&ended.out).unwrap())
    };
    let (code, blind) = review();
    assert_eq!((code, &blind["read"]), (7, &json!(1)), "{blind}");
    assert!(blind["failed"][0]["why"].as_str().unwrap().contains("cost is not known"), "{blind}");
    bench.price("provider = \"lab\"\n[[models]]\nid = \"gpt-4o-mini\"\nrates = [{ input = \"1\", output = \"10\" }]\n");
    // a part costs 0.0011, so three of them fit however many are read at once
    let before = bench.calls();
    let (code, bound) = review();
    assert!(bound["parts"].as_u64().unwrap() > 6, "{bound}");
    assert_eq!((code, &bound["read"], &bound["cost_usd"]), (7, &json!(3), &json!("0.0033")), "{bound}");
    assert_eq!(bench.calls() - before, 3);
    assert!(bound["failed"][0]["why"].as_str().unwrap().contains("allows no further part"), "{bound}");
}

#[test]
fn a_part_that_fails_is_named_and_changes_the_exit_code() {
    let bench = Bench::new();
    let repo = changed(&bench);
    repo.stage(
        "more.rs",
        (0..800).map(|line| format!("let more_{line} = {line}; // and some words beside it\n")).collect::<String>(),
    );
    let refused = Script::json(400, &json!({"error": {"message": "too long for me", "type": "invalid_request_error"}}));
    let _ = bench.rig.lab.on_any().then(refused).always(says("[]"));
    let ended = repo.keywheel(["review", "--staged", "--model", "lab/gpt-4o-mini"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.out.contains("## Not read\n\n- ") && ended.out.contains("too long for me"), "{}", ended.out);
    assert!(ended.out.contains("Nothing was found in what was read."), "{}", ended.out);
}

#[test]
fn without_a_gateway_or_a_change_the_words_lead_on() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let said = repo.keywheel(["review", "--staged"]).failed(1);
    assert!(said.contains("there is nothing to review: the staged changes hold no change"), "{said}");
    repo.stage("a.rs", "x\n");
    let said =
        repo.keywheel(["--home", repo.path.join(".git/nobody").to_str().unwrap(), "review", "--staged"]).failed(3);
    assert!(said.contains("keywheel serve"), "{said}");
}

#[test]
fn before_a_commit_what_is_staged_is_reviewed_where_the_settings_want_that() {
    let bench = Bench::with("review = '30s'");
    let repo = bench.repo("r");
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    repo.stage("greet.rs", "fn greet() {\n    say(\"hello\")\n}\n");
    answers(&bench, &json!([found("greet.rs", 2, "high", "nobody hears it", None)]));
    let said = repo.git(["commit", "-m", "greet"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(format!("{}{}", said.out, said.err).contains("nobody hears it"), "{said:?}");
    answers(&bench, &json!([found("greet.rs", 2, "low", "nobody hears it", None)]));
    repo.git(["commit", "-m", "greet"]).done();
    repo.stage("greet.rs", "fn greet() {}\n");
    let refused = Script::json(500, &json!({"error": {"message": "no such luck"}}));
    let _ = bench.rig.lab.on_any().always(refused);
    let said = repo.git(["commit", "-m", "again"]);
    assert!(said.code == 0 && said.err.contains("not reviewed:"), "{said:?}");
}

#[test]
fn the_report_is_what_the_published_schema_of_sarif_asks_for() {
    let Some(validator) = Program::jsonschema() else { return };
    // the first part gets the first answer
    let bench = Bench::with("[review]\nparallel = 1");
    let repo = changed(&bench);
    repo.stage(
        "more.rs",
        (0..800).map(|line| format!("let more_{line} = {line}; // and some words beside it\n")).collect::<String>(),
    );
    let finding = found("greet.rs", 2, "medium", "nobody hears it", Some("    shout(\"hello\")"));
    let refused = Script::json(400, &json!({"error": {"message": "too long for me"}}));
    let _ = bench.rig.lab.on_any().then(says(&json!([finding]).to_string())).always(refused);
    let ended = repo.keywheel(["review", "--staged", "--model", "lab/gpt-4o-mini", "--format", "sarif"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert!(report["runs"][0]["results"][0]["fixes"].is_array(), "{report}");
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/review/sarif-2.1.0.json");
    let checked = |report: &Value| {
        let file = repo.write(".git/report.sarif", report.to_string());
        words(&validator.run(&bench.rig.keywheel, &[schema, file.to_str().unwrap()], &[])).0
    };
    assert_eq!(checked(&report), "valid\n");
    let mut wrong = report;
    wrong["runs"][0]["results"][0]["level"] = json!("bad");
    assert!(checked(&wrong).contains("runs/0/results/0/level: 'bad'"), "{}", checked(&wrong));
}
