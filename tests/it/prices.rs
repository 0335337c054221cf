//! The price table: what it takes, what it refuses, and which row it chooses.

use std::collections::BTreeSet;

use keywheel::catalog::price::Certainty;
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::price_shipped::SHIPPED;
use keywheel::catalog::prices::{Prices, Query};
use keywheel::kit::usage::Shape;
use keywheel::kit::{Time, Usage};

pub fn time(text: &str) -> Time {
    Time::from_micros(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond())
}

pub fn shipped() -> Prices {
    Prices::shipped().expect("the shipped prices are sound")
}

pub fn table(text: &str) -> Prices {
    Prices::from_texts([("mine.toml", text)]).expect("a table")
}

/// Nothing at all, in a shape that constants can build on.
pub const NONE: Usage = Usage {
    input: 0,
    cache_read: 0,
    cache_read_audio: 0,
    cache_write: 0,
    cache_write_1h: 0,
    cache_write_12h: 0,
    audio_in: 0,
    image_in: 0,
    output: 0,
    reasoning: 0,
    audio_out: 0,
    image_out: 0,
    searches: 0,
    maps: 0,
};
/// A million fresh tokens, so that the cost is the rate.
pub const MILLION: Usage = Usage { input: 1_000_000, ..NONE };

fn cost(prices: &Prices, provider: &str, model: &str, at: &str) -> Option<String> {
    let billing = Billing { at: time(at), ..Billing::default() };
    let query = Query { provider, asked: model, answered: None, billing };
    prices.rates(&query, &MILLION).map(|rates| rates.cost(&MILLION).exact())
}

#[test]
fn every_price_file_is_shipped_and_names_its_provider() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/pricing");
    let files =
        std::fs::read_dir(folder).expect("pricing/").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let files: BTreeSet<String> = files.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
    let shipped_ids: BTreeSet<String> = SHIPPED.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(files, shipped_ids);
    let prices = shipped();
    assert_eq!(prices.sheets().keys().cloned().collect::<BTreeSet<_>>(), shipped_ids);
}

#[test]
fn data_names_the_shape_of_usage() {
    let prices = shipped();
    let shape = |provider| prices.metering(provider).shape;
    assert_eq!(shape("openai"), Shape::Inclusive);
    assert_eq!(shape("xai"), Shape::ReasoningApart);
    assert_eq!(shape("deepseek"), Shape::HitMiss);
    assert_eq!(shape("anthropic"), Shape::CacheApart);
    assert_eq!(shape("gemini"), Shape::ThoughtsApart);
    assert_eq!(shape("nobody-knows"), Shape::Inclusive);
    assert_eq!(prices.metering("xai").cost.map(|cost| cost.unit.pico()), Some(100), "a tick is 100 picodollars");
}

#[test]
fn an_unknown_price_is_none_and_a_known_zero_is_zero() {
    let prices = shipped();
    let at = "2026-11-25T12:00:00Z";
    assert_eq!(cost(&prices, "openai", "gpt-99", at), None);
    assert_eq!(cost(&prices, "openrouter", "openai/gpt-5", at), None);
    assert_eq!(cost(&prices, "nobody", "gpt-5", at), None);
    assert_eq!(cost(&prices, "openai", "gpt-4o-2024-05-13", at), None, "a snapshot with another price than its alias");
    assert_eq!(cost(&prices, "ollama", "anything:7b", at).as_deref(), Some("0"));
    assert_eq!(cost(&prices, "sim", "sim/echo", at).as_deref(), Some("0"));
    assert_eq!(cost(&prices, "openai", "gpt-6.1-sol", "2026-09-28T23:59:59Z"), None, "before its first price");
    assert_eq!(cost(&prices, "openai", "gpt-6.1-sol", "2026-09-29T00:00:00Z").as_deref(), Some("4"));
    assert_eq!(cost(&prices, "azure", "model-router", at), None, "its fee says nothing about the model that answered");
}

#[test]
fn names_find_the_model_that_spells_them_best() {
    let prices = shipped();
    let id = |provider: &str, name: &str| prices.model(provider, name).map(|model| model.prices.id.clone());
    assert_eq!(id("openai", "gpt-5").as_deref(), Some("gpt-5"));
    assert_eq!(id("openai", "gpt-5-2025-08-07").as_deref(), Some("gpt-5"));
    assert_eq!(id("openai", "gpt-5-mini-2025-08-07").as_deref(), Some("gpt-5-mini"));
    assert_eq!(id("openai", "gpt-5-codex"), None);
    assert_eq!(id("openai", "gpt-5-2025-08-0x"), None);
    assert_eq!(id("anthropic", "claude-haiku-4-5-20251001").as_deref(), Some("claude-haiku-4-5"));
    assert_eq!(id("gemini", "models/gemini-2.5-flash").as_deref(), Some("gemini-2.5-flash"));
    assert_eq!(id("deepseek", "deepseek-v4-flash-1017").as_deref(), Some("deepseek-flash"));
    assert_eq!(id("xai", "grok-4.3-latest").as_deref(), Some("grok-4.3"));
    assert_eq!(id("xai", "grok-4.3-fast"), None, "four letters are not four digits");
}

