//! Miscounts that other gateways shipped, each with the figures of its report: the amount that was wrong must not come
//! out, the invoice's must.
//!
//! Models that are gone from the catalogue are priced here as they were then, through the same files as an override.

use keywheel::catalog::price::{Certainty, drifts};
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::prices::{Prices, Query};
use keywheel::kit::{Money, Time};
use keywheel::wire::usage::{Meter, Report, Split, read};

/// The prices of the reports' days.
const THEN: &str = r#"
provider = "then"
usage = "cache_apart"
models = [
  { id = "claude-3-5-haiku", rates = [
    { input = "0.8", output = "4", cache_read = "0.08", cache_write = { "5m" = "1", "1h" = "1.6" } } ] },
  { id = "claude-3-7-sonnet", rates = [
    { input = "3", output = "15", cache_read = "0.3", cache_write = { "5m" = "3.75", "1h" = "6" } } ] },
  { id = "gpt-4o-2024", rates = [ { input = "2.5", output = "10", cache_read = "1.25" } ] },
  { id = "gemini-2.5-pro-2025", rates = [ { input = "1.25", output = "10", cache_read = "0.625" } ] },
  { id = "deepseek-v4-flash-0731", rates = [ { input = "0.22", output = "0.44", cache_read = "0.05" } ] },
]
"#;

fn prices() -> Prices {
    Prices::load(&[("then.toml", THEN)]).expect("prices")
}

fn time(text: &str) -> Time {
    Time::from_micros(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond())
}

fn priced(provider: &str, model: &str, at: &str, report: &Report) -> Money {
    let billing = Billing {
        at: time(at),
        service_tier: report.service_tier.as_deref(),
        region: report.region.as_deref(),
        speed: report.speed.as_deref(),
    };
    let query = Query { provider, asked: model, answered: report.model.as_deref(), billing };
    let usage = report.usage.expect("usage");
    let rates = prices().rates(&query, &usage).expect("a price");
    assert_eq!(rates.certainty(&usage), Certainty::Exact);
    rates.cost(&usage)
}

/// A whole answer with this usage.
fn whole(provider: &str, model: &str, at: &str, usage: &str) -> Money {
    let text = format!("{{\"usage\":{usage}}}");
    priced(provider, model, at, &read(text.as_bytes(), &prices().metering(provider)))
}

fn streamed(provider: &str, frames: &[&str]) -> Report {
    let mut meter = Meter::new(prices().metering(provider));
    for frame in frames {
        meter.frame(format!("data: {frame}\n\n").as_bytes());
    }
    meter.report()
}

const TODAY: &str = "2026-11-25T12:00:00Z";

#[test]
fn litellm_11789_cache_reads_of_a_stream_are_not_fresh_input() {
    let report = streamed(
        "then",
        &[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":4,"cache_creation_input_tokens":0,"cache_read_input_tokens":2455,"output_tokens":1}}}"#,
            r#"{"type":"message_delta","usage":{"output_tokens":23}}"#,
        ],
    );
    // 4 × 0.80 + 2455 × 0.08 + 23 × 4.00 = 3.2 + 196.4 + 92 = 291.6 millionths
    let cost = priced("then", "claude-3-5-haiku", TODAY, &report);
    assert_eq!(cost.exact(), "0.0002916");
    assert_eq!(cost.to_string(), "$0.000292", "and not $0.002059");
    // the same through a gateway that nests it the other way: prompt_tokens holds the cached ones
    let nested = r#"{"total_tokens":2482,"prompt_tokens":2459,"completion_tokens":23,
        "prompt_tokens_details":{"audio_tokens":null,"cached_tokens":0},"cache_read_input_tokens":2455,
        "completion_tokens_details":{"reasoning_tokens":0},"cache_creation_input_tokens":0}"#;
    assert_eq!(whole("then", "claude-3-5-haiku", TODAY, nested), cost);
}

#[test]
fn litellm_9812_cache_writes_are_billed_once() {
    let usage =
        r#"{"input_tokens":3,"cache_creation_input_tokens":12304,"cache_read_input_tokens":0,"output_tokens":550}"#;
    // 3 × 3 + 12304 × 3.75 + 550 × 15 = 9 + 46140 + 8250 = 54399 millionths: the invoice's 4.614 + 0.825 cents
    let cost = whole("then", "claude-3-7-sonnet", TODAY, usage);
    assert_eq!(cost.exact(), "0.054399");
    assert_eq!(format!("{cost:.4}"), "$0.0544", "and not $0.0913");
}

#[test]
fn litellm_6215_cached_tokens_are_part_of_the_prompt() {
    let usage = r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
        "prompt_tokens_details":{"cached_tokens":1920},"completion_tokens_details":{"reasoning_tokens":0}}"#;
    // (2006 − 1920) × 2.50 + 1920 × 1.25 + 300 × 10 = 215 + 2400 + 3000 = 5615 millionths
    assert_eq!(whole("then", "gpt-4o-2024", TODAY, usage).exact(), "0.005615");
}

