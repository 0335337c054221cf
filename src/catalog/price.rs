//! What tokens cost at one moment: rates per bucket, and the arithmetic from usage to money.

use std::fmt;
use std::sync::Arc;

use crate::kit::decimal::{self, DecimalError};
use crate::kit::usage::Bucket;
use crate::kit::{Money, Usage};

/// The price of one unit (a token, a search), in picodollars. At most a thousand dollars, so that the largest counts a
/// provider can report never overflow a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

impl Rate {
    const MOST: u64 = 1_000_000_000_000_000;

    /// Reads USD for 10^`zeros` units: 6 for token prices, 3 for fees.
    ///
    /// # Errors
    /// When it is no number, negative, over the largest rate, or finer than a picodollar for one unit.
    pub fn parse(text: &str, zeros: u32) -> Result<Self, DecimalError> {
        let pico = decimal::exact(text, 12 - zeros)?;
        let too_large = || DecimalError::TooLarge(text.to_owned());
        let pico = u64::try_from(pico).map_err(|_| too_large())?;
        Self::from_pico(pico).ok_or_else(too_large)
    }

    /// From picodollars for one unit; `None` when it is over the largest rate.
    pub fn from_pico(pico: u64) -> Option<Self> {
        (pico <= Self::MOST).then_some(Self(pico))
    }

    /// Picodollars for one unit.
    pub const fn pico(self) -> u64 {
        self.0
    }

    /// What `units` cost.
    pub fn of(self, units: u64) -> Money {
        // 2^64 units at the largest rate stay under 2^114
        Money::from_pico(i128::from(self.0) * i128::from(units))
    }
}

/// USD for a million units: `0.003625`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::text(i128::from(self.0), 6))
    }
}

/// Where a rate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The price table names it, or the provider is known to bill the bucket like another one.
    Listed,
    /// The table does not name it; the rate of the nearest bucket stands in.
    Guessed,
}

/// How sure an amount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Every rate in it is listed for exactly this case.
    Exact,
    /// Some rate stands in for one that is not known.
    Estimated,
}

/// The rates in force for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    pub(super) units: [(Rate, Basis); Bucket::COUNT],
    pub(super) per_request: Rate,
    /// Whether the row is the one for this tier and context, or the nearest that there is.
    pub(super) row: Basis,
    pub(super) version: Arc<str>,
}

impl Rates {
    /// The rate of a bucket and where it comes from.
    pub const fn rate(&self, bucket: Bucket) -> (Rate, Basis) {
        self.units[bucket as usize]
    }

    /// The fee for the call itself.
    pub const fn per_request(&self) -> Rate {
        self.per_request
    }

    /// Names the table row for the ledger: a hash of all it says, and when it came into force.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// What the usage costs: one multiplication for each bucket, an exact sum, no rounding.
    pub fn cost(&self, usage: &Usage) -> Money {
        let tokens: Money = usage.counts().iter().zip(self.units).map(|(&count, (rate, _))| rate.of(count)).sum();
        tokens.saturating_add(self.per_request.of(1))
    }

    /// How sure the cost of this usage is: rates of empty buckets do not matter.
    pub fn certainty(&self, usage: &Usage) -> Certainty {
        let guessed =
            usage.counts().iter().zip(self.units).any(|(&count, (_, basis))| count > 0 && basis == Basis::Guessed);
        if guessed || self.row == Basis::Guessed { Certainty::Estimated } else { Certainty::Exact }
    }

    /// The dearest rate among buckets.
    pub(super) fn dearest(&self, buckets: &[Bucket]) -> Rate {
        buckets.iter().map(|&bucket| self.units[bucket as usize].0).max().unwrap_or_default()
    }

    /// Both rates together, for services that charge for the way there as well as for the model that answered. A fee on
    /// input is one on all of it, however it was cached, so its missing rates are no guesses.
    pub(super) fn plus(mut self, fee: &Self) -> Option<Self> {
        for (own, more) in self.units.iter_mut().zip(&fee.units) {
            own.0 = Rate::from_pico(own.0.0 + more.0.0)?;
        }
        self.per_request = Rate::from_pico(self.per_request.0 + fee.per_request.0)?;
        self.version = format!("{}+{}", self.version, fee.version).into();
        Some(self)
    }
}

/// Whether the provider's own price and ours are more than one percent apart.
pub fn drifts(reported: Money, ours: Money) -> bool {
    let apart = reported.saturating_sub(ours).pico().unsigned_abs();
    apart.saturating_mul(100) > reported.pico().unsigned_abs().max(ours.pico().unsigned_abs())
}

/// Whether every token rate that the first row lists is the same in the second.
pub(super) fn agrees(listed: &[(Rate, Basis); Bucket::COUNT], other: &[(Rate, Basis); Bucket::COUNT]) -> bool {
    let mut tokens = Bucket::INPUT.into_iter().chain(Bucket::OUTPUT).map(|bucket| bucket as usize);
    tokens.all(|at| listed[at].1 == Basis::Guessed || listed[at].0 == other[at].0)
}
