//! What a call under way may cost at most, durable before it is sent: should the gateway end in the middle, the call
//! stays charged for that.

use serde::{Deserialize, Serialize};

use super::{Attempt, Context, Entry, Outcome, Spend};
use crate::kit::{CallId, Money, Time};

/// A call that is about to be sent, as far as its entry would need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it arrived.
    pub at: Time,
    /// The client key's name.
    pub client: String,
    /// Its endpoint.
    pub endpoint: String,
    /// The model as the client named it.
    pub asked: String,
    /// The provider it is sent to.
    pub provider: String,
    /// By this account.
    pub account: String,
    /// As this model.
    pub model: String,
    /// Whether it is a stream.
    pub stream: bool,
    /// Bytes of its body.
    pub bytes_in: u64,
    /// The project that the client named.
    pub project: Option<String>,
    /// The client's session.
    pub session_id: Option<String>,
    /// The run that the client named.
    pub run_id: Option<String>,
    /// The id of the call that made it.
    pub parent_id: Option<String>,
    /// The most that it can cost, all its tries together.
    pub cost: Money,
}

impl Hold {
    /// The entry of a call that the gateway did not live to see the end of.
    pub fn interrupted(self, id: CallId) -> Entry {
        let why = "the gateway ended while the call was under way; it is charged at its worst case";
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Entry {
            id,
            tenant: "local".to_owned(),
            at: self.at,
            provider: some(&self.provider),
            account: some(&self.account),
            model: some(&self.model),
            client: self.client,
            endpoint: self.endpoint,
            asked: self.asked,
            status: 0,
            outcome: Outcome::Interrupted,
            stream: self.stream,
            parked_us: 0,
            first_byte_us: None,
            total_us: 0,
            bytes_in: self.bytes_in,
            bytes_out: 0,
            context: Context {
                project: self.project,
                session_id: self.session_id,
                run_id: self.run_id,
                branch: None,
                parent_id: self.parent_id.and_then(|id| id.parse().ok()),
            },
            spend: Spend { cost: Some(self.cost), estimated: true, ..Spend::default() },
            attempts: vec![Attempt {
                provider: self.provider,
                account: self.account,
                model: self.model,
                status: None,
                fault: Some(Outcome::Interrupted.word().to_owned()),
                why: Some(why.to_owned()),
                start_us: 0,
                head_us: None,
                connect_us: None,
                first_us: None,
                last_us: None,
            }],
            decisions: Vec::new(),
            choices: Vec::new(),
        }
    }
}

/// Which calls a count is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Those that came since then, whatever their session; `None` is all. Where it is on no hour, calls of the hour's rest
    /// that have left are not in it.
    Since(Option<Time>),
    /// Those of each session by itself. Of those that have left, the sessions that were used last are known, some ten
    /// thousands.
    Sessions,
}

/// What calls of one kind cost together, for budgets that begin to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The client key's name.
    pub client: String,
    /// The project that the client named.
    pub project: Option<String>,
    /// The client's session, where sessions were asked for.
    pub session_id: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// What they cost.
    pub cost: Money,
    /// When the last of them came, where sessions were asked for.
    pub last: Time,
}
