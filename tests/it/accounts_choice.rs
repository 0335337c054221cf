//! How an account is chosen: the distribution of each strategy, never one that cannot, and the same again from the record.

use std::collections::BTreeMap;
use std::time::Duration;

use keywheel::accounts::{Lease, Wanted, choose_again};
use keywheel::config::Strategy;
use keywheel::kit::window::{Fills, Reach, Span, What, Window};
use keywheel::kit::{Fault, Kind, Money, Time};
use keywheel::store::Choice;
use keywheel::store::choice::Considered;
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use crate::accounts_limits::Bench;

const ALL: [Strategy; 9] = [
    Strategy::Sticky,
    Strategy::RoundRobin,
    Strategy::FillFirst,
    Strategy::LeastBusy,
    Strategy::Weighted,
    Strategy::QuotaOptimized,
    Strategy::Cheapest,
    Strategy::Latency,
    Strategy::Hybrid,
];

fn considered() -> impl proptest::strategy::Strategy<Value = Considered> {
    let share = proptest::option::of((0_u16..=1000, 1_i64..100));
    let terms = (0_u32..20, 1_u32..5, -1_i32..2, share, proptest::option::of(1_u32..5_000_000), 0_i128..3);
    terms.prop_map(|(busy, weight, priority, share, first_byte_us, price)| Considered {
        route: "lab/m".to_owned(),
        account: String::new(),
        busy,
        weight,
        priority,
        share: share.map(|(left, reset)| (left, Time::from_micros(reset))),
        first_byte_us,
        price: (price > 0).then(|| Money::from_pico(price)),
    })
}

fn choice(strategy: Strategy, turn: u64, candidates: &[Considered]) -> Choice {
    let candidates = candidates.to_vec();
    // as the pool makes its seeds: spread over all bits
    let seed = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let (affinity, home, chosen, passed_over) = (None, false, 0, Vec::new());
    Choice { strategy, turn, seed, affinity, home, chosen, candidates, passed_over }
}

/// How often each candidate is taken in so many choices.
fn taken(strategy: Strategy, candidates: &[Considered], times: u64) -> Vec<u64> {
    let mut taken = vec![0; candidates.len()];
    for turn in 0..times {
        taken[choose_again(&choice(strategy, turn, candidates)).expect("one of them")] += 1;
    }
    taken
}

