//! What is asked of the price table besides costs: the worst case of a call, what is wrong with it, its rows for people.

use keywheel::catalog::price_check::{FindingKind, check};
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::price_worst::{Bound, Reach, Unbounded};
use keywheel::catalog::prices::Query;
use keywheel::kit::Money;

use crate::prices::{shipped, table, time};

fn date(text: &str) -> jiff::civil::Date {
    text.parse().expect("a date")
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
[[models]]
id = "cheaper"
rates = [{ input = "9", output = "9" }, { effective_from = "2026-01-01", input = "1", output = "1" }]
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

    // a price that was replaced is no longer possible: 400 × 1 + 2 × 50 × 1
    let cheaper = prices.worst_case(&Query { asked: "cheaper", ..lab_query(settled) }, &bound);
    assert_eq!(cheaper.map(|cost| cost.exact()), Ok("0.0005".to_owned()));

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
