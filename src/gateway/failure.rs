//! Why an attempt failed, and what would let the same account take the call after all.

use std::time::Duration;

use crate::config::Account;
use crate::kit::{Fault, Kind, Secret};
use crate::wire::Edit;

/// A failed attempt.
pub(super) struct Failure {
    pub(super) fault: Fault,
    /// Nobody is to blame where there is one: the same account gets the call once more with it.
    pub(super) remedy: Option<Remedy>,
}

/// What was out of date or amiss in a refused call.
pub(super) enum Remedy {
    /// A secret newer than the refused one.
    Secret(Secret),
    /// Changes to the body, which the adapter offers for this refusal.
    Edits(Vec<Edit>),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, remedy: None }
    }
}

/// An upload was refused for a secret that has been renewed since; its bytes are gone, so only the client can send it
/// once more.
pub(super) fn out_of_date(account: &Account) -> Fault {
    let id = &account.id;
    let words = format!("the secret of account {id} was out of date and has been renewed; send the upload again");
    Fault::new(Kind::StaleToken(Duration::ZERO), words)
}
