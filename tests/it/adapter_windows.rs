//! Every form in which answers tell of limits, and beside each a broken one that must be passed over.

use std::time::Duration;

use keywheel::adapter::windows;
use keywheel::kit::window::Window;

use crate::adapter::{NOW, headers};

/// `what span reach limit left reset fills`, with `-` for what was not said and the reset in milliseconds from now.
fn line(window: &Window) -> String {
    let said = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let Window { what, span, reach, limit, left, reset, fills } = *window;
    let wait = reset.map(|at| u64::try_from(at.since(NOW).as_millis()).expect("a wait"));
    format!("{what:?} {span:?} {reach:?} {} {} {} {fills:?}", said(limit), said(left), said(wait))
}

fn check(name: &str, said: &[(&str, &str)], expected: &[&str]) {
    let found: Vec<String> = windows::read(&headers(said), NOW).iter().map(line).collect();
    assert_eq!(found, expected, "{name}");
}

#[test]
fn requests_and_tokens_with_durations_are_full_again_little_by_little() {
    check(
        "openai, groq",
        &[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "12ms"),
        ],
        &["Requests Unsaid Model 60 0 360000 Evenly", "Tokens Unsaid Model 150000 149984 12 Evenly"],
    );
    check(
        "a broken reset, a broken count",
        &[
            ("x-ratelimit-limit-requests", "sixty"),
            ("x-ratelimit-remaining-requests", "3"),
            ("x-ratelimit-reset-requests", "soon"),
            ("x-ratelimit-remaining-tokens", "-5"),
            ("x-ratelimit-reset-tokens", "1s"),
        ],
        &["Requests Unsaid Model - 3 - AtOnce"],
    );
}

#[test]
fn bare_seconds_begin_a_new_window_and_no_reset_is_none() {
    check(
        "azure",
        &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "10")],
        &["Tokens Unsaid Model - 0 10000 AtOnce"],
    );
    check(
        "xai",
        &[("x-ratelimit-limit-requests", "8"), ("x-ratelimit-remaining-requests", "7")],
        &["Requests Unsaid Model 8 7 - AtOnce"],
    );
    check("azure, broken", &[("x-ratelimit-remaining-tokens", "none"), ("x-ratelimit-reset-tokens", "10")], &[]);
}

