//! The price table: what it takes, what it refuses, which row it chooses, what it shows and finds.

use std::collections::BTreeSet;

use keywheel::catalog::price::Certainty;
use keywheel::catalog::price_check::{FindingKind, check};
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::price_shipped::SHIPPED;
use keywheel::catalog::price_worst::{Bound, Reach, Unbounded};
use keywheel::catalog::prices::{Prices, Query};
use keywheel::kit::usage::Shape;
use keywheel::kit::{Money, Time, Usage};

fn time(text: &str) -> Time {
    Time::from_micros(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond())
}

fn date(text: &str) -> jiff::civil::Date {
    text.parse().expect("a date")
}

fn shipped() -> Prices {
    Prices::shipped().expect("the shipped prices are sound")
}

fn table(text: &str) -> Prices {
    Prices::from_texts([("mine.toml", text)]).expect("a table")
}

/// A million fresh tokens, so that the cost is the rate.
const MILLION: Usage = Usage {
    input: 1_000_000,
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

fn lab_query<'a>(billing: Billing<'a>) -> Query<'a> {
    Query { provider: "p", asked: "m", answered: None, billing }
}

#[test]
fn the_worst_case_takes_the_dearest_of_all_that_is_open() {
    let prices = table(
        r#"
provider = "p"
[[models]]
id = "m"
context = 1000
max_output = 100
speeds = { fast = "2" }
fees = { per_request = "0.5", web_search_per_1k = "10" }
rates = [
  { input = "1", output = "10", cache_write = { "5m" = "1.25", "1h" = "2" }, reasoning = "20" },
  { context_over = 500, input = "3", output = "30", cache_read = "0.5" },
  { service_tier = "priority", input = "4", output = "40" },
  { service_tier = "batch", input = "0.5", output = "5" },
  { effective_until = "2026-01-01", service_tier = "gone", input = "99", output = "99" },
]
[[models]]
id = "open"
rates = [{ input = "1", output = "1" }]
"#,
    );
    let at = time("2026-11-25T00:00:00Z");
    let bound = Bound { input: Reach::Body(400), max_tokens: Some(50), choices: 2, searches: 1 };
    let worst = |billing, bound: Bound| prices.worst_case(&lab_query(billing), &bound).map(|cost| cost.exact());
    let settled = Billing { at, service_tier: Some("default"), speed: Some("standard"), ..Billing::default() };
    // 400 × 2 + 2 × 50 × 20 = 2800 millionths, 0.5 for the call, 0.01 for a search
    assert_eq!(worst(settled, bound), Ok("0.5128".to_owned()));
    // fast is open: twice the tokens
    assert_eq!(worst(Billing { speed: None, ..settled }, bound), Ok("0.5156".to_owned()));
    // the tier is open, or left to the project: priority, 400 × 4 + 100 × 40 = 5600
    assert_eq!(worst(Billing { service_tier: None, ..settled }, bound), Ok("0.5156".to_owned()));
    assert_eq!(worst(Billing { service_tier: Some("auto"), ..settled }, bound), Ok("0.5156".to_owned()));
    // batch may still be served as default
    assert_eq!(worst(Billing { service_tier: Some("batch"), ..settled }, bound), Ok("0.5128".to_owned()));
    // a body over the context is cut at it, and in reach of the cliff: 1000 × 3 + 100 × 30 = 6000
    let large = Bound { input: Reach::Body(5000), ..bound };
    assert_eq!(worst(settled, large), Ok("0.516".to_owned()));
    assert_eq!(worst(settled, Bound { input: Reach::Elsewhere, ..bound }), Ok("0.516".to_owned()));
    // without max_tokens the model's longest answer: 400 × 2 + 2 × 100 × 20 = 4800; more than that is not believed
    assert_eq!(worst(settled, Bound { max_tokens: None, ..bound }), Ok("0.5148".to_owned()));
    assert_eq!(worst(settled, Bound { max_tokens: Some(9999), ..bound }), Ok("0.5148".to_owned()));

    let open = |bound: Bound| prices.worst_case(&Query { asked: "open", ..lab_query(settled) }, &bound);
    assert_eq!(open(Bound { max_tokens: None, ..bound }), Err(Unbounded::Output));
    assert_eq!(open(Bound { input: Reach::Elsewhere, ..bound }), Err(Unbounded::Input));
    assert_eq!(prices.worst_case(&Query { asked: "x", ..lab_query(settled) }, &bound), Err(Unbounded::Unpriced));

    let buys = |budget: &str, bound: Bound| {
        let budget = Money::parse(budget).expect("usd");
        prices.affordable_output(&lab_query(settled), &bound, budget)
    };
    // 0.5128 − 0.51 − 0.0008 = 0.002 buy 100 tokens at 20, 50 for each of two choices
    assert_eq!(buys("0.5128", bound), Ok(50));
    assert_eq!(buys("0.512799", bound), Ok(49));
    assert_eq!(buys("0.51", bound), Ok(0));
    assert_eq!(buys("9", Bound { max_tokens: None, ..bound }), Ok(100));
}

