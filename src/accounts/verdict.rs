//! Why no account can take a call, and when one could.

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

/// What keeps an account from taking a call.
pub(super) enum Stop {
    Until(Time, String, Kind),
    Busy(String),
    /// Only a person can mend it.
    Person(String, Kind),
    Never(String),
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
    pub(super) fn note(&mut self, account: &str, stop: Stop) {
        let (why, kind) = match stop {
            Stop::Until(at, why, kind) => {
                self.at = Some(self.at.map_or(at, |other| other.min(at)));
                (format!("{why}, until {at}"), Some(kind))
            }
            Stop::Busy(why) => {
                self.busy = true;
                (why, None)
            }
            Stop::Person(why, kind) => (why, Some(kind)),
            Stop::Never(why) => (why, None),
        };
        self.verdicts.push(Verdict { account: account.to_owned(), why, kind });
    }
}
