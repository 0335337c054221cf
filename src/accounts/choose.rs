//! Which of the accounts that could take the call does: a pure function of what is known, so that a recorded choice
//! can be made again.

use std::num::NonZeroU32;

use super::learned::{Share, WHOLE};
use crate::config::Strategy;

/// An account that could take the call.
/// As large as a cache line, since a hundred of them are written and read for one choice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its place in the order of the configuration.
    pub(super) seat: u32,
    /// The place of its route among those that are weighed together.
    pub(super) route: u32,
    /// Calls under way.
    pub(super) busy: u32,
    /// Its share among equals, at least 1.
    pub(super) weight: u32,
    /// Higher is taken first.
    pub(super) priority: i32,
    /// What is left of its tightest window.
    pub(super) share: Share,
    /// Microseconds to the first byte, on average.
    pub(super) first_byte: Option<NonZeroU32>,
    /// The most that the call can cost there, in picodollars.
    pub(super) price: Option<i64>,
}

/// What breaks ties and keeps the turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice {
    /// Counts the choices made, for turns.
    pub(super) turn: u64,
    /// Pseudo-random.
    pub(super) seed: u64,
    /// The same for the calls of one session, where there is one.
    pub(super) affinity: Option<u64>,
}

/// Whether a session's calls stay with the account that took the last one, whose prompt cache is worth ten times the
/// price of input. The others promise an order or a distribution of calls, and keep to it.
pub(super) const fn keeps_sessions(strategy: Strategy) -> bool {
    match strategy {
        Strategy::Sticky | Strategy::QuotaOptimized | Strategy::Cheapest | Strategy::Latency | Strategy::Hybrid => true,
        Strategy::RoundRobin | Strategy::FillFirst | Strategy::LeastBusy | Strategy::Weighted => false,
    }
}

/// The index of the chosen candidate; `None` only when there is none. `home` is the session's account, where it is
/// among them.
pub(super) fn choose(strategy: Strategy, candidates: &[Candidate], home: Option<usize>, dice: Dice) -> Option<usize> {
    if home.is_some() {
        return home;
    }
    let top = candidates.iter().map(|candidate| candidate.priority).max()?;
    let mut equals = candidates.iter().enumerate().filter(|(_, candidate)| candidate.priority == top);
    match strategy {
        // the session's account is remembered by the pool; a new session starts where the order says
        Strategy::Sticky | Strategy::FillFirst => equals.next().map(|(at, _)| at),
        Strategy::RoundRobin => {
            let count = equals.clone().count() as u64;
            equals.nth(usize::try_from(dice.turn % count).unwrap_or(0)).map(|(at, _)| at)
        }
        Strategy::Weighted => weighted(equals, dice),
        Strategy::LeastBusy => tied(candidates, top, dice, |candidate| (load(candidate), 0)),
        Strategy::QuotaOptimized => tied(candidates, top, dice, |candidate| {
            let Share { left, reset } = candidate.share;
            // what is about to be there again is spent first
            (i64::from(WHOLE - left.min(WHOLE)), reset.as_micros())
        }),
        Strategy::Cheapest => tied(candidates, top, dice, |candidate| (candidate.price.unwrap_or(i64::MAX), 0)),
        // one that nobody has measured is measured first
        Strategy::Latency => tied(candidates, top, dice, |candidate| (wait(candidate), 0)),
        Strategy::Hybrid => {
            let scale = Scale::of(equals.map(|(_, candidate)| candidate));
            tied(candidates, top, dice, |candidate| (-scale.score(candidate), 0))
        }
    }
}

/// What a candidate is compared by: less is better.
type Rank = (i64, i64);

/// The best of the highest priority; the seed decides between those that are equally good.
fn tied(candidates: &[Candidate], top: i32, dice: Dice, rank: impl Fn(&Candidate) -> Rank) -> Option<usize> {
    // one list, so that no rank is worked out twice
    let ranks: Vec<Option<Rank>> =
        candidates.iter().map(|candidate| (candidate.priority == top).then(|| rank(candidate))).collect();
    let least = ranks.iter().flatten().min()?;
    let mut equals = ranks.iter().enumerate().filter(|(_, rank)| rank.as_ref() == Some(least));
    let count = equals.clone().count() as u64;
    equals.nth(usize::try_from(dice.seed % count.max(1)).unwrap_or(0)).map(|(at, _)| at)
}

