//! Says so when a provider bills another price than the table has, once for each model.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::catalog::price::drifts;
use crate::kit::Money;

/// Models that are remembered; whoever asks for made-up names could fill the memory otherwise.
const MOST: usize = 256;

/// The models of which it was said.
#[derive(Default)]
pub(super) struct Drift(
    // a std mutex: it is held for a look-up, and only where a price was found to be wrong
    Mutex<HashSet<String>>,
);

impl Drift {
    /// Compares what a provider billed for a call with what the table makes of the same tokens.
    pub(super) fn compare(&self, provider: &str, model: &str, billed: Money, listed: Money) {
        if !drifts(billed, listed) {
            return;
        }
        let name = format!("{provider}/{model}");
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST && told.insert(name.clone()) {
            tracing::warn!(
                "{name} was billed {} where the price table says {}: the bill counts; see keywheel price show {name}, and \
                 mend the price in a file of your own in pricing/",
                billed.exact(),
                listed.exact()
            );
        }
    }

    /// Another table is in force: what was said of the old one may be mended.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
