//! What a call consumed and what it cost.

use serde::{Deserialize, Serialize};

use crate::kit::{Money, Usage};

/// The money side of an entry. What is not known is `None` and never 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// What was consumed, in buckets that do not overlap; `None` when the answer did not say.
    pub usage: Option<Usage>,
    /// The model that the answer named, where it was another than the one asked of the provider.
    pub answered: Option<String>,
    /// The service tier that was billed, where the answer named one.
    pub service_tier: Option<String>,
    /// What the call cost: the provider's own figure where it told one, else the table's. `None` is unpriced.
    pub cost: Option<Money>,
    /// What the price table says, where the provider told a figure of its own.
    pub listed: Option<Money>,
    /// The version of the table's rows.
    pub price: Option<String>,
    /// Whether a count or a rate stands in for one that is not known.
    pub estimated: bool,
}
