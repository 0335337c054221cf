//! Other people's catalogues as files of ours, and the traps in them.

use jiff::civil::Date;
use keywheel::catalog::price_import::Imported;
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::prices::{Prices, Query};
use keywheel::catalog::{price_litellm, price_models_dev};
use keywheel::kit::{Time, Usage};

use crate::prices::{MILLION, NONE, shipped};

fn today() -> Date {
    "2026-11-20".parse().expect("a date")
}

fn litellm(map: &str) -> Imported {
    price_litellm::import(map, &shipped(), today()).expect("a map")
}

fn models_dev(catalogue: &str) -> Imported {
    price_models_dev::import(catalogue, &shipped(), today()).expect("a catalogue")
}

/// The shipped table with what was imported on top.
fn over_shipped(imported: &Imported) -> Prices {
    let texts = imported.texts().expect("TOML");
    let texts: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    Prices::load(&texts).expect("what is imported can be loaded")
}

fn cost(prices: &Prices, provider: &str, model: &str, tier: Option<&str>, at: &str, usage: Usage) -> String {
    let at = Time::from_micros(at.parse::<jiff::Timestamp>().expect("a time").as_microsecond());
    let billing = Billing { at, service_tier: tier, ..Billing::default() };
    let rates = prices.rates(&Query { provider, asked: model, answered: None, billing }, &usage);
    rates.expect("a price").cost(&usage).exact()
}

const NOON: &str = "2026-11-25T12:00:00Z";

fn said(imported: &Imported, words: &str) -> bool {
    imported.warnings.iter().any(|warning| warning.contains(words))
}

#[test]
fn a_model_that_costs_what_the_table_says_is_left_out() {
    let imported = litellm(
        r#"{
        "sample_spec": {"litellm_provider": "one of https://example.org", "input_cost_per_token": 0.0},
        "gpt-6.1-sol": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 922000, "max_output_tokens": 128000,
          "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1e-07,
          "cache_creation_input_token_cost": 2.5e-06, "cache_creation_input_token_cost_above_12hr": 5e-06,
          "input_cost_per_token_above_272k_tokens": 4e-06, "output_cost_per_token_above_272k_tokens": 1.5e-05,
          "cache_read_input_token_cost_above_272k_tokens": 2.0000000000000002e-07,
          "cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority": 2e-05,
          "input_cost_per_token_above_272k_tokens_priority": 8e-06, "output_cost_per_token_above_272k_tokens_priority": 3e-05,
          "input_cost_per_token_batches": 1e-06, "output_cost_per_token_batches": 5e-06},
        "someone/model": {"litellm_provider": "someone", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}
        }"#,
    );
    assert_eq!(imported.files.len(), 0, "{:?}", imported.files);
    assert_eq!(imported.unchanged, 1);
    assert_eq!(imported.warnings, ["1 models of providers that have no price file were left out"]);
}

#[test]
fn litellm_prices_arrive_to_the_picodollar_in_rows_from_that_day_on() {
    let imported = litellm(
        r#"{"gpt-5.4-nano": {"litellm_provider": "openai", "deprecation_date": "2027-04-01",
          "input_cost_per_token": 2.4000000000000003e-07, "output_cost_per_token": 1.25e-06,
          "cache_read_input_token_cost": 2.4e-08, "input_cost_per_token_flex": 1.2e-07, "output_cost_per_token_flex": 6.25e-07},
        "gemini/gemini-new": {"litellm_provider": "gemini", "input_cost_per_token": 1e-06, "output_cost_per_token": 3.6e-06,
          "input_cost_per_audio_token": 2e-06, "cache_read_input_audio_token_cost": 5e-07,
          "output_cost_per_token_above_200k_tokens": 7e-06, "input_cost_per_token_priority": 1.8e-06}}"#,
    );
    let prices = over_shipped(&imported);
    let nano = |tier, at, usage| cost(&prices, "openai", "gpt-5.4-nano", tier, at, usage);
    assert_eq!(nano(None, NOON, MILLION), "0.24");
    assert_eq!(nano(None, NOON, Usage { cache_read: 1_000_000, ..NONE }), "0.024");
    assert_eq!(nano(None, "2026-11-19T23:59:59Z", MILLION), "0.2", "history is not rewritten");
    assert_eq!(nano(Some("flex"), NOON, MILLION), "0.12");
    assert_eq!(nano(Some("batch"), NOON, MILLION), "0.1", "a tier that the map is silent about stays");
    let gemini = |tier, usage| cost(&prices, "gemini", "gemini-new", tier, NOON, usage);
    assert_eq!(gemini(None, Usage { audio_in: 1_000, cache_read_audio: 1_000, ..NONE }), "0.0025");
    // over 200,000 only the output is named; the input stays what it is below
    assert_eq!(gemini(None, Usage { input: 200_001, output: 1_000_000, ..NONE }), "7.200001");
    assert!(said(&imported, "gemini/gemini-new: tier priority over 0 tokens lacks the price of input or output"));
}

