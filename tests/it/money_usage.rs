//! Usage as providers tell it: whole answers and streams, every nesting, into buckets that do not overlap.

use keywheel::kit::Usage;
use keywheel::kit::usage::{Metering, ReportedCost, Shape, UpstreamCost};
use keywheel::wire::usage::{Meter, Report, Split, mentions, read};

fn shape(shape: Shape) -> Metering {
    Metering { shape, ..Metering::default() }
}

fn body(named: Shape, usage: &str) -> Usage {
    let text = format!("{{\"id\":\"x\",\"model\":\"m\",\"usage\":{usage}}}");
    read(text.as_bytes(), &shape(named)).usage.expect("usage")
}

fn stream(metering: &Metering, frames: &[&str]) -> Report {
    let mut meter = Meter::new(metering.clone());
    for frame in frames {
        meter.frame(format!("data: {frame}\n\n").as_bytes());
    }
    meter.report()
}

#[test]
fn chat_counts_parts_once() {
    let usage = body(
        Shape::Inclusive,
        r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
            "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":6},
            "completion_tokens_details":{"reasoning_tokens":100,"audio_tokens":50,"rejected_prediction_tokens":9}}"#,
    );
    let expected = Usage {
        input: 80,
        audio_in: 6,
        cache_read: 1920,
        output: 150,
        reasoning: 100,
        audio_out: 50,
        ..Usage::default()
    };
    assert_eq!(usage, expected, "rejected predictions are billed as output and stay in it");
}

#[test]
fn completions_and_embeddings_have_no_details() {
    let usage = body(Shape::Inclusive, r#"{"prompt_tokens":8,"total_tokens":8}"#);
    assert_eq!(usage, Usage { input: 8, ..Usage::default() });
    let usage = body(Shape::Inclusive, r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}"#);
    assert_eq!(usage, Usage { input: 5, output: 7, ..Usage::default() });
}

#[test]
fn responses_are_read_under_their_names_and_inside_their_last_event() {
    let usage = r#"{"input_tokens":75,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":8},
        "output_tokens":1186,"output_tokens_details":{"reasoning_tokens":1024},"total_tokens":1261}"#;
    let expected = Usage { input: 3, cache_read: 64, cache_write: 8, output: 162, reasoning: 1024, ..Usage::default() };
    assert_eq!(body(Shape::Inclusive, usage), expected);
    let created = r#"{"type":"response.created","response":{"model":"m","usage":null}}"#;
    let usage = usage.replace('\n', "");
    let done = format!(
        r#"{{"type":"response.completed","response":{{"model":"gpt-5.1-2025-11-13","service_tier":"flex","usage":{usage}}}}}"#
    );
    let report = stream(&Metering::default(), &[created, &done]);
    assert_eq!(report.usage, Some(expected));
    assert_eq!(report.model.as_deref(), Some("gpt-5.1-2025-11-13"));
    assert_eq!(report.service_tier.as_deref(), Some("flex"));
}

#[test]
fn image_answers_count_images_apart() {
    let usage = body(
        Shape::Inclusive,
        r#"{"input_tokens":400,"input_tokens_details":{"text_tokens":77,"image_tokens":323},"output_tokens":272,
            "output_tokens_details":{"image_tokens":272},"total_tokens":672}"#,
    );
    assert_eq!(usage, Usage { input: 77, image_in: 323, image_out: 272, ..Usage::default() });
}

#[test]
fn reasoning_is_added_only_where_the_total_says_that_it_was_left_out() {
    let apart = r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
        "completion_tokens_details":{"reasoning_tokens":94}}"#;
    let within = r#"{"prompt_tokens":32,"completion_tokens":103,"total_tokens":135,
        "completion_tokens_details":{"reasoning_tokens":94}}"#;
    let expected = Usage { input: 32, output: 9, reasoning: 94, ..Usage::default() };
    assert_eq!(body(Shape::ReasoningApart, apart), expected);
    assert_eq!(body(Shape::ReasoningApart, within), expected, "folding twice would bill 94 tokens twice");
    assert_eq!(body(Shape::Inclusive, within), expected);
    let odd = r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":100,
        "completion_tokens_details":{"reasoning_tokens":94}}"#;
    assert_eq!(body(Shape::ReasoningApart, odd).total_output(), 9, "a total that fits neither way changes nothing");
    let silent = r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135}"#;
    assert_eq!(body(Shape::ReasoningApart, silent), expected, "what only the total knows of was reasoning");
}

