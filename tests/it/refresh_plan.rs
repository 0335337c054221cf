//! When a token is renewed, and what a failure means: decisions, by a clock of paper.

use std::time::Duration;

use keywheel::accounts::refresh::Why;
use keywheel::accounts::refresh::plan::{Failure, Stand, Verdict, due, judge, lead, may_be_spent, poll, stand};
use keywheel::gateway::exchange::machine_wait;
use keywheel::kit::Time;
use proptest::prelude::*;

const START: Time = Time::from_micros(1_800_000_000_000_000);

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn the_lead_is_a_tenth_of_the_life_within_its_bounds() {
    let rows = [(20, 10), (100, 50), (200, 60), (600, 60), (900, 90), (3000, 300), (3600, 300), (86_400, 300)];
    for (life, expected) in rows {
        assert_eq!(lead(secs(life)), secs(expected), "a life of {life} s");
    }
}

proptest! {
    #[test]
    fn a_token_is_never_renewed_in_the_first_half_of_its_life_nor_later_than_its_lead(life in 2u64..200_000, spread in 0u32..1024) {
        let end = START.after(secs(life));
        let at = due(Some(START), Some(end), spread).unwrap();
        prop_assert!(at.since(START) >= secs(life) / 2, "not in the first half");
        prop_assert!(end.since(at) >= lead(secs(life)), "jitter goes only earlier");
        prop_assert!(end.since(at) <= lead(secs(life)) * 6 / 5 + secs(1), "by a fifth at most");
    }
}

#[test]
fn a_token_is_fresh_then_due_then_expired() {
    let end = START.after(secs(3600));
    let at = due(Some(START), Some(end), 0);
    assert_eq!(at, Some(START.after(secs(3300))));
    for (now, expected) in
        [(0, Stand::Fresh), (3299, Stand::Fresh), (3300, Stand::Due), (3599, Stand::Due), (3600, Stand::Expired)]
    {
        assert_eq!(stand(at, Some(end), START.after(secs(now))), expected, "after {now} s");
    }
    assert_eq!(stand(due(Some(START), None, 0), None, Time::MAX), Stand::Fresh, "a token without an end");
}

#[test]
fn only_a_refused_refresh_token_that_is_still_the_stored_one_needs_a_login() {
    let failure = Failure { why: Why::Grant, by_refresh_token: true, overtaken: false, step: 0 };
    assert_eq!(judge(failure), Verdict::NeedsLogin);
    assert_eq!(judge(Failure { overtaken: true, ..failure }), Verdict::UseStored);
    assert_eq!(judge(Failure { by_refresh_token: false, ..failure }), Verdict::Later(secs(5)));
    for why in [Why::Client, Why::Clock, Why::Unsent, Why::Busy(None), Why::Lost] {
        for (step, wait) in [5, 30, 120, 600, 1800, 1800, 1800].into_iter().enumerate() {
            let step = u32::try_from(step).unwrap();
            assert_eq!(judge(Failure { why, step, ..failure }), Verdict::Later(secs(wait)), "{why:?} {step}");
        }
    }
    let busy = |wait, step| judge(Failure { why: Why::Busy(Some(secs(wait))), step, ..failure });
    assert_eq!(busy(45, 0), Verdict::Later(secs(45)), "a stated wait");
    assert_eq!(busy(1, 1), Verdict::Later(secs(30)), "never sooner than the ladder");
    assert_eq!(busy(1_000_000, 0), Verdict::Later(secs(1800)), "never beyond it");
}

#[test]
fn a_refresh_token_may_be_spent_only_where_no_answer_came() {
    let all = [Why::Grant, Why::Client, Why::Clock, Why::Unsent, Why::Busy(None), Why::Lost, Why::Pending];
    let spent: Vec<Why> = all.into_iter().filter(|why| may_be_spent(*why)).collect();
    assert_eq!(spent, [Why::Lost]);
}

#[test]
fn a_device_is_asked_for_at_the_pace_that_the_identity_provider_sets() {
    let rows = [
        (Why::Pending, Some(5)),
        (Why::SlowDown(None), Some(10)),
        (Why::SlowDown(Some(secs(7))), Some(7)),
        (Why::SlowDown(Some(secs(1))), Some(5)),
        (Why::Busy(Some(secs(20))), Some(20)),
        (Why::Unsent, Some(5)),
        (Why::Declined, None),
        (Why::Grant, None),
        (Why::Client, None),
    ];
    for (why, expected) in rows {
        assert_eq!(poll(secs(5), why), expected.map(secs), "{why:?}");
    }
}

#[test]
fn a_metadata_service_is_asked_by_its_schedule() {
    let waits = |status: u16| -> Vec<u128> {
        (1..20).map_while(|tries| machine_wait(tries, status)).map(|wait| wait.as_millis()).collect()
    };
    for status in [404, 429, 500, 503] {
        assert_eq!(waits(status), [0, 1600, 3200, 6400, 12_800], "{status}");
    }
    assert!(waits(410).iter().sum::<u128>() >= 70_000, "a service that restarts is waited for 70 s");
    for status in [200, 400, 401, 403] {
        assert!(waits(status).is_empty(), "{status} is an answer");
    }
}