#[test]
fn check_finds_nothing_that_contradicts_itself_in_what_ships() {
    let findings = check(&shipped(), date("2026-11-21"), 60);
    let bad: Vec<String> = findings
        .iter()
        .filter(|finding| !matches!(finding.kind, FindingKind::Missing | FindingKind::Retired))
        .map(ToString::to_string)
        .collect();
    assert_eq!(bad, Vec::<String>::new());
    let words: Vec<String> = findings.iter().map(ToString::to_string).collect();
    for expected in [
        "gemini/gemini-4-argon: tier batch has no rates from 2026-12-01 on",
        "openai/gpt-5.5: tier priority has no row over 272000 tokens",
        "openai/gpt-4.1: the row for tier batch has no cache_read",
        "xai/grok-code-fast-1: the provider turned it off on 2026-05-15",
    ] {
        assert!(words.iter().any(|words| words == expected), "{expected} not in {words:#?}");
    }
}

#[test]
fn check_finds_old_dates_overlaps_gaps_and_holidays_that_have_run_out() {
    let later = check(&shipped(), date("2027-11-21"), 60);
    assert!(later.iter().any(|finding| finding.kind == FindingKind::Stale && finding.model == "gpt-5"));
    assert!(later.iter().any(|finding| finding.kind == FindingKind::Holidays && finding.provider == "deepseek"));
    assert!(!later.iter().any(|finding| finding.provider == "ollama"), "what is free does not grow old");
    let prices = table(
        r#"
provider = "p"
checked = "2026-11-01"
[[models]]
id = "twice"
rates = [{ input = "1", output = "1" }, { input = "2", output = "2" }]
[[models]]
id = "ends-late"
rates = [
  { effective_until = "2026-06-01", input = "1", output = "1" },
  { effective_from = "2026-05-01", input = "2", output = "2" },
]
[[models]]
id = "outlives"
rates = [
  { input = "1", output = "1" }, { service_tier = "batch", input = "0.5", output = "0.5" },
  { effective_from = "2026-05-01", input = "2", output = "2" },
]
[[models]]
id = "baseless"
rates = [{ service_tier = "batch", input = "1", output = "1" }]
[[models]]
id = "undated"
checked = "2026-01-01"
rates = [{ input = "1", output = "1" }]
"#,
    );
    let words: Vec<String> = check(&prices, date("2026-11-20"), 30).iter().map(ToString::to_string).collect();
    let expected = [
        "p/twice: two rows for tier default hold on the same days",
        "p/ends-late: two rows for tier default hold on the same days",
        "p/outlives: tier batch outlives the default prices that changed on 2026-05-01",
        "p/baseless: it has no row for the default tier and any context",
        "p/undated: checked on 2026-01-01; compare with the provider's page",
    ];
    assert_eq!(words, expected);
}

#[test]
fn show_lists_rows_and_marks_those_in_force() {
    let prices = shipped();
    let rows = prices.show("deepseek/deepseek-flash", time("2026-11-25T02:00:00Z"));
    let summary: Vec<_> =
        rows.iter().map(|row| (row.row.schedule.as_deref(), row.row.input.as_deref(), row.in_force)).collect();
    assert_eq!(summary, [(None, Some("0.3"), true), (Some("off_peak"), Some("0.15"), false)]);
    let in_december = prices.show("gemini-4-argon", time("2026-12-01T00:00:00Z"));
    let summary: Vec<_> =
        in_december.iter().map(|row| (row.tier.as_str(), row.row.input.as_deref(), row.in_force)).collect();
    assert_eq!(
        summary[..3],
        [("default", Some("2"), false), ("default", Some("4"), true), ("batch", Some("1"), false)]
    );
    assert_eq!(in_december[0].origin, "shipped");
    let at_night = prices.show("deepseek-flash", time("2026-11-25T22:00:00Z"));
    assert_eq!(at_night.iter().map(|row| row.in_force).collect::<Vec<_>>(), [false, true]);
    // the slash of a model is not that of a provider, and a provider of anything does not answer to a bare name
    for name in ["groq/openai/gpt-oss-20b", "openai/gpt-oss-20b"] {
        let rows = prices.show(name, time("2026-11-25T02:00:00Z"));
        assert_eq!(rows.iter().map(|row| row.provider.as_str()).collect::<Vec<_>>(), ["groq"], "{name}");
    }
    assert_eq!(prices.show("nothing-of-the-kind", time("2026-11-25T02:00:00Z"))[..], []);
    let json = serde_json::to_value(&rows[1]).expect("JSON");
    assert_eq!(json["schedule"], "off_peak");
    assert_eq!(json["cache_read"], "0.003");
}