#[test]
fn cache_hits_and_misses_make_the_prompt() {
    let usage = body(
        Shape::HitMiss,
        r#"{"prompt_tokens":100,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36,"completion_tokens":50,
            "total_tokens":150,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":20}}"#,
    );
    assert_eq!(usage, Usage { input: 36, cache_read: 64, output: 30, reasoning: 20, ..Usage::default() });
    let only_details = r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":64}}"#;
    assert_eq!(body(Shape::HitMiss, only_details).cache_read, 64);
}

#[test]
fn caches_beside_the_input_are_not_subtracted_from_it() {
    let text =
        br#"{"model":"m","usage":{"input_tokens":3,"cache_creation_input_tokens":12304,"cache_read_input_tokens":7,
        "cache_creation":{"ephemeral_5m_input_tokens":12000,"ephemeral_1h_input_tokens":304},"output_tokens":550,
        "server_tool_use":{"web_search_requests":2},"service_tier":"standard","inference_geo":"us","speed":"fast"}}"#;
    let report = read(text, &shape(Shape::CacheApart));
    let expected = Usage {
        input: 3,
        cache_read: 7,
        cache_write: 12000,
        cache_write_1h: 304,
        output: 550,
        searches: 2,
        ..Usage::default()
    };
    assert_eq!(report.usage, Some(expected));
    assert_eq!(report.split, Split::Told);
    let words = [report.service_tier, report.region, report.speed].map(Option::unwrap_or_default);
    assert_eq!(words, ["standard", "us", "fast"]);
}

#[test]
fn a_stream_tells_caches_in_pieces_and_the_last_word_on_each_counts() {
    let start = r#"{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":25,
        "cache_creation_input_tokens":0,"cache_read_input_tokens":500,"output_tokens":1,"service_tier":"standard"}}}"#;
    let start = start.replace('\n', "");
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":120}}"#;
    let report = stream(&shape(Shape::CacheApart), &[&start, delta]);
    assert_eq!(report.usage, Some(Usage { input: 25, cache_read: 500, output: 120, ..Usage::default() }));
    assert_eq!(report.model.as_deref(), Some("claude-x"));
    // an explicit zero takes a stale count back
    let zeroed =
        r#"{"type":"message_delta","usage":{"cache_read_input_tokens":0,"input_tokens":525,"output_tokens":120}}"#;
    let report = stream(&shape(Shape::CacheApart), &[&start, zeroed]);
    assert_eq!(report.usage, Some(Usage { input: 525, output: 120, ..Usage::default() }));
}

#[test]
fn thoughts_stand_beside_candidates_and_tool_prompts_beside_the_prompt() {
    let text = br#"{"candidates":[],"modelVersion":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":1000,
        "cachedContentTokenCount":300,"candidatesTokenCount":20,"thoughtsTokenCount":409,"toolUsePromptTokenCount":50,
        "totalTokenCount":1479,"promptTokensDetails":[{"modality":"TEXT","tokenCount":600},{"modality":"AUDIO","tokenCount":400}],
        "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":100},{"modality":"TEXT","tokenCount":200}]}}"#;
    let report = read(text, &shape(Shape::ThoughtsApart));
    let expected = Usage {
        input: 450,
        cache_read: 200,
        cache_read_audio: 100,
        audio_in: 300,
        output: 20,
        reasoning: 409,
        ..Usage::default()
    };
    assert_eq!(report.usage, Some(expected));
    assert_eq!(expected.total_input() + expected.total_output(), 1479, "the provider's total");
    assert_eq!(report.model.as_deref(), Some("gemini-2.5-flash"));
}

