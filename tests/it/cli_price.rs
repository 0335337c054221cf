//! `price …`: the table as a person sees it, looks it over and extends it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::home_support::Home;

fn rows(home: &Home, words: &[&str]) -> Vec<Value> {
    let text = home.run(&[&["price", "show"], words, &["--json"]].concat()).done();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A price file of the user's own.
fn own(home: &Home, name: &str, text: &str) -> PathBuf {
    let folder = home.path().join("config/pricing");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    folder.join(name)
}

#[test]
fn a_model_is_shown_with_the_prices_of_the_day_asked_for() {
    let home = Home::new();
    let input = |at: &str| rows(&home, &["deepseek/deepseek-v4-pro", "--at", at])[0]["input"].clone();
    // peak hours are 01:00 to 04:00 and 06:00 to 10:00 UTC on working days in China
    assert_ne!(input("2026-11-23T02:00:00Z"), input("2026-11-23T12:00:00Z"));
    let all = rows(&home, &["gpt-6.1-sol", "--all"]);
    assert!(
        all.iter().any(|row| row["provider"] == "azure") && all.iter().any(|row| row["tier"] == "batch"),
        "{all:?}"
    );
    let table = home.run(&["price", "show", "openai/gpt-6.1-sol"]).done();
    assert!(table.contains("openai/gpt-6.1-sol") && table.contains("over 272000") && table.contains("$10"), "{table}");
}

#[test]
fn a_model_without_a_price_is_unpriced_and_says_where_one_goes() {
    let home = Home::new();
    let words = home.run(&["price", "show", "lab/nothing"]).failed(1);
    assert!(words.contains("unpriced") && words.contains("config/pricing"), "{words}");
    let words = home.run(&["price", "show", "x", "--at", "yesterday"]).failed(2);
    assert!(words.contains("2026-12-01"), "{words}");
}

#[test]
fn a_file_of_ones_own_wins_and_a_broken_one_is_named() {
    let home = Home::new();
    let text = "provider = \"lab\"\nchecked = \"2026-11-20\"\n[[models]]\nid = \"m\"\nrates = [{ input = \"7\", output = \"9\" }]\n";
    let file = own(&home, "lab.toml", text);
    let row = &rows(&home, &["lab/m"])[0];
    assert_eq!((row["input"].as_str(), row["origin"].as_str()), (Some("7"), file.to_str()));
    own(&home, "lab.toml", &text.replace("\"7\"", "\"seven\""));
    let words = home.run(&["price", "show", "lab/m"]).failed(4);
    assert!(words.contains("lab.toml") && words.contains("model m"), "{words}");
}

#[test]
fn a_check_finds_what_is_old_or_contradicts_itself() {
    let home = Home::new();
    own(
        &home,
        "lab.toml",
        "provider = \"lab\"\nchecked = \"2020-01-01\"\n[[models]]\nid = \"m\"\nrates = [{ input = \"7\", output = \"9\" }, { input = \"8\", output = \"9\" }]\n",
    );
    let ran = home.run(&["price", "check", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let found: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = found.iter().filter(|row| row["provider"] == "lab").map(|row| &row["kind"]).collect();
    assert_eq!(kinds, ["stale", "overlap"]);
}

#[test]
fn an_import_lies_over_the_shipped_table_and_below_the_own_files() {
    let home = Home::new();
    let map = home.path().join("map.json");
    let entry = r#"{"sample_spec": {}, "gpt-6.1-sol": {"litellm_provider": "openai", "mode": "chat",
        "input_cost_per_token": 3e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1e-07}}"#;
    fs::write(&map, entry).unwrap();
    let map = map.to_str().unwrap();
    let base = |row: &&Value| row["tier"] == "default" && row["context_over"].is_null();
    let price = || rows(&home, &["openai/gpt-6.1-sol"]).iter().find(base).unwrap()["input"].clone();

    let said = home.run(&["price", "import", "--dry-run", map]);
    assert!(said.err.contains("1 models would change"), "{said:?}");
    assert_eq!((said.done().as_str(), price()), ("openai/gpt-6.1-sol\n", "2".into()));
    home.run(&["price", "import", map]).done();
    assert_eq!(price(), "3");
    let again = home.run(&["price", "import", map]);
    assert!(again.err.contains("0 models changed, 1 cost"), "{again:?}");
    fs::write(map, "{\"a\": {\"b\": 1}}").unwrap();
    let words = home.run(&["price", "import", map]).failed(1);
    assert!(words.contains("neither LiteLLM"), "{words}");
}