#[test]
fn litellm_thresholds_are_compared_as_the_provider_compares_them() {
    let entry = |provider: &str| {
        format!(
            r#"{{"{provider}/x-new": {{"litellm_provider": "{provider}", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06,
            "input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token_above_200k_tokens": 2e-06}}}}"#
        )
    };
    let at_threshold = Usage { input: 200_000, ..NONE };
    let of =
        |provider: &str| cost(&over_shipped(&litellm(&entry(provider))), provider, "x-new", None, NOON, at_threshold);
    assert_eq!(of("xai"), "0.4");
    assert_eq!(of("gemini"), "0.2");
}

#[test]
fn litellm_off_peak_hours_take_the_holidays_that_the_table_knows() {
    let imported = litellm(
        r#"{"deepseek/deepseek-v5": {"litellm_provider": "deepseek", "input_cost_per_token": 4e-07, "output_cost_per_token": 1e-06,
          "cache_read_input_token_cost": 4e-09, "cache_creation_input_token_cost": 0.0,
          "off_peak_pricing": {"weekday_timezone": "Asia/Shanghai", "input_cost_per_token": 2e-07, "output_cost_per_token": 5e-07,
            "windows": [{"hours_utc": ["00:00-01:00", "04:00-06:00", "10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]},
                        {"hours_utc": "00:00-00:00", "weekdays": ["Sat", "sunday"]}]}}}"#,
    );
    let prices = over_shipped(&imported);
    let at = |at| cost(&prices, "deepseek", "deepseek-v5", None, at, MILLION);
    assert_eq!(at("2026-11-25T02:00:00Z"), "0.4");
    assert_eq!(at("2026-11-25T05:00:00Z"), "0.2");
    assert_eq!(at("2026-11-29T02:00:00Z"), "0.2");
    assert_eq!(at("2027-01-01T02:00:00Z"), "0.2", "a holiday, which the map does not know");
    // what the off-peak block does not name is as in the base row
    assert_eq!(
        cost(&prices, "deepseek", "deepseek-v5", None, "2026-11-25T05:00:00Z", Usage { cache_read: 1_000_000, ..NONE }),
        "0.004"
    );

    let foreign = litellm(
        r#"{"mistral/night": {"litellm_provider": "mistral", "input_cost_per_token": 4e-07, "output_cost_per_token": 1e-06,
          "off_peak_pricing": {"hours_utc": "22:00-06:00", "weekday_timezone": "Europe/Paris", "input_cost_per_token": 2e-07}}}"#,
    );
    assert!(said(&foreign, "its hours know no public holidays"));
    assert!(said(&foreign, "its weekdays are those of Europe/Paris; they were read as UTC"));
    let prices = over_shipped(&foreign);
    assert_eq!(cost(&prices, "mistral", "night", None, "2026-11-25T05:59:59Z", MILLION), "0.2");
    assert_eq!(cost(&prices, "mistral", "night", None, "2026-11-25T06:00:00Z", MILLION), "0.4");
}

#[test]
fn changes_that_are_announced_survive_an_import() {
    let imported = litellm(
        r#"{"gemini/gemini-4-argon": {"litellm_provider": "gemini", "input_cost_per_token": 2.2e-06, "output_cost_per_token": 1e-05}}"#,
    );
    assert!(said(
        &imported,
        "gemini/gemini-4-argon: the change of 2026-12-01 is not in this catalogue and stays in the table"
    ));
    let prices = over_shipped(&imported);
    let at = |at| cost(&prices, "gemini", "gemini-4-argon", None, at, MILLION);
    assert_eq!([at("2026-11-19T12:00:00Z"), at(NOON), at("2026-12-01T00:00:00Z")], ["2", "2.2", "4"]);
}

