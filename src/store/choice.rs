//! The records of choices: what an account was chosen from, so that anybody can see why, and choose again.

use serde::{Deserialize, Serialize};

use crate::config::Strategy;
use crate::kit::{Money, Time};

/// One choice among several accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// How it was made.
    pub strategy: Strategy,
    /// The number of the choice, for turns.
    pub turn: u64,
    /// What broke ties.
    pub seed: u64,
    /// The session's number, where there was a session.
    pub affinity: Option<u64>,
    /// Whether the account was taken because the session's last call used it.
    pub home: bool,
    /// Which of the candidates was taken.
    pub chosen: usize,
    /// Those that could have taken the call.
    pub candidates: Vec<Considered>,
    /// Those that could not.
    pub passed_over: Vec<PassedOver>,
}

/// A candidate with its terms. A term that the strategy does not weigh is not looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// `provider/model`.
    pub route: String,
    /// The account.
    pub account: String,
    /// Calls under way.
    pub busy: u32,
    /// Its share among equals.
    pub weight: u32,
    /// Higher is taken first.
    pub priority: i32,
    /// Thousandths left of its tightest limit, and when that resets.
    pub share: Option<(u16, Time)>,
    /// Microseconds to the first byte, on average.
    pub first_byte_us: Option<u32>,
    /// The most that the call could cost.
    pub price: Option<Money>,
}

/// An account that could not take the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// `provider/model`.
    pub route: String,
    /// The account.
    pub account: String,
    /// Why, in words.
    pub why: String,
}
