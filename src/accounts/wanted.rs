//! What a call wants of a route.

use std::sync::Arc;

use crate::config::{Account, Strategy};

/// What a call wants of a route.
#[derive(Clone, Copy, Debug)]
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
}
