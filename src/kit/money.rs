//! Money as an integer, so that sums reconcile with an invoice to the last digit.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decimal::{self, DecimalError, Kept};

/// Digits after the point that are kept.
const PLACES: u32 = 12;

/// An amount in picodollars (10⁻¹² USD): fine enough that every published price for one token is a whole number.
/// Shown in USD with six digits after the point, half to even; [`Money::exact`] and serde give every digit as a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// Nothing. An unknown price is `None`, never this.
    pub const ZERO: Self = Self(0);

    /// From picodollars.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// In picodollars.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// Reads USD: `0.25`, `-1`, `1.4e-05`.
    ///
    /// # Errors
    /// When it is no decimal number, too large, or finer than a picodollar.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, PLACES).map(Self)
    }

    /// Reads USD that went through somebody's floating point: what is finer than a picodollar is rounded half to even.
    ///
    /// # Errors
    /// When it is no decimal number or too large.
    pub fn parse_near(text: &str) -> Result<(Self, Kept), DecimalError> {
        decimal::near(text, PLACES).map(|(pico, kept)| (Self(pico), kept))
    }

    /// USD with every digit and no trailing zeros: `0.00491`.
    pub fn exact(self) -> String {
        decimal::text(self.0, PLACES)
    }

    /// The sum, unless it overflows.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, unless it overflows.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// `times` as much, unless it overflows.
    pub fn checked_mul(self, times: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(times)).map(Self)
    }

    /// The sum, held at the largest amount: a budget that overflows is spent, not empty.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the smallest amount.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// `$0.004910`; another precision by `{:.2}`, up to the twelve digits there are.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().and_then(|places| u32::try_from(places).ok()).unwrap_or(6).min(PLACES);
        let shown = decimal::divided(self.0, 10i128.pow(PLACES - places));
        let amount = decimal::fixed(shown, places);
        let text = match amount.strip_prefix('-') {
            Some(amount) => format!("-${amount}"),
            None => format!("${amount}"),
        };
        // not `pad`, which takes a precision for a length; amounts stand at the right of a column
        write!(f, "{text:>0$}", f.width().unwrap_or_default())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