#[test]
fn the_model_that_answered_is_priced_and_the_asked_one_only_stands_in() {
    let prices = shipped();
    let billing = Billing { at: time("2026-11-25T12:00:00Z"), ..Billing::default() };
    let priced = |asked, answered| {
        let rates = prices.rates(&Query { provider: "openai", asked, answered, billing }, &MILLION)?;
        Some((rates.cost(&MILLION).exact(), rates.certainty(&MILLION)))
    };
    let some = |cost: &str, certainty| Some((cost.to_owned(), certainty));
    assert_eq!(priced("gpt-5", Some("gpt-4o-mini")), some("0.15", Certainty::Exact));
    assert_eq!(priced("gpt-5", Some("")), some("1.25", Certainty::Exact), "an answer without a name");
    assert_eq!(priced("gpt-5", Some("gpt-5-new")), some("1.25", Certainty::Estimated));
    assert_eq!(priced("my-alias", Some("gpt-5-2025-08-07")), some("1.25", Certainty::Exact));
    assert_eq!(priced("my-alias", Some("gpt-5-new")), None);
}

#[test]
fn a_users_model_replaces_the_shipped_one_or_adds_rows_to_it() {
    let at = ["2026-11-30T00:00:00Z", "2026-12-05T00:00:00Z"];
    let costs = |text: &str| {
        let prices = Prices::load(&[("mine.toml", text)]).expect("a table");
        at.map(|at| cost(&prices, "gemini", "gemini-4-argon", at).expect("a price"))
    };
    assert_eq!(costs("provider = \"gemini\"\nmodels = []"), ["2", "4"]);
    let mine = "provider = \"gemini\"\n[[models]]\nid = \"gemini-4-argon\"\n";
    assert_eq!(costs(&format!("{mine}rates = [{{ input = \"7\", output = \"9\" }}]")), ["7", "7"]);
    let kept = format!(
        "{mine}keeps_rows = true\nrates = [{{ effective_from = \"2026-11-30\", input = \"3\", output = \"9\" }}]"
    );
    assert_eq!(costs(&kept), ["3", "4"], "the announced change stays");

    let lab =
        "provider = \"lab\"\n[[models]]\nid = \"m\"\nmatch = [\"{id}-*\"]\nrates = [{ input = \"1\", output = \"2\" }]";
    let prices = Prices::load(&[("lab.toml", lab)]).expect("a table");
    assert_eq!(cost(&prices, "lab", "m-7", at[0]).as_deref(), Some("1"));
    assert_eq!(prices.model("lab", "m").map(|model| model.origin.to_string()).as_deref(), Some("lab.toml"));
    assert_eq!(cost(&prices, "openai", "gpt-5", at[0]).as_deref(), Some("1.25"), "the rest is untouched");
}

#[test]
fn a_file_that_cannot_be_used_says_where_and_what_to_do() {
    let rows = |rates: &str| format!("provider = \"p\"\n[[models]]\nid = \"m\"\nrates = [{rates}]");
    for (text, words) in [
        ("models = []".to_owned(), "mine.toml: it names no provider; add provider"),
        ("provider = \"p\"\n[[models]]\nid = \"m\"".to_owned(), "mine.toml: model m: a model needs an id and at least one row"),
        (rows("{ input = \"1\" }"), "mine.toml: model m: output is missing"),
        (rows("{ input = \"-1\", output = \"1\" }"), "input: -1 is too large"),
        (rows("{ input = \"0.0000001\", output = \"1\" }"), "input: 0.0000001 has more than 6 digits after the point"),
        (rows("{ input = 1, output = \"1\" }"), "invalid type: integer `1`, expected a string"),
        (rows("{ input = \"1\", output = \"1\", cahce_read = \"1\" }"), "unknown field `cahce_read`"),
        (rows("{ input = \"1\", output = \"1\", schedule = \"night\" }"), "there is no schedule \"night\" in the file"),
        (rows("{ input = \"1\", output = \"1\", cache_write = { \"soon\" = \"1\" } }"), "\"soon\" is no time; write it like"),
        (rows("{ input = \"1\", output = \"1\", cache_write = { \"5m\" = \"1\", \"9m\" = \"1\" } }"), "same class as another"),
        (
            rows("{ effective_from = \"2026-02-01\", effective_until = \"2026-01-01\", input = \"1\", output = \"1\" }"),
            "effective_until 2026-01-01 is not after effective_from 2026-02-01",
        ),
        ("provider = \"p\"\nmodels = []\nschedules.x = { windows = [] }".to_owned(), "schedule x: a schedule without windows"),
        (
            "provider = \"p\"\nmodels = []\nschedules.x = { windows = [{ days = [\"monday\"], utc = [] }] }".to_owned(),
            "\"monday\" is no day; write mon, tue",
        ),
        (
            "provider = \"p\"\nmodels = []\nschedules.x = { windows = [{ days = [\"mon\"], utc = [\"9-25:00\"] }] }".to_owned(),
            "\"9-25:00\" is no window; write it like",
        ),
        (
            "provider = \"p\"\n[[models]]\nid = \"m\"\nregions = { eu = \"x\" }\nrates = [{ input = \"1\", output = \"1\" }]".to_owned(),
            "regions.eu: \"x\" is no factor; write it like",
        ),
        (
            "provider = \"p\"\n[[models]]\nid = \"m\"\nregions = { eu = \"1.1\" }\nrates = [{ input = \"0.000001\", output = \"1\" }]".to_owned(),
            "finer than a picodollar; write the rows out",
        ),
    ] {
        let error = Prices::from_texts([("mine.toml", text.as_str())]).expect_err(words).to_string();
        assert!(error.contains(words), "{error:?} should say {words:?}");
        assert!(error.starts_with("mine.toml: "), "{error:?}");
    }
}

