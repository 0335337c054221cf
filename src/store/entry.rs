//! The records of the ledger.

use serde::{Deserialize, Serialize};

use super::{Choice, Spend};
use crate::kit::{CallId, Time};

/// One call, from its arrival to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: CallId,
    /// Whose it is; `local` on a laptop.
    pub tenant: String,
    /// When its head had arrived.
    pub at: Time,
    /// The client key's name.
    pub client: String,
    /// `chat/completions`, `images/generations`, …
    pub endpoint: String,
    /// The model as the client named it; empty when it named none.
    pub asked: String,
    /// The provider that answered, or was asked last.
    pub provider: Option<String>,
    /// The account that answered, or was asked last.
    pub account: Option<String>,
    /// The model as the provider was asked for it.
    pub model: Option<String>,
    /// The HTTP status that the client got.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Microseconds spent waiting for an account.
    pub parked_us: u64,
    /// Microseconds from arrival to the first byte for the client, where one was sent.
    pub first_byte_us: Option<u64>,
    /// Microseconds from arrival to the end.
    pub total_us: u64,
    /// Bytes of body from the client.
    pub bytes_in: u64,
    /// Bytes of body to the client.
    pub bytes_out: u64,
    /// The project, session, run and parent call that the client named.
    pub context: Context,
    /// What it consumed and cost.
    pub spend: Spend,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// What was considered and why it was passed over.
    pub decisions: Vec<Decision>,
    /// What its accounts were chosen from, where there was a choice. Kept for a week or 100,000 calls, and read only for
    /// one call: a list leaves them out.
    pub choices: Vec<Choice>,
}

/// What a call belongs to, where the client said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `x-keywheel-project`.
    pub project: Option<String>,
    /// The client's session id.
    pub session_id: Option<String>,
    /// `x-keywheel-run`.
    pub run_id: Option<String>,
    /// The call that made this one.
    pub parent_id: Option<CallId>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer was passed on.
    Completed,
    /// The client got an error.
    Failed,
    /// The answer broke off.
    Broken,
    /// The client left first.
    Left,
    /// The gateway itself ended in the middle; charged at its worst case.
    Interrupted,
}

impl Outcome {
    /// Every way to end.
    const ALL: [Self; 5] = [Self::Completed, Self::Failed, Self::Broken, Self::Left, Self::Interrupted];

    /// Its word in the ledger and in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Left => "left",
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// One upstream try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The provider asked.
    pub provider: String,
    /// The account used.
    pub account: String,
    /// The model asked for.
    pub model: String,
    /// The upstream's HTTP status, where one came.
    pub status: Option<u16>,
    /// The fault's code; `None` when it succeeded.
    pub fault: Option<String>,
    /// The fault in words, free of secrets.
    pub why: Option<String>,
    /// Microseconds from the call's arrival to the attempt's start.
    pub start_us: u64,
    /// Microseconds from the attempt's start to the upstream's response head, where one came.
    pub head_us: Option<u64>,
}

/// A candidate that was considered for the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `provider/model`.
    pub route: String,
    /// The account considered; empty when the route has none.
    pub account: String,
    /// Why it was taken or passed over, in words.
    pub verdict: String,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At most this many; 0 means 100.
    pub limit: usize,
    /// Only from this time on.
    pub since: Option<Time>,
    /// Only of this client.
    pub client: Option<String>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only those that did not complete.
    pub failed: bool,
    /// Only those that this call made.
    pub parent: Option<CallId>,
}

impl Filter {
    /// At most how many entries, the default filled in.
    pub const fn limit(&self) -> usize {
        if self.limit == 0 { 100 } else { self.limit }
    }

    /// Whether an entry is asked for.
    pub fn passes(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.at >= since)
            && self.client.as_ref().is_none_or(|client| entry.client == *client)
            && self.account.as_ref().is_none_or(|account| entry.account.as_ref() == Some(account))
            && self.parent.is_none_or(|parent| entry.context.parent_id == Some(parent))
            && !(self.failed && entry.outcome == Outcome::Completed)
    }
}
