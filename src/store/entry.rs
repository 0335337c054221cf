//! The records of the ledger. Packed they stand in its spool: whoever changes one, or a type in one, changes
//! `sqlite::spool::FORMAT` too.

use serde::{Deserialize, Serialize};

use super::{Choice, Spend};
use crate::kit::{CallId, Time};

/// One call, from its arrival to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Microseconds from arrival to the end: the last byte is there, and goes out once the call is recorded.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// `x-keywheel-project`.
    pub project: Option<String>,
    /// The client's session id.
    pub session_id: Option<String>,
    /// `x-keywheel-branch`: the git branch on which the client works.
    pub branch: Option<String>,
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

impl Entry {
    /// Microseconds from arrival to the first attempt, without those spent waiting for an account; `None` where nothing
    /// was sent.
    pub fn queue_us(&self) -> Option<u64> {
        let first = self.attempts.first()?;
        let parked = if self.attempts.len() == 1 { self.parked_us } else { self.parked_us.min(first.start_us) };
        Some(first.start_us.saturating_sub(parked))
    }
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
    /// Microseconds that it took to connect, where a connection was made for it.
    pub connect_us: Option<u64>,
    /// Microseconds from the attempt's start to the upstream's response head, its first byte, where one came.
    pub head_us: Option<u64>,
    /// Microseconds from the attempt's start to the first event of a stream, or the first piece of a whole answer.
    pub first_us: Option<u64>,
    /// Microseconds from the attempt's start to the last byte that the upstream sent of its answer.
    pub last_us: Option<u64>,
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
