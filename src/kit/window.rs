//! A provider's limit as its answers tell it: how much of what is left, and when there is more.

use super::Time;

/// One limit of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it counts.
    pub what: What,
    /// How long it is, where its name says so.
    pub span: Span,
    /// Whether it is one model's or the whole account's.
    pub reach: Reach,
    /// The most there can be.
    pub limit: Option<u64>,
    /// What is left.
    pub left: Option<u64>,
    /// When all of it is there again.
    pub reset: Option<Time>,
    /// How it fills.
    pub fills: Fills,
}

/// What a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Calls.
    Requests,
    /// Tokens of both directions.
    Tokens,
    /// Tokens of the request.
    InputTokens,
    /// Tokens of the answer.
    OutputTokens,
}

/// How long a window is, as far as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Its name does not say.
    Unsaid,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// Five hours.
    FiveHours,
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}

/// How far a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The account (and its quota group) with the model that was called.
    Model,
    /// Every model of the account (and of its quota group).
    Account,
}

/// How a window fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fills {
    /// All at its reset.
    AtOnce,
    /// Little by little, full at its reset.
    Evenly,
}

impl What {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
        }
    }
}

impl Span {
    /// The words for people, to stand behind what is counted; empty where nothing is known.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unsaid => "",
            Self::Minute => " of this minute",
            Self::Hour => " of this hour",
            Self::FiveHours => " of five hours",
            Self::Day => " of this day",
            Self::Week => " of this week",
            Self::Month => " of this month",
        }
    }

    /// The span of so many seconds.
    pub const fn of(seconds: u64) -> Self {
        match seconds {
            60 => Self::Minute,
            3600 => Self::Hour,
            18_000 => Self::FiveHours,
            86_400 => Self::Day,
            604_800 => Self::Week,
            2_592_000 | 2_678_400 => Self::Month,
            _ => Self::Unsaid,
        }
    }
}

impl Window {
    /// Whether two are the same limit at different times.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.what, self.span, self.reach) == (other.what, other.span, other.reach)
    }
}
