//! Every form in which a provider says how long to wait, and beside each a broken one that must be passed over.

use std::time::Duration;

use bytes::Bytes;
use keywheel::adapter::{Answer, hint};
use keywheel::kit::Time;
use keywheel::redact::Known;
use keywheel::wire::error::Words;

use crate::adapter::{NOW, headers};

fn ms(wait: u64) -> Option<Duration> {
    Some(Duration::from_millis(wait))
}

fn waits(pairs: &[(&str, &str)], body: &str) -> Option<Duration> {
    hint::wait(&Answer::new(429, headers(pairs), Bytes::from(body.to_owned()), &Known::default()), NOW)
}

#[test]
fn retry_after_is_read_in_every_form_and_a_broken_one_is_passed_over() {
    let table = [
        ("30", ms(30_000)),
        ("1.5", ms(1500)),
        (" 2 ", ms(2000)),
        ("0", ms(0)),
        ("Fri, 20 Nov 2026 10:00:27 GMT", ms(10_000)),
        ("Friday, 20-Nov-26 10:00:27 GMT", ms(10_000)),
        ("Fri Nov 20 10:00:27 2026", ms(10_000)),
        ("Fri, 20 Nov 2026 09:00:00 GMT", ms(0)),
        ("Fri, 31 Nov 2026 10:00:27 GMT", None),
        ("Fri, 20 Nov 2026", None),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1e3", None),
        ("NaN", None),
        ("inf", None),
        ("1.2.3", None),
        ("10s later", None),
    ];
    for (text, wait) in table {
        assert_eq!(hint::retry_after(text, NOW), wait, "{text:?}");
    }
}

#[test]
fn reset_headers_are_durations_seconds_epochs_or_instants() {
    let table = [
        ("12ms", ms(12)),
        ("1s", ms(1000)),
        ("6m0s", ms(360_000)),
        ("1h2m3s", ms(3_723_000)),
        ("1h2m3.5s", ms(3_723_500)),
        ("2m59.56s", ms(179_560)),
        ("10", ms(10_000)),
        ("33011.382867", Some(Duration::from_micros(33_011_382_867))),
        ("1795168827", ms(10_000)),
        ("1795168827500", ms(10_500)),
        ("2026-11-20T10:00:27Z", ms(10_000)),
        ("2026-11-20T11:00:27.25+01:00", ms(10_250)),
        ("1795168000", ms(0)),
        ("2026-11-20T10:00:00Z", ms(0)),
        ("1h2x", None),
        ("1.s.", None),
        ("-1s", None),
        ("ms", None),
        ("2026-11-20", None),
        ("tomorrow", None),
        ("", None),
    ];
    for (text, wait) in table {
        assert_eq!(hint::moment(text, NOW), wait, "{text:?}");
    }
}

#[test]
fn sentences_say_when_to_try_again() {
    let table = [
        ("Please try again in 8.5s. Visit the console.", ms(8500)),
        ("Please try again in 120ms.", ms(120)),
        ("try again in 6m0s", ms(360_000)),
        ("Try Again In 2 minutes", ms(120_000)),
        ("Please retry after 26 seconds.", ms(26_000)),
        ("You exceeded your current quota. Please retry in 33.47s.", ms(33_470)),
        ("Please wait 24 seconds before retrying.", ms(24_000)),
        ("Your quota will reset after 12h3m4s.", ms(43_384_000)),
        ("wait for it, then wait 3s", ms(3000)),
        ("Please wait 0 seconds before retrying.", None),
        ("try again in a moment", None),
        ("try again in 20", None),
        ("used 30s", None),
        ("try again in 5 apples", None),
    ];
    for (text, wait) in table {
        assert_eq!(hint::prose(text), wait, "{text:?}");
    }
}

#[test]
fn the_most_exact_source_wins_and_a_broken_one_gives_way_to_the_next() {
    let says = r#"{"error":{"message":"try again in 9s"}}"#;
    assert_eq!(waits(&[("retry-after-ms", "850"), ("retry-after", "1")], says), ms(850));
    assert_eq!(waits(&[("retry-after-ms", "x"), ("retry-after", "1")], says), ms(1000));
    assert_eq!(waits(&[("retry-after-ms", "0"), ("retry-after", "0")], says), ms(9000));
    assert_eq!(waits(&[("retry-after", "x"), ("x-ratelimit-timeremaining", "4")], says), ms(4000));
    assert_eq!(waits(&[("x-ratelimit-reset-tokens", "3s")], says), ms(9000));
    assert_eq!(waits(&[("x-ratelimit-reset-tokens", "3s")], "{}"), ms(3000));
    assert_eq!(waits(&[], "{}"), None);
    assert_eq!(
        waits(&[("retry-after", "99999999999")], "{}"),
        Some(Duration::from_secs(31 * 86_400)),
        "cut to a month"
    );
}

#[test]
fn only_an_empty_bucket_is_waited_for_and_never_the_refill_of_a_day() {
    let full = [("x-ratelimit-remaining-requests", "5"), ("x-ratelimit-reset-requests", "6m0s")];
    assert_eq!(waits(&full, "{}"), None);
    let two = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "2s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "4s"),
    ];
    assert_eq!(waits(&two, "{}"), ms(4000));
    let day = [("x-ratelimit-remaining-requests-day", "0"), ("x-ratelimit-reset-requests-day", "33011.382867")];
    assert_eq!(waits(&day, "{}"), None);
    let broken = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "later")];
    assert_eq!(waits(&broken, "{}"), None);
}

#[test]
fn googles_details_are_read_and_their_order_does_not_matter() {
    let body = |details: &str| format!(r#"{{"error":{{"code":429,"message":"no","details":[{details}]}}}}"#);
    let retry = r#"{"@type":"…RetryInfo","retryDelay":"34.07s"}"#;
    let info = r#"{"@type":"…ErrorInfo","metadata":{"quotaResetDelay":"12h3m4s"}}"#;
    assert_eq!(waits(&[], &body(&format!("{info},{retry}"))), ms(34_070));
    assert_eq!(waits(&[], &body(info)), ms(43_384_000));
    // a day's quota comes back at midnight in California, which is eight hours behind in November
    let daily = r#"{"@type":"…QuotaFailure","violations":[{"quotaId":"RequestsPerDayPerProject-FreeTier"}]}"#;
    assert_eq!(waits(&[], &body(&format!("{daily},{retry}"))), ms((21 * 3600 + 59 * 60 + 43) * 1000));
    let minute = r#"{"@type":"…QuotaFailure","violations":[{"quotaId":"RequestsPerMinutePerProject"},{"quotaId":7}]}"#;
    assert_eq!(waits(&[], &body(&format!("{minute},{retry}"))), ms(34_070));
    assert_eq!(waits(&[], &body(r#"{"retryDelay":"soon"}"#)), None);
    assert_eq!(waits(&[], &body(r#"{"retryDelay":34}"#)), None);
}

#[test]
fn a_budget_states_when_it_is_full_again() {
    let at = |value: &str| {
        let body = format!(r#"{{"error":{{"metadata":{{"resets_at":{value}}}}}}}"#);
        hint::resets_at(&Words::read(body.as_bytes()), NOW)
    };
    let midnight = Time::from_micros(1_795_219_200_000_000);
    assert_eq!(at(r#""2026-11-21T00:00:00Z""#), Some(midnight));
    assert_eq!(at("1795219200"), Some(midnight));
    assert_eq!(at("1795219200000"), Some(midnight));
    assert_eq!(at(r#""monthly""#), None);
    assert_eq!(at("null"), None);
    assert_eq!(at("[1]"), None);
}