#[test]
fn cumulative_usage_in_every_chunk_is_not_summed() {
    let chunk = |output: u64| {
        format!(
            r#"{{"usageMetadata":{{"promptTokenCount":10,"candidatesTokenCount":{output},"totalTokenCount":{}}}}}"#,
            10 + output
        )
    };
    let report = stream(&shape(Shape::ThoughtsApart), &[&chunk(1), &chunk(5), &chunk(9)]);
    assert_eq!(report.usage, Some(Usage { input: 10, output: 9, ..Usage::default() }));
}

#[test]
fn the_last_usage_counts_wherever_it_stands() {
    let empty = r#"{"choices":[{"delta":{"content":"hi"}}],"usage":null}"#;
    let real = r#"{"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
    let expected = Some(Usage { input: 9, output: 3, ..Usage::default() });
    for frames in [
        vec![empty, real],
        vec![real, empty],
        vec![real, r#"{"choices":[],"cost":"0"}"#, "[DONE]"],
        vec![real, r#"{"choices":[],"usage":{}}"#],
        vec![real, r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#],
        vec![r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#, real],
        vec![r#"{"choices":[],"id":"","model":"","prompt_filter_results":[],"usage":null}"#, real],
    ] {
        let report = stream(&Metering::default(), &frames);
        assert_eq!(report.usage, expected, "{frames:?}");
        assert_eq!(report.model.as_deref(), Some("m-1"), "{frames:?}");
    }
}

#[test]
fn data_names_further_places_of_usage() {
    let frame = r#"{"choices":[{"delta":{},"usage":{"prompt_tokens":19,"completion_tokens":21,"total_tokens":40,"cached_tokens":10}}]}"#;
    assert_eq!(stream(&Metering::default(), &[frame]).usage, None);
    let metering = Metering { also_at: Some("/choices/0/usage".to_owned()), ..Metering::default() };
    let expected = Usage { input: 9, cache_read: 10, output: 21, ..Usage::default() };
    assert_eq!(stream(&metering, &[frame]).usage, Some(expected));
    assert_eq!(stream(&metering, &[r#"{"usage":null,"choices":[]}"#, r#"{"x":"usage"}"#]).usage, None);
}

#[test]
fn the_family_shows_in_the_members_when_one_provider_speaks_several_dialects() {
    let apart = r#"{"input_tokens":3,"cache_read_input_tokens":7,"output_tokens":5}"#;
    for named in [Shape::Inclusive, Shape::HitMiss, Shape::ReasoningApart] {
        assert_eq!(body(named, apart), Usage { input: 3, cache_read: 7, output: 5, ..Usage::default() });
    }
    let chat =
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":7}}"#;
    for named in [Shape::CacheApart, Shape::ThoughtsApart] {
        assert_eq!(body(named, chat), Usage { input: 3, cache_read: 7, output: 5, ..Usage::default() });
    }
}

#[test]
fn reported_cost_is_read_without_floating_point() {
    let ticks = ReportedCost {
        field: "cost_in_usd_ticks".to_owned(),
        unit: keywheel::kit::Money::from_pico(100),
        upstream: None,
    };
    let metering = Metering { cost: Some(ticks), ..Metering::default() };
    let report =
        read(br#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost_in_usd_ticks":49100000}}"#, &metering);
    assert_eq!(report.cost.map(|cost| cost.exact()).as_deref(), Some("0.00491"));

    let upstream = UpstreamCost { at: "/cost_details/upstream_inference_cost".to_owned(), when: "/is_byok".to_owned() };
    let unit = keywheel::kit::Money::from_pico(1_000_000_000_000);
    let metering = Metering {
        cost: Some(ReportedCost { field: "cost".to_owned(), unit, upstream: Some(upstream) }),
        ..Metering::default()
    };
    let cost = |usage: &str| read(format!("{{\"usage\":{usage}}}").as_bytes(), &metering).cost.map(|cost| cost.exact());
    assert_eq!(cost(r#"{"cost":0.0049099999999999994}"#).as_deref(), Some("0.00491"));
    assert_eq!(
        cost(r#"{"cost":1.4e-05,"is_byok":false,"cost_details":{"upstream_inference_cost":0.5}}"#).as_deref(),
        Some("0.000014")
    );
    assert_eq!(
        cost(r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}"#).as_deref(),
        Some("0.21")
    );
    assert_eq!(cost(r#"{"cost":{"total_cost":1}}"#), None, "another provider's object of that name");
    assert_eq!(cost(r#"{"prompt_tokens":1}"#), None);
}

#[test]
fn broken_usage_says_nothing_and_harms_nothing() {
    for text in [
        "",
        "[]",
        "null",
        "{",
        "{\"usage\":7}",
        "{\"usage\":[]}",
        "{\"usage\":{\"prompt_tokens\":\"many\"}}",
        "\u{feff}",
    ] {
        assert_eq!(read(text.as_bytes(), &Metering::default()).usage, None, "{text:?}");
    }
    assert_eq!(read(&[0xff, 0xfe], &Metering::default()), Report::default());
    let odd = r#"{"prompt_tokens":12.0,"completion_tokens":"3","total_tokens":-1,"prompt_tokens_details":7,
        "completion_tokens_details":{"reasoning_tokens":99}}"#;
    assert_eq!(
        body(Shape::Inclusive, odd),
        Usage { input: 12, reasoning: 3, ..Usage::default() },
        "parts stay in their whole"
    );
    let twice = r#"{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":0}"#;
    assert_eq!(body(Shape::Inclusive, twice).input, 2, "the last of equal keys, as most parsers have it");
    let huge = r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615,"total_tokens":5,
        "completion_tokens_details":{"reasoning_tokens":18446744073709551615}}"#;
    for named in [Shape::Inclusive, Shape::ReasoningApart, Shape::HitMiss, Shape::CacheApart, Shape::ThoughtsApart] {
        assert_eq!(body(named, huge).total_input(), u64::MAX);
    }
}

#[test]
fn blank_lines_before_a_body_and_streams_in_one_array_are_read() {
    let body = "\u{feff}\n\n\n{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n";
    assert_eq!(
        read(body.as_bytes(), &Metering::default()).usage,
        Some(Usage { input: 4, output: 2, ..Usage::default() })
    );
    let array = r#"[{"usageMetadata":{"promptTokenCount":4,"totalTokenCount":5}},
        {"modelVersion":"m","usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":3,"totalTokenCount":7}}]"#;
    let report = read(array.as_bytes(), &shape(Shape::ThoughtsApart));
    assert_eq!(report.usage, Some(Usage { input: 4, output: 3, ..Usage::default() }));
    assert_eq!(report.model.as_deref(), Some("m"));
}

#[test]
fn frames_without_usage_are_not_decoded() {
    assert!(!mentions(br#"data: {"choices":[{"delta":{"content":"x"}}],"usage":null}"#));
    assert!(!mentions(br#"data: {"choices":[],"usage" : null }"#));
    assert!(!mentions(b"data: {\"choices\":[]}"));
    assert!(mentions(br#"data: {"usage":{"prompt_tokens":1}}"#));
    assert!(mentions(br#"data: {"usageMetadata":{}}"#));
    assert!(mentions(br#"data: {"usage":null,"response":{"usage":{}}}"#));
}

#[test]
fn writes_can_be_kept_for_the_time_that_the_request_named() {
    let usage = Usage { cache_write: 5, cache_write_1h: 1, ..Usage::default() };
    assert_eq!(usage.kept_for(0), usage);
    assert_eq!(usage.kept_for(1), Usage { cache_write_1h: 6, ..Usage::default() });
    assert_eq!(usage.kept_for(24), Usage { cache_write_1h: 1, cache_write_12h: 5, ..Usage::default() });
}