#[test]
fn off_peak_hours_wrap_past_midnight_and_follow_the_vendors_weekdays_and_holidays() {
    let prices = table(
        r#"
provider = "p"
[schedules.night]
zone = "+08:00"
windows = [{ days = ["mon", "tue", "wed", "thu", "fri"], utc = ["16:30-00:30"] }]
holidays = ["2026-12-25"]
[[models]]
id = "m"
rates = [{ input = "2", output = "1" }, { schedule = "night", input = "1", output = "1" }]
"#,
    );
    for (at, expected) in [
        // Sunday 16:30 UTC is Monday 00:30 in the vendor's zone: the window of Monday opens
        ("2026-11-22T16:29:59.999999Z", "2"),
        ("2026-11-22T16:30:00Z", "1"),
        ("2026-11-23T00:00:00Z", "1"),
        ("2026-11-23T00:29:59.999999Z", "1"),
        ("2026-11-23T00:30:00Z", "2"),
        // Friday 16:30 UTC is Saturday there: nothing opens, and nothing wraps into Saturday UTC
        ("2026-11-27T16:30:00Z", "2"),
        ("2026-11-28T00:10:00Z", "2"),
        // Thursday 16:30 UTC is Friday there, and goes on past midnight
        ("2026-11-27T00:10:00Z", "1"),
        // a holiday lasts from midnight to midnight in the vendor's zone
        ("2026-12-24T15:59:59Z", "2"),
        ("2026-12-24T16:00:00Z", "1"),
        ("2026-12-25T15:59:59Z", "1"),
        ("2026-12-25T16:00:00Z", "2"),
    ] {
        assert_eq!(cost(&prices, "p", "m", at).as_deref(), Some(expected), "{at}");
    }
}

#[test]
fn a_window_past_midnight_belongs_to_the_day_on_which_it_opened() {
    let prices = table(
        r#"
provider = "p"
schedules.monday = { windows = [{ days = ["mon"], utc = ["22:00-06:00"] }] }
[[models]]
id = "m"
rates = [{ input = "2", output = "1" }, { schedule = "monday", input = "1", output = "1" }]
"#,
    );
    for (at, expected) in [
        ("2026-11-23T03:00:00Z", "2"),
        ("2026-11-23T22:00:00Z", "1"),
        ("2026-11-24T03:00:00Z", "1"),
        ("2026-11-24T06:00:00Z", "2"),
        ("2026-11-24T22:00:00Z", "2"),
    ] {
        assert_eq!(cost(&prices, "p", "m", at).as_deref(), Some(expected), "{at}");
    }
}

#[test]
fn the_version_changes_with_the_row_and_only_with_it() {
    let version = |text: &str, region| {
        let prices = table(text);
        let billing = Billing { at: time("2026-11-25T00:00:00Z"), region, ..Billing::default() };
        prices.model("p", "m").and_then(|model| model.rates(&billing, 1)).expect("rates").version().to_string()
    };
    let text = |input: &str, more: &str| {
        format!(
            "provider = \"p\"\n[[models]]\nid = \"m\"\nregions = {{ eu = \"1.5\" }}\nrates = [{{ effective_from = \"2026-01-01\", input = \"{input}\", output = \"1\" }}{more}]"
        )
    };
    let first = version(&text("1", ""), None);
    assert!(first.ends_with("@2026-01-01"), "{first}");
    assert_eq!(first, version(&text("1", ", { context_over = 9, input = \"3\", output = \"3\" }"), None));
    assert_ne!(first, version(&text("2", ""), None));
    assert_eq!(version(&text("1", ""), Some("eu")), format!("{first}+eu"));
    assert_eq!(version(&text("1", ""), Some("mars")), first);
}
