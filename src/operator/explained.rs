//! Why a past call went where it went. Field names are stable: scripts read them with `--json`.

use serde::{Deserialize, Serialize};

/// A call and its choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The call's id.
    pub id: String,
    /// The model that the client asked for.
    pub asked: String,
    /// What became of it, in a sentence.
    pub sentence: String,
    /// Each choice among several accounts, in order.
    pub choices: Vec<ChoiceRow>,
    /// The accounts that were passed over when none was left.
    pub passed_over: Vec<PassedRow>,
    /// What each attempt came to, in order.
    pub attempts: Vec<String>,
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceRow {
    /// How it was made: `sticky`, `hybrid`, …
    pub strategy: String,
    /// The choice in a sentence.
    pub sentence: String,
    /// Whether it comes out the same when it is made again from the record.
    pub same_again: bool,
    /// Those that could have taken the call.
    pub candidates: Vec<CandidateRow>,
    /// Those that could not.
    pub passed_over: Vec<PassedRow>,
}

/// An account that could have taken the call. What the strategy does not weigh is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateRow {
    /// The account.
    pub account: String,
    /// `provider/model`.
    pub route: String,
    /// Whether it was taken.
    pub chosen: bool,
    /// Calls under way at that moment.
    pub busy: u32,
    /// Its share among equals.
    pub weight: u32,
    /// Higher is taken first.
    pub priority: i32,
    /// Thousandths left of its tightest limit.
    pub quota_left: Option<u16>,
    /// When that limit resets, RFC 3339.
    pub quota_reset: Option<String>,
    /// Milliseconds to the first byte, on average.
    pub first_byte_ms: Option<u64>,
    /// The most that the call could cost, in USD.
    pub price_usd: Option<String>,
    /// Why it was taken or passed over.
    pub why: String,
}

/// An account that could not take the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedRow {
    /// `provider/model`, or the name that was asked for.
    pub route: String,
    /// The account; empty where no account is the reason, as for a model that gave no answer to be weighed with others.
    pub account: String,
    /// Why not.
    pub why: String,
}
