//! What a call wants of a route.

use std::sync::Arc;

use super::learned::Need;
use crate::config::{Account, Strategy};
use crate::kit::Money;

/// What a call wants of a route.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The model as the provider knows it.
    pub model: &'a str,
    /// How to choose.
    pub strategy: Strategy,
    /// The same for all calls of one session, so that they meet the same prompt cache.
    pub affinity: Option<u64>,
    /// Accounts that this call has already tried.
    pub tried: &'a [Arc<Account>],
    /// What it is expected to take of limits.
    pub need: Need,
    /// The most that it can cost along this route, where that is known and asked for.
    pub price: Option<Money>,
}
