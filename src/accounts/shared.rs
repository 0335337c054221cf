//! What the accounts of one quota group share besides their cooldowns: what was learned of their limits.

use super::crowd::Crowd;
use super::learned::Learned;
use super::ramp::Ramp;

/// What a provider's answers taught about one group.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) windows: Learned,
    pub(super) crowd: Crowd,
    pub(super) ramp: Ramp,
}
