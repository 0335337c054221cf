//! What the accounts of one quota group share: their cooldowns, and what was learned of their limits.

use super::crowd::Crowd;
use super::health::Health;
use super::learned::{Learned, Need};
use super::ramp::Ramp;
use crate::kit::Time;

/// One group, which most accounts have for themselves.
///
/// A choice among a hundred accounts waits for memory more than for anything else, so the words that it reads of each lie
/// in two cache lines: the first of the windows, and from the end of the ramp to the beginning of the health.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Group {
    pub(super) windows: Learned,
    pub(super) ramp: Ramp,
    pub(super) crowd: Crowd,
    pub(super) health: Health,
}

impl Group {
    /// Whether nothing at all stands in a call's way, told by a few plain reads; where it is false, whoever wants to know
    /// more asks each part.
    pub(super) fn is_clear(&self, need: Need, now: Time) -> bool {
        self.windows.has_room(need, now) && self.ramp.is_free() && self.crowd.is_unlimited() && self.health.is_well()
    }

    /// Forgets every cooldown and limit, on a person's word.
    pub(super) fn clear(&self) {
        self.health.clear();
        self.windows.clear();
        self.ramp.clear();
        self.crowd.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_choice_reads_of_a_group_lies_in_two_cache_lines() {
        let group = Group::default();
        let line = |address: usize| (address - std::ptr::from_ref(&group).addr()) / 64;
        let words = [group.ramp.hot(), group.crowd.hot(), group.health.hot()[0], group.health.hot()[1]].map(line);
        assert_eq!(group.windows.hot().map(line), [0; 5]);
        assert!(words.iter().all(|at| *at == words[0]), "{words:?}");
    }
}