fn weighted<'a>(mut equals: impl Iterator<Item = (usize, &'a Candidate)> + Clone, dice: Dice) -> Option<usize> {
    let total: u64 = equals.clone().map(|(_, candidate)| u64::from(candidate.weight)).sum();
    let mut mark = dice.affinity.unwrap_or(dice.seed) % total.max(1);
    let chosen = equals.find(|(_, candidate)| {
        let weight = u64::from(candidate.weight);
        let here = mark < weight;
        mark = mark.saturating_sub(weight);
        here
    });
    chosen.map(|(at, _)| at)
}

/// Calls under way per weight, in millionths.
fn load(candidate: &Candidate) -> i64 {
    let busy = i64::from(candidate.busy) * 1_000_000;
    // most have the weight of one, and a division is not free
    if candidate.weight == 1 { busy } else { busy / i64::from(candidate.weight.max(1)) }
}

/// Microseconds to the first byte; none of those whom nobody has measured.
fn wait(candidate: &Candidate) -> i64 {
    candidate.first_byte.map_or(0, |micros| i64::from(micros.get()))
}

/// An account of which nothing is known has all of its quota.
fn left(candidate: &Candidate) -> i64 {
    i64::from(candidate.share.left.min(WHOLE))
}

/// The extremes among the candidates, between which each term of the hybrid score is normalised.
#[derive(Clone, Copy, Debug)]
struct Scale {
    quota: (i64, i64),
    wait: (i64, i64),
    load: (i64, i64),
}

impl Scale {
    fn of<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Self {
        let none = (i64::MAX, i64::MIN);
        let stretch = |(least, most): (i64, i64), value: i64| (least.min(value), most.max(value));
        let blank = Self { quota: none, wait: none, load: none };
        candidates.fold(blank, |scale, candidate| Self {
            quota: stretch(scale.quota, left(candidate)),
            wait: stretch(scale.wait, wait(candidate)),
            load: stretch(scale.load, load(candidate)),
        })
    }

    /// 0.5 of quota, 0.3 of speed and 0.2 of idleness, each from 0 (the worst there is) to 1000 (the best).
    fn score(&self, candidate: &Candidate) -> i64 {
        let part = |value: i64, (least, most): (i64, i64)| match most - least {
            0 => 1000,
            range => (value - least) * 1000 / range,
        };
        let Self { quota, wait, load: busy } = *self;
        let speed = 1000 - part(self::wait(candidate), wait) * i64::from(wait.0 != wait.1);
        let idle = 1000 - part(load(candidate), busy) * i64::from(busy.0 != busy.1);
        5 * part(left(candidate), quota) + 3 * speed + 2 * idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(strategy: Strategy, turn: u64) -> usize {
        let blank = Candidate {
            seat: 0,
            route: 0,
            busy: 0,
            weight: 1,
            priority: 0,
            share: Share::UNKNOWN,
            first_byte: None,
            price: None,
        };
        let one = |busy, weight, priority| Candidate { busy, weight, priority, ..blank };
        let candidates = [one(0, 9, -1), one(4, 1, 0), one(6, 3, 0), one(0, 1, -1)];
        choose(strategy, &candidates, None, Dice { turn, seed: turn, affinity: None }).expect("a candidate")
    }

    #[test]
    fn each_strategy_stays_in_the_highest_priority() {
        assert_eq!(chosen(Strategy::FillFirst, 7), 1);
        assert_eq!([0, 1, 2].map(|turn| chosen(Strategy::RoundRobin, turn)), [1, 2, 1]);
        assert_eq!(chosen(Strategy::LeastBusy, 0), 2, "six calls on weight three are fewer than four on one");
        let picks: Vec<_> = (0..400).map(|turn| chosen(Strategy::Weighted, turn)).collect();
        assert_eq!(picks.iter().filter(|&&seat| seat == 1).count(), 100);
        assert_eq!(picks.iter().filter(|&&seat| seat == 2).count(), 300);
        assert_eq!(choose(Strategy::Weighted, &[], None, Dice { turn: 0, seed: 0, affinity: None }), None);
    }
}