#[test]
fn litellm_14849_cached_content_is_not_counted_twice() {
    let usage = r#"{"promptTokenCount":262960,"cachedContentTokenCount":257955,"candidatesTokenCount":1744,"totalTokenCount":264704,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":262960}]}"#;
    let text = format!("{{\"usageMetadata\":{usage}}}");
    let report = read(text.as_bytes(), &prices().metering("gemini"));
    // 5005 × 1.25 + 257955 × 0.625 + 1744 × 10 = 6256.25 + 161221.875 + 17440 = 184918.125 millionths
    let cost = priced("then", "gemini-2.5-pro-2025", TODAY, &report);
    assert_eq!(cost.exact(), "0.184918125");
    assert_eq!(format!("{cost:.4}"), "$0.1849", "and not $0.7642");
    // today's prices, where the whole request is over 200,000: 5005 × 2.50 + 257955 × 0.25 + 1744 × 15 = 103161.25
    assert_eq!(priced("gemini", "gemini-2.5-pro", TODAY, &report).exact(), "0.10316125");
}

#[test]
fn litellm_18599_visible_output_is_billed_beside_reasoning() {
    let answer = br#"{"service_tier":"default","model":"gpt-5-nano-2025-08-07","usage":{"completion_tokens":482,"prompt_tokens":17,
        "total_tokens":499,"completion_tokens_details":{"rejected_prediction_tokens":0,"accepted_prediction_tokens":0,
        "audio_tokens":0,"reasoning_tokens":448},"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":0}}}"#;
    let report = read(answer, &prices().metering("openai"));
    // 17 × 0.05 + (34 + 448) × 0.40 = 0.85 + 192.8 = 193.65 millionths; without the visible 34 it was 180.05
    assert_eq!(priced("openai", "gpt-5-nano", TODAY, &report).exact(), "0.00019365");
    // the second example of the report: 977 of which 768 reasoning; 209 visible ones, 21 %, were dropped
    let usage = r#"{"completion_tokens":977,"prompt_tokens":0,"completion_tokens_details":{"reasoning_tokens":768}}"#;
    // 977 × 0.40 = 390.8 millionths
    assert_eq!(whole("openai", "gpt-5-nano", TODAY, usage).exact(), "0.0003908");
}

#[test]
fn litellm_42663_the_later_total_of_cache_writes_wins_over_the_first_breakdown() {
    let start = |short: u64, long: u64| {
        let total = short + long;
        format!(
            r#"{{"type":"message_start","message":{{"usage":{{"input_tokens":100,"cache_creation_input_tokens":{total},"cache_read_input_tokens":0,"cache_creation":{{"ephemeral_5m_input_tokens":{short},"ephemeral_1h_input_tokens":{long}}},"output_tokens":1}}}}}}"#
        )
    };
    let delta = r#"{"type":"message_delta","usage":{"input_tokens":100,"cache_creation_input_tokens":10000,"cache_read_input_tokens":0,"output_tokens":200,"server_tool_use":{"web_search_requests":1}}}"#;
    let cost = |report: &Report| priced("anthropic", "claude-sonnet-5-5", TODAY, report).exact();

    // all writes so far for five minutes: 100 × 2 + 10000 × 2.50 + 200 × 10 + one search 10000 = 37200 millionths
    let report = streamed("anthropic", &[&start(4000, 0), delta]);
    assert_eq!((cost(&report).as_str(), report.split), ("0.0372", Split::Inferred));
    // all for an hour: 100 × 2 + 10000 × 4 + 200 × 10 + 10000 = 52200 millionths
    let report = streamed("anthropic", &[&start(0, 4000), delta]);
    assert_eq!((cost(&report).as_str(), report.split), ("0.0522", Split::Inferred));
    // from the first event alone it would have been 200 + 16000 + 2000 + 10000 = 28200: 46 % too little
    // both: what the breakdown leaves over is of the default time. 200 + 8500 × 2.50 + 1500 × 4 + 2000 + 10000 = 39450
    let report = streamed("anthropic", &[&start(2500, 1500), delta]);
    assert_eq!((cost(&report).as_str(), report.split), ("0.03945", Split::Inferred));
    // a breakdown that adds up is taken as told: 200 + 9000 × 2.50 + 1000 × 4 + 2000 + 10000 = 38700
    let report = streamed("anthropic", &[&start(9000, 1000), delta]);
    assert_eq!((cost(&report).as_str(), report.split), ("0.0387", Split::Told));
}