/// What a strategy promises of the one that it takes, against another that it could have taken.
fn is_no_worse(strategy: Strategy, one: &Considered, other: &Considered) -> bool {
    let share = |c: &Considered| c.share.map_or(1000, |(left, _)| left);
    let load = |a: &Considered, b: &Considered| u64::from(a.busy) * u64::from(b.weight);
    match strategy {
        Strategy::LeastBusy => load(one, other) <= load(other, one),
        Strategy::QuotaOptimized => share(one) >= share(other),
        Strategy::Cheapest => match (one.price, other.price) {
            (Some(one), Some(other)) => one <= other,
            (None, Some(_)) => false,
            (_, None) => true,
        },
        Strategy::Latency => one.first_byte_us.unwrap_or(0) <= other.first_byte_us.unwrap_or(0),
        // none is better in everything
        Strategy::Hybrid => {
            let better = share(other) > share(one)
                && other.first_byte_us.unwrap_or(0) < one.first_byte_us.unwrap_or(0)
                && load(other, one) < load(one, other);
            !better
        }
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_choice_is_of_the_highest_priority_no_worse_than_the_rest_and_the_same_again(
        candidates in proptest::collection::vec(considered(), 1..12),
        turn in any::<u64>(),
    ) {
        let top = candidates.iter().map(|candidate| candidate.priority).max().expect("one");
        for strategy in ALL {
            let record = choice(strategy, turn, &candidates);
            let at = choose_again(&record).expect("one of them");
            prop_assert_eq!(candidates[at].priority, top);
            prop_assert_eq!(choose_again(&record), Some(at));
            for other in candidates.iter().filter(|other| other.priority == top) {
                prop_assert!(is_no_worse(strategy, &candidates[at], other), "{:?}: {:?} over {:?}", strategy, candidates[at], other);
            }
            let text = serde_json::to_string(&record).expect("a record");
            let read: Choice = serde_json::from_str(&text).expect("the same record");
            prop_assert_eq!(&read, &record);
            prop_assert_eq!(choose_again(&Choice { home: true, chosen: 0, ..read }), Some(0), "a session stays");
        }
    }

    #[test]
    fn turns_go_round_weights_are_kept_and_ties_are_spread(
        weights in proptest::collection::vec(1_u32..6, 2..6),
    ) {
        let blank = Considered {
            route: String::new(), account: String::new(), busy: 0, weight: 1, priority: 0,
            share: None, first_byte_us: None, price: None,
        };
        let candidates: Vec<Considered> =
            weights.iter().map(|weight| Considered { weight: *weight, ..blank.clone() }).collect();
        let (count, total) = (weights.len() as u64, u64::from(weights.iter().sum::<u32>()));
        for took in taken(Strategy::RoundRobin, &candidates, count * 100) {
            prop_assert_eq!(took, 100);
        }
        let times = 6000;
        for (took, weight) in std::iter::zip(taken(Strategy::Weighted, &candidates, times), &weights) {
            let due = times * u64::from(*weight) / total;
            prop_assert!(took.abs_diff(due) < 60 + due / 5, "{} of {}", took, due);
        }
        for strategy in [Strategy::LeastBusy, Strategy::QuotaOptimized, Strategy::Cheapest, Strategy::Latency, Strategy::Hybrid] {
            for took in taken(strategy, &candidates, times) {
                let due = times / count;
                prop_assert!(took.abs_diff(due) < 60 + due / 5, "{:?}: {} of {}", strategy, took, due);
            }
        }
        for strategy in [Strategy::Sticky, Strategy::FillFirst] {
            prop_assert_eq!(taken(strategy, &candidates, 10)[0], 10);
        }
    }

    #[test]
    fn an_account_that_cannot_is_never_taken(
        failures in proptest::collection::vec((0_usize..4, 0_u8..4), 0..12),
        at in 0_usize..ALL.len(),
    ) {
        let bench = Bench::new("", &["limits = { rpm = 6 }", "limits = { concurrency = 1 }", "", "disabled = true"]);
        let wanted = || Wanted { provider: "lab", model: "m", strategy: ALL[at], ..Wanted::default() };
        let mut held: Vec<Lease> = Vec::new();
        for (_, what) in failures {
            match bench.pool.try_lease(wanted()) {
                Ok(lease) => {
                    let id = lease.account().id.clone();
                    prop_assert_ne!(&id, "d");
                    prop_assert!(id != "b" || held.iter().all(|other| other.account().id != "b"));
                    match what {
                        0 => lease.failed(&Fault::new(Kind::KeyRejected, "no")),
                        1 => lease.learned(&[used_up(&bench)]),
                        2 => held.push(lease),
                        _ => lease.succeeded(),
                    }
                    if what < 2 {
                        let again = bench.pool.try_lease(wanted());
                        prop_assert!(again.is_err() || again.is_ok_and(|lease| lease.account().id != id));
                    }
                }
                Err(not) => prop_assert!(not.at.is_some() || not.busy),
            }
        }
    }
}

fn used_up(bench: &Bench) -> Window {
    let reset = Some(bench.clock.now().after(Duration::from_secs(60)));
    let (what, span, reach, fills) = (What::Requests, Span::Minute, Reach::Model, Fills::AtOnce);
    Window { what, span, reach, limit: Some(60), left: Some(0), reset, fills }
}

fn wanted(strategy: Strategy) -> Wanted<'static> {
    Wanted { provider: "lab", model: "m", strategy, ..Wanted::default() }
}

