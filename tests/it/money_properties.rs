//! What holds for every usage: buckets never overlap and sum to the provider's totals; costs are the same twice, never
//! fall when a count rises, and are linear in each bucket within one tier.

use keywheel::catalog::price::Rates;
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::price_worst::{Bound, Reach, Unbounded};
use keywheel::catalog::prices::{Prices, Query};
use keywheel::kit::usage::{Metering, Shape};
use keywheel::kit::{Money, Time, Usage};
use keywheel::wire::usage::{Meter, read};
use proptest::prelude::*;
use std::sync::LazyLock;

static PRICES: LazyLock<Prices> = LazyLock::new(|| Prices::shipped().expect("the shipped prices are sound"));

/// The same files, read once more.
static AGAIN: LazyLock<Prices> = LazyLock::new(|| Prices::shipped().expect("the shipped prices are sound"));

fn metered(shape: Shape, body: &serde_json::Value) -> Usage {
    let metering = Metering { shape, ..Metering::default() };
    let whole = read(body.to_string().as_bytes(), &metering);
    let mut meter = Meter::new(metering);
    meter.frame(format!("data: {body}\n\n").as_bytes());
    assert_eq!(meter.report(), whole, "a frame says what a body says");
    whole.usage.expect("usage")
}

fn sum(usage: &Usage) -> u64 {
    usage.counts()[..12].iter().sum()
}

const MOST: u64 = 1 << 40;

/// A whole and parts of it that overlap, contradict each other and are missing at times.
fn parts() -> impl Strategy<Value = (u64, [Option<u64>; 4])> {
    (0..MOST).prop_flat_map(|whole| {
        let part = || prop::option::of(prop_oneof![0..=whole, 0..MOST]);
        (Just(whole), [part(), part(), part(), part()])
    })
}

fn model() -> impl Strategy<Value = (String, String)> {
    let all: Vec<(String, String)> = PRICES
        .sheets()
        .iter()
        .flat_map(|(id, sheet)| sheet.models.iter().map(move |model| (id.clone(), model.prices.id.clone())))
        .collect();
    prop::sample::select(all)
}

fn usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform14(prop_oneof![Just(0), 0..1000u64, 0..400_000u64]).prop_map(|mut counts| {
        counts[12] %= 10;
        counts[13] %= 10;
        from(counts)
    })
}

fn billing() -> impl Strategy<Value = Billing<'static>> {
    let word = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words));
    // around the price changes at the end of 2026
    let at = (1_795_000_000i64..1_800_000_000).prop_map(|seconds| Time::from_micros(seconds * 1_000_000));
    let tiers = word(&["default", "batch", "flex", "priority", "ultrafast", "decisions", "standard", "unheard-of"]);
    (at, tiers, word(&["us", "eu", "global"]), word(&["standard", "fast"]))
        .prop_map(|(at, service_tier, region, speed)| Billing { at, service_tier, region, speed })
}

fn rates(model: &(String, String), billing: Billing<'_>, input: u64) -> Rates {
    let model = PRICES.model(&model.0, &model.1).expect("a model of the table");
    model.rates(&billing, input).expect("rates")
}

/// Members that mean something to some shape.
const MEMBERS: [&str; 22] = [
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "cached_tokens",
    "cached_tokens_details",
    "reasoning_tokens",
    "audio_tokens",
    "image_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "ephemeral_1h_input_tokens",
    "prompt_cache_hit_tokens",
    "prompt_cache_miss_tokens",
    "promptTokenCount",
    "totalTokenCount",
    "promptTokensDetails",
    "cost",
];

