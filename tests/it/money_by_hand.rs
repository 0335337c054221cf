//! Costs worked by hand: an answer as the provider sends it, and the sum as one would write it on paper.
//!
//! Each sum is tokens × USD for a million tokens, so that its result is in millionths of a USD (a web search at $10 for a
//! thousand is 10000 of them). The test does the sum too, so that a slip of the pen shows.

use keywheel::catalog::price::Certainty;
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::prices::{Prices, Query};
use keywheel::kit::{Money, Time, decimal};
use keywheel::wire::usage::read;

/// One case.
struct Case {
    name: &'static str,
    model: &'static str,
    at: &'static str,
    region: &'static str,
    body: &'static str,
    sum: &'static str,
}

/// Tokens are whole numbers and prices have at most six digits after the point.
fn paper(sum: &str) -> Option<(Money, Money)> {
    let (terms, result) = sum.split_once(" = ")?;
    let term = |term: &str| {
        let (tokens, price) = term.split_once('*')?;
        Some(Money::from_pico(tokens.parse::<i128>().ok()? * decimal::exact(price, 6).ok()?))
    };
    let total = terms.split(" + ").map(term).sum::<Option<Money>>()?;
    Some((total, Money::from_pico(decimal::exact(result, 6).ok()?)))
}

#[test]
fn sixty_costs_worked_by_hand_are_met() {
    let prices = Prices::shipped().expect("the shipped prices are sound");
    for &(name, model, at, region, body, sum) in CASES {
        let case = Case { name, model, at, region, body, sum };
        let (total, result) = paper(case.sum).unwrap_or_else(|| panic!("{}: {} is no sum", case.name, case.sum));
        assert_eq!(total, result, "{}: a slip of the pen in {}", case.name, case.sum);
        let (provider, asked) = case.model.split_once('/').expect("provider/model");
        let report = read(case.body.as_bytes(), &prices.metering(provider));
        let usage = report.usage.unwrap_or_else(|| panic!("{}: no usage", case.name));
        let at = case.at.parse::<jiff::Timestamp>().expect("a time").as_microsecond();
        let billing = Billing {
            at: Time::from_micros(at),
            service_tier: report.service_tier.as_deref(),
            region: report.region.as_deref().or(Some(case.region).filter(|region| !region.is_empty())),
            speed: report.speed.as_deref(),
        };
        let query = Query { provider, asked, answered: report.model.as_deref(), billing };
        let rates = prices.rates(&query, &usage).unwrap_or_else(|| panic!("{}: unpriced", case.name));
        assert_eq!(rates.cost(&usage).exact(), result.exact(), "{}: {}; {usage:?}", case.name, case.sum);
        assert_eq!(rates.certainty(&usage), Certainty::Exact, "{}", case.name);
    }
    assert!(CASES.len() >= 60, "{}", CASES.len());
}