#[test]
fn what_a_price_map_cannot_mean_is_left_out_with_a_word() {
    let imported = litellm(
        r#"{"mistral/free": {"litellm_provider": "mistral", "input_cost_per_token": 0.0, "output_cost_per_token": 0},
        "azure/eu/gpt-5.4": {"litellm_provider": "azure", "input_cost_per_token": 2.75e-06, "output_cost_per_token": 1.65e-05},
        "mistral/fine": {"litellm_provider": "mistral", "input_cost_per_token": 1.23456789e-07, "output_cost_per_token": 1e-06},
        "mistral/odd": {"litellm_provider": "mistral", "input_cost_per_token": "free", "output_cost_per_token": 1e-06},
        "mistral/image": {"litellm_provider": "mistral", "output_cost_per_image": 0.04},
        "mistral/negative": {"litellm_provider": "mistral", "input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06}}"#,
    );
    assert!(said(&imported, "mistral/free: its price is 0, which may mean that it is not known"));
    assert!(said(&imported, "azure/eu/gpt-5.4: the price of region eu was left out; write it as a region of gpt-5.4"));
    assert!(said(
        &imported,
        "mistral/fine: input_cost_per_token is finer than a picodollar and was rounded to 0.123457"
    ));
    assert!(said(&imported, "mistral/odd: input_cost_per_token"));
    assert!(said(&imported, "mistral/negative: input_cost_per_token"));
    let models: Vec<&str> = imported.files["mistral"].models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(models, ["fine"]);
    assert!(price_litellm::import("[]", &shipped(), today()).is_err());
    assert!(price_models_dev::import("{\"openai\": 7}", &shipped(), today()).is_err());
}

#[test]
fn litellm_ranges_begin_over_their_lower_end() {
    let imported = litellm(
        r#"{"dashscope/qwen-tiered": {"litellm_provider": "dashscope", "tiered_pricing": [
          {"range": [0, 256000], "input_cost_per_token": 1e-06, "output_cost_per_token": 4e-06},
          {"range": [256000.0, 1000000], "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06}]}}"#,
    );
    let prices = over_shipped(&imported);
    let input = |input| cost(&prices, "dashscope", "qwen-tiered", None, NOON, Usage { input, ..NONE });
    assert_eq!([input(256_000), input(256_001)], ["0.256", "0.512002"]);
}

#[test]
fn models_dev_tiers_win_over_the_old_threshold() {
    // the shape of a real trap: one premium under two thresholds, of which 272,000 is the true one
    let both = r#"{"openai": {"id": "openai", "models": {"gpt-5.9": {"id": "gpt-5.9", "limit": {"context": 1050000, "output": 128000},
        "cost": {"input": 5, "output": 30, "cache_read": 0.5, "cache_write": 6.25,
          "tiers": [{"input": 10, "output": 45, "cache_read": 1, "tier": {"type": "context", "size": 272000}}],
          "context_over_200k": {"input": 10, "output": 45, "cache_read": 1}}}}}}"#;
    let prices = over_shipped(&models_dev(both));
    let input = |prices: &Prices, model, input| cost(prices, "openai", model, None, NOON, Usage { input, ..NONE });
    assert_eq!(input(&prices, "gpt-5.9", 272_000), "1.36");
    assert_eq!(input(&prices, "gpt-5.9", 272_001), "2.72001");
    assert_eq!(cost(&prices, "openai", "gpt-5.9", None, NOON, Usage { cache_write: 100_000, ..NONE }), "0.625");

    // only the old one: the table's own threshold is believed
    let old = r#"{"openai": {"models": {"gpt-5.5": {"limit": {"context": 1050000},
        "cost": {"input": 6, "output": 30, "cache_read": 0.6, "context_over_200k": {"input": 12, "output": 45}}}}}}"#;
    let imported = models_dev(old);
    assert!(said(
        &imported,
        "openai/gpt-5.5: context_over_200k is known to stand for other thresholds; taken as over 272000"
    ));
    assert!(said(
        &imported,
        "openai/gpt-5.5: this catalogue knows no service tiers; those of the table stay as they are"
    ));
    let prices = over_shipped(&imported);
    assert_eq!(input(&prices, "gpt-5.5", 272_000), "1.632");
    assert_eq!(input(&prices, "gpt-5.5", 272_001), "3.264012");
    let batch = cost(&prices, "openai", "gpt-5.5", Some("batch"), NOON, Usage { input: 1000, ..NONE });
    assert_eq!(batch, "0.0025");
}

#[test]
fn models_dev_knows_no_peak_hours_and_calls_providers_by_other_names() {
    let imported = models_dev(
        r#"{"deepseek": {"models": {"deepseek-flash": {"cost": {"input": 0.15, "output": 0.6, "cache_read": 0.003}}}},
        "google": {"models": {"gemini-2.5-flash": {"cost": {"input": 0.3, "output": 2.5, "cache_read": 0.03, "input_audio": 1}},
                              "gemini-9": {"cost": {"input": 0.30000000000000004, "output": 2.5}}}},
        "302ai": {"models": {"a": {}, "b": {}}}}"#,
    );
    assert!(said(
        &imported,
        "deepseek/deepseek-flash: it has peak hours, of which this catalogue knows nothing; left as it is"
    ));
    assert!(said(&imported, "2 models of providers that have no price file were left out"));
    assert_eq!(imported.unchanged, 1);
    assert_eq!(imported.files.keys().collect::<Vec<_>>(), ["gemini"]);
    let prices = over_shipped(&imported);
    assert_eq!(cost(&prices, "gemini", "gemini-9", None, NOON, MILLION), "0.3");
    assert_eq!(cost(&prices, "deepseek", "deepseek-flash", None, "2026-11-25T02:00:00Z", MILLION), "0.3");
}