/// JSON that has the right names and anything for values.
fn odd_json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<bool>().prop_map(Into::into),
        "[0-9e.\\-]{0,8}".prop_map(Into::into),
    ];
    scalar.prop_recursive(3, 64, 12, |inner| {
        let member = (prop::sample::select(&MEMBERS[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(member, 0..12).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
            prop::collection::vec(inner, 0..3).prop_map(Into::into),
        ]
    })
}

proptest! {
    #[test]
    fn no_usage_makes_the_reader_fail(first in odd_json(), second in odd_json(), place in prop::sample::select(vec!["usage", "usageMetadata"])) {
        for shape in [Shape::Inclusive, Shape::ReasoningApart, Shape::HitMiss, Shape::CacheApart, Shape::ThoughtsApart] {
            let unit = Money::from_pico(i128::MAX);
            let cost = Some(keywheel::kit::usage::ReportedCost { field: "cost".to_owned(), unit, upstream: None });
            let mut meter = Meter::new(Metering { shape, also_at: Some("/message/usage".to_owned()), cost });
            meter.frame(format!("data: {}\n\n", serde_json::json!({ place: first })).as_bytes());
            meter.frame(format!("data: {}\n\n", serde_json::json!({ "message": { place: second } })).as_bytes());
            let report = meter.report();
            if let Some(usage) = report.usage {
                prop_assert_eq!(usage.kept_for(24).total_input(), usage.total_input());
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let report = read(&bytes, &Metering::default());
        prop_assert!(report.usage.is_none());
    }

    #[test]
    fn inclusive_buckets_sum_to_the_totals(
        prompt in parts(), completion in parts(), details in any::<bool>(), responses in any::<bool>(), hit_miss in any::<bool>(),
    ) {
        let (side_in, side_out) = if responses { ("input", "output") } else { ("prompt", "completion") };
        let [cached, written, audio, image] = prompt.1;
        let [reasoning, audio_out, image_out, _] = completion.1;
        let mut usage = serde_json::json!({
            format!("{side_in}_tokens"): prompt.0,
            format!("{side_out}_tokens"): completion.0,
            "total_tokens": prompt.0 + completion.0,
        });
        if details {
            usage[format!("{side_in}_tokens_details")] = serde_json::json!({
                "cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio, "image_tokens": image,
                "cached_tokens_details": { "audio_tokens": written },
            });
            usage[format!("{side_out}_tokens_details")] = serde_json::json!({
                "reasoning_tokens": reasoning, "audio_tokens": audio_out, "image_tokens": image_out,
            });
        }
        let shape = if hit_miss { Shape::HitMiss } else { Shape::Inclusive };
        let usage = metered(shape, &serde_json::json!({ "usage": usage }));
        prop_assert_eq!(usage.total_input(), prompt.0);
        prop_assert_eq!(usage.total_output(), completion.0);
        prop_assert_eq!(sum(&usage), prompt.0 + completion.0);
    }

    #[test]
    fn hits_and_misses_sum_to_the_prompt(hit in 0..MOST, miss in 0..MOST, completion in 0..MOST) {
        let usage = metered(Shape::HitMiss, &serde_json::json!({ "usage": {
            "prompt_tokens": hit + miss, "prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": miss,
            "completion_tokens": completion,
        }}));
        prop_assert_eq!((usage.cache_read, usage.input), (hit, miss));
        prop_assert_eq!(sum(&usage), hit + miss + completion);
    }

    #[test]
    fn reasoning_apart_sums_to_the_total_either_way(prompt in 0..MOST, visible in 0..MOST, reasoning in 0..MOST, apart in any::<bool>()) {
        let completion = if apart { visible } else { visible + reasoning };
        let total = prompt + visible + reasoning;
        let usage = metered(Shape::ReasoningApart, &serde_json::json!({ "usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total,
            "completion_tokens_details": { "reasoning_tokens": reasoning },
        }}));
        prop_assert_eq!((usage.input, usage.output, usage.reasoning), (prompt, visible, reasoning));
        prop_assert_eq!(sum(&usage), total);
    }

    #[test]
    fn caches_apart_sum_to_input_and_caches(
        input in 0..MOST, read in 0..MOST, written in prop::option::of(0..MOST), short in prop::option::of(0..MOST),
        long in prop::option::of(0..MOST), output in 0..MOST, thinking in 0..MOST,
    ) {
        let mut usage = serde_json::json!({
            "input_tokens": input, "cache_read_input_tokens": read, "output_tokens": output,
            "output_tokens_details": { "thinking_tokens": thinking },
            "cache_creation": { "ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long },
        });
        if let Some(written) = written {
            usage["cache_creation_input_tokens"] = written.into();
        }
        let usage = metered(Shape::CacheApart, &serde_json::json!({ "usage": usage }));
        let writes = written.unwrap_or(short.unwrap_or_default() + long.unwrap_or_default());
        prop_assert_eq!(usage.cache_write + usage.cache_write_1h, writes);
        prop_assert_eq!(usage.total_input(), input + read + writes);
        prop_assert_eq!(usage.total_output(), output);
    }

    #[test]
    fn thoughts_apart_sum_to_the_total(prompt in parts(), tools in 0..MOST, candidates in parts(), thoughts in 0..MOST) {
        let list = |audio: Option<u64>, image: Option<u64>| serde_json::json!([
            { "modality": "AUDIO", "tokenCount": audio }, { "modality": "IMAGE", "tokenCount": image },
            { "modality": "TEXT", "tokenCount": 1 },
        ]);
        let [cached, cached_audio, audio, image] = prompt.1;
        let total = prompt.0 + tools + candidates.0 + thoughts;
        let usage = metered(Shape::ThoughtsApart, &serde_json::json!({ "usageMetadata": {
            "promptTokenCount": prompt.0, "toolUsePromptTokenCount": tools, "candidatesTokenCount": candidates.0,
            "thoughtsTokenCount": thoughts, "totalTokenCount": total, "cachedContentTokenCount": cached,
            "promptTokensDetails": list(audio, image), "cacheTokensDetails": list(cached_audio, None),
            "candidatesTokensDetails": list(candidates.1[0], candidates.1[1]),
        }}));
        prop_assert_eq!(usage.total_input(), prompt.0 + tools);
        prop_assert_eq!(usage.total_output(), candidates.0 + thoughts);
        prop_assert_eq!(sum(&usage), total);
    }

    #[test]
    fn the_same_usage_costs_the_same_twice(model in model(), usage in usage(), billing in billing()) {
        let again = AGAIN.model(&model.0, &model.1).and_then(|model| model.rates(&billing, usage.total_input()));
        let first = rates(&model, billing, usage.total_input());
        prop_assert_eq!(Some(&first), again.as_ref(), "rates and their version");
        prop_assert_eq!(first.cost(&usage), again.expect("rates").cost(&usage));
    }

    #[test]
    fn within_one_tier_cost_is_linear_in_each_bucket(model in model(), usage in usage(), billing in billing(), times in 2u64..50) {
        let rates = rates(&model, billing, usage.total_input());
        let fee = rates.cost(&Usage::default());
        let parts: Money = (0..14).map(|bucket| rates.cost(&only(&usage, bucket)).saturating_sub(fee)).sum();
        prop_assert_eq!(rates.cost(&usage), parts.saturating_add(fee), "buckets do not touch each other");
        for bucket in 0..14 {
            let one = only(&usage, bucket);
            let part = rates.cost(&one).saturating_sub(fee);
            let more = rates.cost(&scaled(&one, times)).saturating_sub(fee);
            prop_assert_eq!(Some(more), part.checked_mul(times));
        }
    }

    #[test]
    fn more_tokens_never_cost_less(model in model(), usage in usage(), billing in billing(), bucket in 0usize..14, more in 1u64..300_000) {
        let mut counts = usage.counts();
        counts[bucket] += more;
        let larger = from(counts);
        let cost = |usage: &Usage| rates(&model, billing, usage.total_input()).cost(usage);
        prop_assert!(cost(&larger) >= cost(&usage), "also over a context cliff");
    }

    #[test]
    fn no_call_costs_more_than_its_worst_case(model in model(), usage in usage(), billing in billing(), tier in any::<bool>()) {
        let known = PRICES.model(&model.0, &model.1).expect("a model");
        let output = usage.total_output();
        prop_assume!(known.prices.context.is_none_or(|context| usage.total_input() <= context));
        prop_assume!(known.prices.max_output.is_none_or(|most| output <= most));
        // the request may leave the tier open; region and speed are open too until the answer tells them
        let asked = Billing { at: billing.at, service_tier: billing.service_tier.filter(|_| tier), ..Billing::default() };
        let query = Query { provider: &model.0, asked: &model.1, answered: None, billing: asked };
        let bound = Bound {
            input: Reach::Body(usage.total_input()),
            max_tokens: Some(output),
            choices: 1,
            searches: usage.searches,
        };
        let usage = Usage { maps: 0, ..usage };
        let worst = PRICES.worst_case(&query, &bound);
        if known.prices.adds_to_answer {
            prop_assert_eq!(worst, Err(Unbounded::Unpriced));
        } else {
            let billed = Query { billing, ..query };
            let cost = PRICES.rates(&billed, &usage).expect("rates").cost(&usage);
            prop_assert!(cost <= worst.expect("a worst case"), "{} over {:?}", cost.exact(), worst);
        }
    }

    #[test]
    fn what_is_affordable_fits_and_one_token_more_does_not(
        model in model(), bytes in 0u64..500_000, choices in 1u64..4, pico in 0i128..20_000_000_000_000,
    ) {
        let at = Time::from_micros(1_795_600_000_000_000);
        let query = Query { provider: &model.0, asked: &model.1, answered: None, billing: Billing { at, ..Billing::default() } };
        let bound = Bound { input: Reach::Body(bytes), max_tokens: None, choices, searches: 0 };
        let budget = Money::from_pico(pico);
        if let Ok(tokens) = PRICES.affordable_output(&query, &bound, budget) {
            let cost = |tokens| PRICES.worst_case(&query, &Bound { max_tokens: Some(tokens), ..bound }).expect("bounded");
            if tokens > 0 {
                prop_assert!(cost(tokens) <= budget);
            }
            let most = PRICES.model(&model.0, &model.1).and_then(|model| model.prices.max_output);
            if tokens < u64::MAX && most.is_none_or(|most| tokens < most) {
                prop_assert!(cost(tokens + 1) > budget, "{tokens} tokens are not all that {budget} buys");
            }
        }
    }
}

fn from(counts: [u64; 14]) -> Usage {
    Usage {
        input: counts[0],
        cache_read: counts[1],
        cache_read_audio: counts[2],
        cache_write: counts[3],
        cache_write_1h: counts[4],
        cache_write_12h: counts[5],
        audio_in: counts[6],
        image_in: counts[7],
        output: counts[8],
        reasoning: counts[9],
        audio_out: counts[10],
        image_out: counts[11],
        searches: counts[12],
        maps: counts[13],
    }
}

fn only(usage: &Usage, bucket: usize) -> Usage {
    let mut counts = [0; 14];
    counts[bucket] = usage.counts()[bucket];
    from(counts)
}

fn scaled(usage: &Usage, times: u64) -> Usage {
    from(usage.counts().map(|count| count * times))
}