/// Name, provider and model asked, time, region of the host, answer, sum.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Row] = &[
    ("plain chat", "openai/gpt-6.1-sol", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}}"#,
     "1000*2 + 500*10 = 7000"),
    ("a dated answer to an alias", "openai/gpt-6.1-terra", "2026-11-25T12:00:00Z", "",
     r#"{"model":"gpt-6.1-terra-2026-09-29","usage":{"prompt_tokens":300,"completion_tokens":40}}"#,
     "300*1 + 40*5 = 500"),
    ("cached prompt", "openai/gpt-5.4", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":20000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":19456}}}"#,
     "544*2.5 + 19456*0.25 + 100*15 = 7724"),
    ("cache writes are billed since this model", "openai/gpt-5.6-sol", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":5000,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":2048,"cache_write_tokens":2816}}}"#,
     "136*4 + 2048*0.4 + 2816*5 + 10*20 = 15643.2"),
    ("reasoning is part of the completion", "openai/o3", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":100,"completion_tokens":2000,"completion_tokens_details":{"reasoning_tokens":1900}}}"#,
     "100*2 + 100*8 + 1900*8 = 16200"),
    ("responses", "openai/gpt-5.1", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":75,"input_tokens_details":{"cached_tokens":0},"output_tokens":1186,"output_tokens_details":{"reasoning_tokens":1024},"total_tokens":1261}}"#,
     "75*1.25 + 162*10 + 1024*10 = 11953.75"),
    ("the last token below the cliff", "openai/gpt-6.1-sol", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":272000,"completion_tokens":1000}}"#,
     "272000*2 + 1000*10 = 554000"),
    ("the first token over the cliff moves the whole request", "openai/gpt-6.1-sol", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":272001,"completion_tokens":1000}}"#,
     "272001*4 + 1000*15 = 1103004"),
    ("cached tokens count for the cliff", "openai/gpt-6-astra", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":272001,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":272000}}}"#,
     "1*20 + 272000*2 + 1*75 = 544095"),
    ("the tier of the answer: flex", "openai/gpt-6-luna", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"flex","usage":{"prompt_tokens":8000,"completion_tokens":400}}"#,
     "8000*0.05 + 400*0.25 = 500"),
    ("the tier of the answer: priority is 1.75 times here", "openai/gpt-4.1", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"priority","usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":512}}}"#,
     "488*3.5 + 512*0.875 + 100*14 = 3556"),
    ("priority is 2.5 times here", "openai/gpt-5.5", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"priority","usage":{"prompt_tokens":1000,"completion_tokens":100}}"#,
     "1000*12.5 + 100*75 = 20000"),
    ("ultrafast over the cliff", "openai/gpt-6.1-sol", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"ultrafast","usage":{"prompt_tokens":300000,"completion_tokens":10}}"#,
     "300000*24 + 10*90 = 7200900"),
    ("decisions cost no output", "openai/gpt-6-luna", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"decisions","usage":{"prompt_tokens":5000,"completion_tokens":64}}"#,
     "5000*0.1 + 64*0 = 500"),
    ("the european host", "openai/gpt-5.6-luna", "2026-11-25T12:00:00Z", "eu",
     r#"{"usage":{"prompt_tokens":10000,"completion_tokens":1000}}"#,
     "10000*0.22 + 1000*1.32 = 3520"),
    ("audio in and out", "openai/gpt-audio", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1300,"completion_tokens":260,"prompt_tokens_details":{"audio_tokens":1000},"completion_tokens_details":{"audio_tokens":200}}}"#,
     "300*2.5 + 1000*32 + 60*10 + 200*64 = 46150"),
    ("the cheapest model", "openai/gpt-5-nano", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":1}}}"#,
     "1*0.005 + 1*0.4 = 0.405"),
    ("rejected predictions are billed", "openai/gpt-4o-mini", "2026-11-25T12:00:00Z", "",
     r#"{"model":"gpt-4o-mini-2024-07-18","usage":{"prompt_tokens":400,"completion_tokens":90,"completion_tokens_details":{"accepted_prediction_tokens":20,"rejected_prediction_tokens":50}}}"#,
     "400*0.15 + 90*0.6 = 114"),
    ("batch, half of an odd cache rate", "openai/gpt-5.4", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"batch","usage":{"prompt_tokens":1100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":1000}}}"#,
     "100*1.25 + 1000*0.13 + 10*7.5 = 330"),
    ("cache beside the input", "anthropic/claude-sonnet-5-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":9,"cache_creation_input_tokens":3755,"cache_read_input_tokens":30008,"output_tokens":120}}"#,
     "9*2 + 3755*2.5 + 30008*0.1 + 120*10 = 13606.3"),
    ("an hour costs twice the input", "anthropic/claude-opus-5-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":10,"cache_creation_input_tokens":3000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":2000},"cache_read_input_tokens":0,"output_tokens":50}}"#,
     "10*4 + 1000*5 + 2000*8 + 50*20 = 22040"),
    ("fast is twice as much", "anthropic/claude-opus-5-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":10,"cache_read_input_tokens":1000,"cache_creation_input_tokens":0,"output_tokens":50,"speed":"fast"}}"#,
     "10*8 + 1000*0.4 + 50*40 = 2480"),
    ("inference in the us", "anthropic/claude-fable-5-1", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":100,"cache_read_input_tokens":2000,"cache_creation_input_tokens":400,"output_tokens":30,"inference_geo":"us"}}"#,
     "100*11 + 2000*0.275 + 400*13.75 + 30*55 = 8800"),
    ("fast in the us", "anthropic/claude-opus-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":100,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":10,"inference_geo":"us","speed":"fast"}}"#,
     "100*11 + 10*55 = 1650"),
    ("batch", "anthropic/claude-haiku-4-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":1000,"cache_read_input_tokens":200,"cache_creation_input_tokens":40,"output_tokens":8,"service_tier":"batch"}}"#,
     "1000*0.5 + 200*0.05 + 40*0.625 + 8*2.5 = 555"),
    ("a cliff at 100,000 of five times", "anthropic/claude-haiku-5-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":1,"cache_read_input_tokens":100000,"cache_creation_input_tokens":0,"output_tokens":100}}"#,
     "1*0.5 + 100000*0.05 + 100*2.5 = 5250.5"),
    ("the same at its threshold", "anthropic/claude-haiku-5-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":0,"cache_read_input_tokens":100000,"cache_creation_input_tokens":0,"output_tokens":100}}"#,
     "100000*0.01 + 100*0.5 = 1050"),
    ("web searches", "anthropic/claude-sonnet-4-6", "2026-11-25T12:00:00Z", "",
     r#"{"model":"claude-sonnet-4-6-20260217","usage":{"input_tokens":700,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":300,"server_tool_use":{"web_search_requests":3}}}"#,
     "700*3 + 300*15 + 3*10000 = 36600"),
    ("thinking is part of the output", "anthropic/claude-mythos-5-1", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":20,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":900,"output_tokens_details":{"thinking_tokens":850}}}"#,
     "20*10 + 50*50 + 850*50 = 45200"),
    ("behind the compatible endpoint", "anthropic/claude-sonnet-5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#,
     "1000*2 + 100*10 = 3000"),
    ("thoughts beside the candidates", "gemini/gemini-3.5-flash", "2026-11-25T12:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":20,"thoughtsTokenCount":400,"totalTokenCount":520}}"#,
     "100*1.5 + 20*9 + 400*9 = 3930"),
    ("audio, cached audio", "gemini/gemini-2.5-flash", "2026-11-25T12:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":3000,"cachedContentTokenCount":1200,"candidatesTokenCount":10,"totalTokenCount":3010,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2000},{"modality":"TEXT","tokenCount":1000}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":800},{"modality":"TEXT","tokenCount":400}]}}"#,
     "600*0.3 + 1200*1 + 400*0.03 + 800*0.1 + 10*2.5 = 1497"),
    ("tool prompts are input", "gemini/gemini-2.5-flash-lite", "2026-11-25T12:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":100,"toolUsePromptTokenCount":900,"candidatesTokenCount":50,"totalTokenCount":1050}}"#,
     "1000*0.1 + 50*0.4 = 120"),
    ("over 200,000", "gemini/gemini-3.1-pro-preview", "2026-11-25T12:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":200001,"candidatesTokenCount":100,"totalTokenCount":200101}}"#,
     "200001*4 + 100*18 = 801804"),
    ("at 200,000", "gemini/gemini-3.1-pro-preview", "2026-11-25T12:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":200000,"candidatesTokenCount":100,"totalTokenCount":200100}}"#,
     "200000*2 + 100*12 = 401200"),
    ("priority over 200,000", "gemini/gemini-2.5-pro", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"priority","usageMetadata":{"promptTokenCount":300000,"cachedContentTokenCount":100000,"candidatesTokenCount":10,"totalTokenCount":300010}}"#,
     "200000*4.5 + 100000*0.45 + 10*27 = 945270"),
    ("a launch price on its last day", "gemini/gemini-4-argon", "2026-11-30T23:59:59Z", "",
     r#"{"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100}}"#,
     "1000*2 + 100*10 = 3000"),
    ("and the price of the day after", "gemini/gemini-4-argon", "2026-12-01T00:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100}}"#,
     "1000*4 + 100*20 = 6000"),
    ("thoughts cost the new output price too", "gemini/gemini-3.8-flash", "2027-01-01T00:00:00Z", "",
     r#"{"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":600,"candidatesTokenCount":10,"thoughtsTokenCount":90,"totalTokenCount":1100}}"#,
     "400*1.5 + 600*0.15 + 10*7.5 + 90*7.5 = 1440"),
    ("the compatible endpoint leaves thoughts to the total", "gemini/gemini-3.7-flash", "2026-11-25T12:00:00Z", "",
     r#"{"model":"models/gemini-3.7-flash","usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":520}}"#,
     "100*0.75 + 20*3.75 + 400*3.75 = 1650"),
    ("reasoning beside the completion", "xai/grok-4.3", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}}"#,
     "32*1.25 + 9*2.5 + 94*2.5 = 297.5"),
    ("the threshold itself is in the upper tier", "xai/grok-4.7", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":200000,"completion_tokens":10,"total_tokens":200010}}"#,
     "200000*4 + 10*12 = 800120"),
    ("one token less is not", "xai/grok-4.7", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":199999,"completion_tokens":10,"total_tokens":200009}}"#,
     "199999*2 + 10*6 = 400058"),
    ("batch is four fifths", "xai/grok-4.7", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"batch","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":500}}}"#,
     "500*1.6 + 500*0.4 + 100*4.8 = 1480"),
    ("images cost as text does", "xai/grok-build-0.1", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1400,"completion_tokens":7,"total_tokens":1407,"prompt_tokens_details":{"text_tokens":400,"image_tokens":1000}}}"#,
     "400*1 + 1000*1 + 7*2 = 1414"),
    ("an agent's turn, as its ticks said", "xai/grok-4.5", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"input_tokens":12929,"output_tokens":29,"total_tokens":12958,"input_tokens_details":{"cached_tokens":10880}}}"#,
     "2049*2 + 10880*0.3 + 29*6 = 7536"),
    ("before the peak", "deepseek/deepseek-v4-pro", "2026-11-24T00:59:59Z", "",
     r#"{"usage":{"prompt_tokens":70000,"prompt_cache_hit_tokens":64000,"prompt_cache_miss_tokens":6000,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":300}}}"#,
     "6000*0.66 + 64000*0.022 + 200*1.98 + 300*1.98 = 6358"),
    ("at its start", "deepseek/deepseek-v4-pro", "2026-11-24T01:00:00Z", "",
     r#"{"usage":{"prompt_tokens":70000,"prompt_cache_hit_tokens":64000,"prompt_cache_miss_tokens":6000,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":300}}}"#,
     "6000*1.32 + 64000*0.044 + 200*3.96 + 300*3.96 = 12716"),
    ("between the peaks", "deepseek/deepseek-v4-flash-1017", "2026-11-24T04:00:00Z", "",
     r#"{"usage":{"prompt_tokens":70000,"prompt_cache_hit_tokens":64000,"prompt_cache_miss_tokens":6000,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":300}}}"#,
     "6000*0.15 + 64000*0.003 + 200*0.6 + 300*0.6 = 1392"),
    ("in the second peak", "deepseek/deepseek-flash", "2026-11-24T09:59:59Z", "",
     r#"{"usage":{"prompt_tokens":70000,"prompt_cache_hit_tokens":64000,"prompt_cache_miss_tokens":6000,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":300}}}"#,
     "6000*0.3 + 64000*0.006 + 200*1.2 + 300*1.2 = 2784"),
    ("on Sunday", "deepseek/deepseek-flash", "2026-11-22T08:00:00Z", "",
     r#"{"usage":{"prompt_tokens":70000,"prompt_cache_hit_tokens":64000,"prompt_cache_miss_tokens":6000,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":300}}}"#,
     "6000*0.15 + 64000*0.003 + 200*0.6 + 300*0.6 = 1392"),
    ("mistral", "mistral/mistral-large-4", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":50}}}"#,
     "950*1.36 + 50*0.14 + 100*4.18 = 1717"),
    ("groq, usage in the vendor's own member", "groq/openai/gpt-oss-20b", "2026-11-25T12:00:00Z", "",
     r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}"#,
     "1000*0.075 + 100*0.3 = 105"),
    ("groq on demand", "groq/openai/gpt-oss-120b", "2026-11-25T12:00:00Z", "",
     r#"{"service_tier":"on_demand","usage":{"prompt_tokens":2000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":1024}}}"#,
     "976*0.15 + 1024*0.075 + 100*0.6 = 283.2"),
    ("cerebras", "cerebras/gpt-oss-120b", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1000,"completion_tokens":100}}"#,
     "1000*0.35 + 100*0.75 = 425"),
    ("together", "together/moonshotai/Kimi-K3", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":900}}}"#,
     "100*3 + 900*0.3 + 100*15 = 2070"),
    ("azure in an american data zone", "azure/gpt-6.1-sol", "2026-11-25T12:00:00Z", "us",
     r#"{"usage":{"prompt_tokens":300000,"completion_tokens":1000,"prompt_tokens_details":{"cached_tokens":100000}}}"#,
     "200000*4.4 + 100000*0.22 + 1000*16.5 = 918500"),
    ("a router's fee on top of the model that answered", "azure/model-router", "2026-11-25T12:00:00Z", "",
     r#"{"model":"gpt-4.1-2025-04-14","usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":400}}}"#,
     "600*2.14 + 400*0.64 + 100*8 = 2340"),
    ("moonshot, usage in the choice", "moonshot/kimi-k3.1-pro", "2026-11-25T12:00:00Z", "",
     r#"{"choices":[{"delta":{},"usage":{"prompt_tokens":1900,"completion_tokens":210,"total_tokens":2110,"cached_tokens":1000}}]}"#,
     "900*2 + 1000*0.2 + 210*10 = 4100"),
    ("minimax over 512,000", "minimax/MiniMax-M3", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":512001,"completion_tokens":1000}}"#,
     "512001*0.6 + 1000*2.4 = 309600.6"),
    ("z.ai", "zai/glm-5.3", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":500}}}"#,
     "500*1.4 + 500*0.26 + 100*4.4 = 1270"),
    ("dashscope", "dashscope/qwen3.8-flash", "2026-11-25T12:00:00Z", "",
     r#"{"usage":{"prompt_tokens":3000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":1000,"cache_creation_tokens":500}}}"#,
     "1500*0.15 + 1000*0.016 + 500*0.2 + 100*0.47 = 388"),
    ("a local model costs nothing, which is known", "ollama/llama4:8b", "2026-11-25T12:00:00Z", "",
     r#"{"model":"llama4:8b","usage":{"prompt_tokens":1000,"completion_tokens":100}}"#,
     "1000*0 + 100*0 = 0"),
];
