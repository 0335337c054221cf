//! A choice with everything it was made from: recorded, and made again from the record.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::choose::{Candidate, Dice, choose};
use super::learned::Share;
use super::roster::Roster;
use super::verdict::Stop;
use crate::config::Strategy;
use crate::kit::Money;
use crate::store::choice::{Choice, Considered, PassedOver};

/// A choice that was made. Put into words only when it is recorded.
pub(super) struct Chosen {
    pub(super) roster: Arc<Roster>,
    pub(super) strategy: Strategy,
    pub(super) dice: Dice,
    /// Whether the session's account was taken.
    pub(super) home: bool,
    /// The index of the candidate that was taken.
    pub(super) at: usize,
    pub(super) candidates: Vec<Candidate>,
    /// Route, seat, and what stood in the way.
    pub(super) stops: Vec<(u32, u32, Stop)>,
}

impl Chosen {
    /// The choice as the ledger keeps it.
    pub(super) fn record(&self, route: &dyn Fn(usize) -> String) -> Choice {
        let account = |seat: u32| self.roster.seat(seat).account.id.clone();
        let considered = |candidate: &Candidate| Considered {
            route: route(candidate.route as usize),
            account: account(candidate.seat),
            busy: candidate.busy,
            weight: candidate.weight,
            priority: candidate.priority,
            share: candidate.share.known().map(|share| (share.left, share.reset)),
            first_byte_us: candidate.first_byte.map(NonZeroU32::get),
            price: candidate.price.map(|pico| Money::from_pico(pico.into())),
        };
        let passed = |(at, seat, stop): &(u32, u32, Stop)| PassedOver {
            route: route(*at as usize),
            account: account(*seat),
            why: stop.words(),
        };
        Choice {
            strategy: self.strategy,
            turn: self.dice.turn,
            seed: self.dice.seed,
            affinity: self.dice.affinity,
            home: self.home,
            chosen: self.at,
            candidates: self.candidates.iter().map(considered).collect(),
            passed_over: self.stops.iter().map(passed).collect(),
        }
    }
}

/// Makes a recorded choice again, from the record alone: the index of the candidate that it falls on.
pub fn choose_again(record: &Choice) -> Option<usize> {
    let candidate = |(seat, one): (u32, &Considered)| Candidate {
        seat,
        route: 0,
        busy: one.busy,
        weight: one.weight,
        priority: one.priority,
        share: one.share.map_or(Share::UNKNOWN, |(left, reset)| Share { left, reset }),
        first_byte: one.first_byte_us.and_then(NonZeroU32::new),
        price: one.price.map(pico),
    };
    let candidates: Vec<Candidate> = (0..).zip(&record.candidates).map(candidate).collect();
    let dice = Dice { turn: record.turn, seed: record.seed, affinity: record.affinity };
    choose(record.strategy, &candidates, record.home.then_some(record.chosen), dice)
}

/// Picodollars as a choice compares them: nothing costs more than nine million dollars.
pub(super) fn pico(price: Money) -> i64 {
    i64::try_from(price.pico()).unwrap_or(i64::MAX - 1)
}
