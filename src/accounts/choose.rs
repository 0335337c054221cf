//! Which of the accounts that could take the call does: a pure function of what is known.

use crate::config::Strategy;

/// An account that could take the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its place in the order of the configuration.
    pub(super) seat: usize,
    /// Calls under way.
    pub(super) busy: u32,
    /// Its share among equals, at least 1.
    pub(super) weight: u32,
    /// Higher is taken first.
    pub(super) priority: i32,
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

/// The seat of the chosen candidate; `None` only when there is none.
pub(super) fn choose(strategy: Strategy, candidates: &[Candidate], dice: Dice) -> Option<usize> {
    let top = candidates.iter().map(|candidate| candidate.priority).max()?;
    let mut equals = candidates.iter().filter(|candidate| candidate.priority == top);
    let count = equals.clone().count() as u64;
    let chosen = match strategy {
        // the session's account is remembered by the pool; a new session starts where the order says
        Strategy::Sticky | Strategy::FillFirst => equals.next(),
        Strategy::RoundRobin => equals.nth(usize::try_from(dice.turn % count).unwrap_or(0)),
        Strategy::LeastBusy => equals.min_by(|a, b| {
            let load = |own: &Candidate, other: &Candidate| u64::from(own.busy) * u64::from(other.weight);
            load(a, b).cmp(&load(b, a))
        }),
        Strategy::Weighted => {
            let total: u64 = equals.clone().map(|candidate| u64::from(candidate.weight)).sum();
            let mut mark = dice.affinity.unwrap_or(dice.seed) % total.max(1);
            equals.find(|candidate| {
                let weight = u64::from(candidate.weight);
                let here = mark < weight;
                mark = mark.saturating_sub(weight);
                here
            })
        }
    };
    chosen.map(|candidate| candidate.seat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let one = |seat, busy, weight, priority| Candidate { seat, busy, weight, priority };
        vec![one(0, 0, 9, -1), one(1, 4, 1, 0), one(2, 6, 3, 0), one(3, 0, 1, -1)]
    }

    fn chosen(strategy: Strategy, turn: u64) -> usize {
        choose(strategy, &candidates(), Dice { turn, seed: turn, affinity: None }).expect("a candidate")
    }

    #[test]
    fn each_strategy_stays_in_the_highest_priority() {
        assert_eq!(chosen(Strategy::FillFirst, 7), 1);
        assert_eq!([0, 1, 2].map(|turn| chosen(Strategy::RoundRobin, turn)), [1, 2, 1]);
        assert_eq!(chosen(Strategy::LeastBusy, 0), 2, "six calls on weight three are fewer than four on one");
        let picks: Vec<_> = (0..400).map(|turn| chosen(Strategy::Weighted, turn)).collect();
        assert_eq!(picks.iter().filter(|&&seat| seat == 1).count(), 100);
        assert_eq!(picks.iter().filter(|&&seat| seat == 2).count(), 300);
        assert_eq!(choose(Strategy::Weighted, &[], Dice { turn: 0, seed: 0, affinity: None }), None);
    }
}