#[test]
fn what_was_learned_decides_and_the_choice_is_recorded_with_it() {
    let bench = Bench::new("", &["", "", "", "disabled = true"]);
    let held: Vec<Lease> = (0..3)
        .map(|at| {
            let tried: Vec<_> = bench.pool.rows()[..at].iter().map(|row| row.account.clone()).collect();
            bench.pool.try_lease(Wanted { tried: &tried, ..wanted(Strategy::FillFirst) }).expect("the next")
        })
        .collect();
    for (lease, (left, took)) in std::iter::zip(&held, [(30, 200), (50, 900), (40, 100)]) {
        lease.learned(&[Window { left: Some(left), ..used_up(&bench) }]);
        lease.began(Duration::from_millis(took));
    }
    drop(held);
    let chosen = |strategy| {
        let lease = bench.pool.try_lease(wanted(strategy)).expect("an account");
        let record = lease.choice(|_| "lab/m".to_owned()).expect("a choice");
        assert_eq!(choose_again(&record), Some(record.chosen), "the same again");
        assert_eq!(record.candidates[record.chosen].account, lease.account().id);
        assert_eq!((record.passed_over.len(), record.passed_over[0].why.as_str()), (1, "switched off"));
        (lease.account().id.clone(), record)
    };
    let (id, record) = chosen(Strategy::QuotaOptimized);
    assert_eq!(id, "b");
    let shares: Vec<u16> = record.candidates.iter().map(|one| one.share.expect("a share").0).collect();
    assert_eq!(shares, [500, 833, 666]);
    let (id, record) = chosen(Strategy::Latency);
    assert_eq!((id.as_str(), record.candidates[2].first_byte_us), ("c", Some(100_000)));
    assert_eq!(chosen(Strategy::Hybrid).0, "c", "half a quota and the best speed");
}

#[test]
fn the_cheapest_is_looked_for_along_all_routes() {
    let bench = Bench::new("", &["", ""]);
    let price = |pico| Some(Money::from_pico(pico));
    let routes = |prices: [Option<Money>; 3]| prices.map(|price| Wanted { price, ..wanted(Strategy::Cheapest) });
    let taken = |prices| bench.pool.try_any(&routes(prices)).expect("an account").0;
    assert_eq!(taken([price(3), price(1), None]), 1);
    assert_eq!(taken([None, None, price(9)]), 2, "an unknown price is not a low one");
    let (at, lease) = bench.pool.try_any(&routes([price(2), price(7), None])).expect("an account");
    let record = lease.choice(|at| format!("lab/{at}")).expect("a choice");
    assert_eq!((at, record.candidates.len(), record.candidates[record.chosen].route.as_str()), (0, 6, "lab/0"));
}

#[test]
fn a_session_stays_where_its_prompt_cache_is_unless_the_strategy_promises_turns() {
    for (strategy, stays) in [
        (Strategy::Sticky, true),
        (Strategy::QuotaOptimized, true),
        (Strategy::Cheapest, true),
        (Strategy::Latency, true),
        (Strategy::Hybrid, true),
        (Strategy::RoundRobin, false),
    ] {
        let bench = Bench::new("", &["", "", ""]);
        let mut taken: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..30 {
            let lease = bench.pool.try_lease(Wanted { affinity: Some(7), ..wanted(strategy) }).expect("an account");
            *taken.entry(lease.account().id.clone()).or_default() += 1;
            lease.succeeded();
        }
        assert_eq!(taken.len() == 1, stays, "{strategy:?}: {taken:?}");
        if stays {
            let home = bench.pool.try_lease(Wanted { affinity: Some(7), ..wanted(strategy) }).expect("an account");
            home.failed(&Fault::new(Kind::KeyRejected, "no"));
            let away = bench.pool.try_lease(Wanted { affinity: Some(7), ..wanted(strategy) }).expect("another");
            assert_ne!(home.account().id, away.account().id, "{strategy:?}");
        }
    }
}
