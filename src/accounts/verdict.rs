//! Why no account can take a call, and when one could.

use std::borrow::Cow;

use super::pace::Full;
use crate::kit::fault::Scope;
use crate::kit::window::{Span, What};
use crate::kit::{Kind, Time};

/// No account can take the call now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotBefore {
    /// When one could; `None` when time alone does not help.
    pub at: Option<Time>,
    /// Whether an account is only busy and may come back any moment.
    pub busy: bool,
    /// Why each account was passed over.
    pub verdicts: Vec<Verdict>,
}

/// Why an account was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The account.
    pub account: String,
    /// Why, in words.
    pub why: String,
    /// What keeps it away, where that is a failure; waiting mends some of them, a person the others.
    pub kind: Option<Kind>,
}

/// What keeps an account from taking a call. Put into words only when somebody is told.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    Until(Time, Cow<'static, str>, Kind),
    Probing(Cow<'static, str>),
    /// Only a person can mend it.
    Person(Cow<'static, str>, Kind),
    Never(&'static str),
    /// A limit that a person set.
    Full(Owner, Full),
    /// A window of the provider has no room.
    Short(Time, What, Span),
    /// The provider bears no more calls at once.
    Crowded(u32),
    /// The provider wants its use to grow more slowly.
    Ramp(Time),
    /// Another call was quicker.
    Taken,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Account,
    Provider,
}

impl Stop {
    /// When it is over; `None` where time alone does not tell.
    fn at(&self) -> Option<Time> {
        match self {
            Self::Until(at, ..) | Self::Short(at, ..) | Self::Ramp(at) => Some(*at),
            Self::Full(_, Full::Requests(_, at) | Full::Tokens(_, at)) => Some(*at),
            _ => None,
        }
    }

    /// Whether a call that ends may be all that is missing.
    const fn is_busy(&self) -> bool {
        matches!(self, Self::Probing(_) | Self::Full(_, Full::Calls(_)) | Self::Crowded(_) | Self::Taken)
    }

    const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Until(_, _, kind) | Self::Person(_, kind) => Some(*kind),
            Self::Full(_, Full::Requests(..) | Full::Tokens(..)) | Self::Ramp(_) => {
                Some(Kind::Throttled(None, Scope::Account))
            }
            Self::Short(..) => Some(Kind::Throttled(None, Scope::Model)),
            _ => None,
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let whose = |owner: &Owner| match owner {
            Owner::Account => "its limit",
            Owner::Provider => "its provider's limit",
        };
        match self {
            Self::Until(at, why, _) => format!("{why}, until {at}"),
            Self::Probing(why) => format!("a probe is under way after: {why}"),
            Self::Person(why, _) => why.to_string(),
            Self::Never(why) => (*why).to_owned(),
            Self::Full(owner, Full::Calls(most)) => format!("{most} calls at once, {}", whose(owner)),
            Self::Full(owner, Full::Requests(rpm, at)) => {
                format!("{rpm} requests a minute, {}, until {at}", whose(owner))
            }
            Self::Full(owner, Full::Tokens(tpm, at)) => format!("{tpm} tokens a minute, {}, until {at}", whose(owner)),
            Self::Short(at, what, span) => {
                format!("too few {}{} left, as the provider told, until {at}", what.word(), span.words())
            }
            Self::Crowded(most) => format!("{most} calls at once, more than that the provider refused"),
            Self::Ramp(at) => format!("its provider wants it to be used more slowly, until {at}"),
            Self::Taken => "another call was quicker".to_owned(),
        }
    }
}

impl NotBefore {
    /// Adds what stands in the way along another route.
    pub fn join(&mut self, other: Self) {
        self.at = match (self.at, other.at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.busy |= other.busy;
        self.verdicts.extend(other.verdicts);
    }

    /// Adds what stands in the way of one account.
    pub(super) fn note(&mut self, account: &str, stop: &Stop) {
        if let Some(at) = stop.at() {
            self.at = Some(self.at.map_or(at, |other| other.min(at)));
        }
        self.busy |= stop.is_busy();
        self.verdicts.push(Verdict { account: account.to_owned(), why: stop.words(), kind: stop.kind() });
    }
}