#[test]
fn instants_in_words_belong_to_requests_and_each_direction_of_tokens() {
    check(
        "anthropic",
        &[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-11-20T10:00:18Z"),
            ("anthropic-ratelimit-input-tokens-limit", "30000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-20T10:01:17Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "8000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-11-20"),
            ("anthropic-ratelimit-tokens-remaining", "x"),
        ],
        &[
            "Requests Unsaid Model 50 49 1000 Evenly",
            "InputTokens Unsaid Model 30000 0 60000 Evenly",
            "OutputTokens Unsaid Model - 8000 - AtOnce",
        ],
    );
    // a priority tier that is used up falls back to the standard one, and stops no call
    check("anthropic, priority", &[("anthropic-priority-input-tokens-remaining", "0")], &[]);
}

#[test]
fn a_state_without_numbers_counts_when_it_is_rejected() {
    check(
        "unified",
        &[
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("anthropic-ratelimit-unified-5h-status", "rejected"),
            ("anthropic-ratelimit-unified-5h-reset", "1795168827"),
            ("anthropic-ratelimit-unified-7d-status", "allowed_warning"),
            ("anthropic-ratelimit-unified-7d-reset", "1795200000"),
            ("anthropic-ratelimit-unified-7d_oi-status", "rejected"),
            ("anthropic-ratelimit-unified-7d_oi-reset", "1795168917"),
        ],
        &["Requests FiveHours Account - 0 10000 AtOnce", "Requests Week Model - 0 100000 AtOnce"],
    );
    check("unified, broken", &[("anthropic-ratelimit-unified-5h-status", "rejected")], &[]);
}

#[test]
fn windows_of_several_lengths_stand_beside_each_other() {
    check(
        "cerebras",
        &[
            ("x-ratelimit-limit-requests-day", "14400"),
            ("x-ratelimit-remaining-requests-day", "14399"),
            ("x-ratelimit-reset-requests-day", "33011.382867"),
            ("x-ratelimit-limit-tokens-minute", "60000"),
            ("x-ratelimit-remaining-tokens-minute", "0"),
            ("x-ratelimit-reset-tokens-minute", "11.382"),
            ("x-ratelimit-remaining-tokens-hour", "1e6"),
        ],
        &["Requests Day Model 14400 14399 33011382 AtOnce", "Tokens Minute Model 60000 0 11382 AtOnce"],
    );
}

#[test]
fn a_minute_without_a_reset_is_the_wall_clocks() {
    check(
        "mistral",
        &[
            ("x-ratelimit-limit-req-minute", "6"),
            ("x-ratelimit-remaining-req-minute", "0"),
            ("x-ratelimit-limit-tokens-minute", "500000"),
            ("x-ratelimit-tokens-query-cost", "32000"),
            ("x-ratelimitbysize-remaining-minute", "7"),
            ("x-ratelimitbysize-remaining-month", "many"),
            ("ratelimitbysize-remaining", "9"),
            ("ratelimitbysize-reset", "13"),
        ],
        &[
            "Requests Minute Model 6 0 43000 AtOnce",
            "Tokens Minute Model 500000 7 43000 AtOnce",
            "Tokens Unsaid Model - 9 13000 AtOnce",
        ],
    );
}

#[test]
fn plain_names_are_the_whole_accounts() {
    check(
        "together",
        &[
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1"),
            ("x-tokenlimit-limit", "18000"),
            ("x-tokenlimit-remaining", "17000"),
        ],
        &["Requests Unsaid Account 10 0 1000 AtOnce", "Tokens Unsaid Account 18000 17000 - AtOnce"],
    );
    check(
        "openrouter",
        &[("X-RateLimit-Limit", "20"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1795168827500")],
        &["Requests Unsaid Account 20 0 10500 AtOnce"],
    );
    check("openrouter, broken", &[("X-RateLimit-Remaining", ""), ("X-RateLimit-Reset", "1795168827500")], &[]);
}

#[test]
fn a_refusal_that_names_its_limit_has_used_it_up() {
    let named = |kind: &'static str, left: &'static str| {
        [("x-ratelimit-type", kind), ("x-ratelimit-timeremaining", left), ("x-ratelimit-remaining-requests", "20000")]
    };
    let other = "Requests Unsaid Model - 20000 - AtOnce";
    check("github", &named("UserByMinute", "23"), &[other, "Requests Minute Model - 0 23000 AtOnce"]);
    check("github", &named("UserByDay", "7200"), &[other, "Requests Day Model - 0 7200000 AtOnce"]);
    check("github, at once", &named("UserConcurrentRequests", "1"), &[other]);
    check("github, broken", &named("UserByMinute", "later"), &[other]);
}

#[test]
fn the_fields_of_the_ietf_are_read_in_three_of_its_drafts() {
    check(
        "structured",
        &[
            ("RateLimit-Policy", r#""burst";q=100;w=60, "daily";q=1000;w=86400, "tokens";q=9000;w=60;qu="tokens""#),
            (
                "RateLimit",
                r#""burst";r=0;t=30, "daily";r=950;t=7200, "tokens";r=70;t=5, "broken";r=x;t=1, "bytes";t=1"#,
            ),
        ],
        &[
            "Requests Minute Account 100 0 30000 AtOnce",
            "Requests Day Account 1000 950 7200000 AtOnce",
            "Tokens Minute Account 9000 70 5000 AtOnce",
        ],
    );
    check(
        "seventh",
        &[("RateLimit", "limit=100, remaining=50, reset=5")],
        &["Requests Unsaid Account 100 50 5000 AtOnce"],
    );
    check(
        "sixth",
        &[("RateLimit-Limit", "10, 10;w=60"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "7")],
        &["Requests Unsaid Account 10 0 7000 AtOnce"],
    );
    check("broken", &[("RateLimit", ";;=,,\"a\";r"), ("RateLimit-Policy", "=;q")], &[]);
}

#[test]
fn an_absurd_reset_is_cut_to_a_month_and_one_that_is_past_is_now() {
    let reset = |text: &str| {
        let said = headers(&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", text)]);
        windows::read(&said, NOW)[0].reset
    };
    let month = NOW.after(Duration::from_secs(31 * 86_400));
    assert_eq!(reset("99999999999999999"), Some(month));
    assert_eq!(reset("9999h0m0s"), Some(month));
    assert_eq!(reset("1795160000"), Some(NOW));
    assert_eq!(reset(""), None);
}
