//! The records about calls: which are asked for, and what the ledger says of them.

use serde::{Deserialize, Serialize};

use crate::kit::Usage;

/// What calls are to be like; what is absent is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Like {
    /// As the client named it, as the provider was asked for it, or `provider/model`.
    pub model: Option<String>,
    /// The client key's name.
    pub client: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The project that the client named.
    pub project: Option<String>,
    /// The first and the last status.
    pub status: Option<(u16, u16)>,
    /// From this time on, in microseconds since the epoch.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// When it arrived, RFC 3339.
    pub at: String,
    /// The client key's name.
    pub client: String,
    /// The path below `/v1/`.
    pub endpoint: String,
    /// The provider that answered.
    pub provider: Option<String>,
    /// The account that answered.
    pub account: Option<String>,
    /// The model that answered, else the one asked for.
    pub model: String,
    /// The HTTP status.
    pub status: u16,
    /// `completed`, `failed`, `broken` or `left`.
    pub outcome: String,
    /// Whether it was a stream.
    pub stream: bool,
    /// How many upstream tries it took.
    pub attempts: usize,
    /// Milliseconds spent waiting for an account.
    pub parked_ms: u64,
    /// Milliseconds from arrival to end.
    pub total_ms: u64,
    /// Tokens, where the answer told them.
    pub usage: Option<Tokens>,
    /// USD as a decimal string; `None` when the call is unpriced.
    pub cost_usd: Option<String>,
    /// Whether a count or a rate in it stands for one that is not known.
    pub estimated: bool,
}

/// Tokens of a call: each in one of these, whatever its medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Fresh input.
    pub input: u64,
    /// Input read from the prompt cache.
    pub cache_read: u64,
    /// Input written to the prompt cache.
    pub cache_write: u64,
    /// Visible output.
    pub output: u64,
    /// Hidden reasoning.
    pub reasoning: u64,
}

/// What the calls of one key consumed and cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostRow {
    /// The key; empty where the calls have none. Several are joined.
    pub key: String,
    /// Each key, in the order in which they were asked for.
    #[serde(default)]
    pub keys: Vec<String>,
    /// How many calls.
    pub calls: u64,
    /// Their tokens.
    pub usage: Tokens,
    /// USD as a decimal string, of the calls that have a price.
    pub cost_usd: String,
    /// Calls that consumed tokens and have no price.
    pub unpriced: u64,
    /// Calls that were answered and did not say what they consumed.
    pub untold: u64,
    /// Calls with an estimate in their cost.
    pub estimated: u64,
    /// Calls whose provider told a cost beside the price table's.
    #[serde(default)]
    pub compared: u64,
    /// What those cost as their providers told it, USD as a decimal string; absent when there are none.
    #[serde(default)]
    pub told_usd: Option<String>,
    /// What those cost by the price table.
    #[serde(default)]
    pub listed_usd: Option<String>,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        let [input, cache_read, cache_write, output, reasoning] = usage.sums();
        Self { input, cache_read, cache_write, output, reasoning }
    }
}