#[test]
fn litellm_36168_usage_beside_choices_is_not_lost() {
    let frame = r#"{"id": "ffd2f1b1f0af47dbb7941af302381b57", "created": 1786540743, "model": "deepseek-v4-flash-0731", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}}], "usage": {"completion_tokens": 2, "prompt_tokens": 16111, "total_tokens": 16113, "completion_tokens_details": {"reasoning_tokens": 0}, "prompt_tokens_details": {"cached_tokens": 15872}}}"#;
    let report = streamed("then", &[r#"{"choices":[{"delta":{"content":"ok"}}]}"#, frame, "[DONE]"]);
    // 239 × 0.22 + 15872 × 0.05 + 2 × 0.44 = 52.58 + 793.6 + 0.88 = 847.06 millionths
    let cost = priced("then", "deepseek-v4-flash-0731", TODAY, &report);
    assert_eq!(cost.exact(), "0.00084706");
    assert_eq!(
        cost.to_string(),
        "$0.000847",
        "as the buffered answer; the stream was billed $0.003392, four times as much"
    );
}

#[test]
fn litellm_37407_cached_image_tokens_are_billed_once_as_the_ticks_say() {
    let chat = |usage: &str| {
        let report =
            read(format!("{{\"model\":\"grok-4.6\",\"usage\":{usage}}}").as_bytes(), &prices().metering("xai"));
        let ours = priced("xai", "grok-4.6", TODAY, &report);
        let told = report.cost.expect("ticks");
        assert_eq!(ours, told, "our table and the provider's own price");
        assert!(!drifts(told, ours));
        ours.exact()
    };
    // 29 × 2 + 2432 × 0.50 + 303 × 6 = 58 + 1216 + 1818 = 3092; with 1142 image tokens once more it was 5318
    let warm = r#"{"prompt_tokens":2461,"completion_tokens":303,"total_tokens":2764,"cost_in_usd_ticks":30920000,
        "prompt_tokens_details":{"text_tokens":1319,"image_tokens":1142,"cached_tokens":2432}}"#;
    assert_eq!(chat(warm), "0.003092");
    assert!(drifts(Money::parse("0.003092").expect("usd"), Money::parse("0.005318").expect("usd")));
    // a cold cache that stays inside the text: 807 × 2 + 512 × 0.50 + 1142 × 2 + 664 × 6 = 8138
    let cold = r#"{"prompt_tokens":2461,"completion_tokens":664,"total_tokens":3125,"cost_in_usd_ticks":81380000,
        "prompt_tokens_details":{"text_tokens":1319,"image_tokens":1142,"cached_tokens":512}}"#;
    assert_eq!(chat(cold), "0.008138");
    // 29 × 2 + 2432 × 0.50 + 606 × 6 = 4910
    let responses = r#"{"input_tokens":2461,"input_tokens_details":{"cached_tokens":2432},"output_tokens":606,
        "total_tokens":3067,"cost_in_usd_ticks":49100000}"#;
    assert_eq!(chat(responses), "0.00491");
    // the same model's third dialect: 29 × 2 + 2432 × 0.50 + 401 × 6 = 3680
    let messages =
        r#"{"input_tokens":29,"output_tokens":401,"cache_read_input_tokens":2432,"cost_in_usd_ticks":36800000}"#;
    assert_eq!(chat(messages), "0.00368");
}

#[test]
fn latitude_4051_cached_and_reasoning_tokens_are_parts_and_not_additions() {
    // The report gives totals: 34,603 tokens, or 43,043 with cached and reasoning ones added; $0.108, and $0.178 and $0.248
    // with them billed two and three times. This split of them meets all five.
    let usage = r#"{"prompt_tokens":27003,"completion_tokens":7600,"total_tokens":34603,
        "prompt_tokens_details":{"cached_tokens":1664},"completion_tokens_details":{"reasoning_tokens":6776}}"#;
    assert_eq!(34_603 + 1_664 + 6_776, 43_043);
    // 25339 × 1.25 + 1664 × 0.125 + 7600 × 10 = 31673.75 + 208 + 76000 = 107881.75 millionths
    let cost = whole("openai", "gpt-5.1", TODAY, usage);
    assert_eq!(cost.exact(), "0.10788175");
    assert_eq!(format!("{cost:.3}"), "$0.108");
    // once more 1664 × 1.25 + 6776 × 10 = 69840, and once more again
    let wrong = cost.checked_add(Money::parse("0.06984").expect("usd")).expect("no overflow");
    assert_eq!(format!("{wrong:.3}"), "$0.178");
    let worse = wrong.checked_add(Money::parse("0.06984").expect("usd")).expect("no overflow");
    assert_eq!(format!("{worse:.3}"), "$0.248");
}

#[test]
fn yoagent_off_peak_hours_are_not_billed_as_peak() {
    let usage = r#"{"prompt_tokens":10000,"prompt_cache_hit_tokens":8000,"prompt_cache_miss_tokens":2000,"completion_tokens":1000,
        "total_tokens":11000}"#;
    let at = |time: &str| whole("deepseek", "deepseek-flash", time, usage).exact();
    // peak: 2000 × 0.30 + 8000 × 0.006 + 1000 × 1.20 = 600 + 48 + 1200 = 1848 millionths; off-peak half of it
    assert_eq!(at("2026-11-25T02:00:00Z"), "0.001848");
    assert_eq!(at("2026-11-25T05:00:00Z"), "0.000924");
    // a Saturday, and a public holiday that is a Friday
    assert_eq!(at("2026-11-28T02:00:00Z"), "0.000924");
    assert_eq!(at("2027-01-01T02:00:00Z"), "0.000924");
}
