//! All that any face (command line, later TUI and panel) may ask of a running gateway, as plain records.
//!
//! `ops` answers in process, `client` carries the same question over the socket; both sides share these types, so a
//! new question is one variant here and one arm in `ops`.

pub mod budgets;
pub mod calls;
pub mod exchanged;
pub mod explained;
mod handed;
pub mod merit;
pub mod placed;
pub mod records;

use std::future::Future;
use std::pin::Pin;

pub use budgets::BudgetRow;
pub use calls::{CostRow, Like, RequestRow, Tokens};
pub use exchanged::Exchanged;
pub use handed::Handed;
pub use merit::Merit;
pub use placed::{Calling, Given, Placed};
pub use records::{
    AccountRow, Ask, Chosen, LedgerLag, Line, ModelRow, ProviderRow, QuotaRow, QuotaWindow, Reason, Refusal, Reply,
    Status, TestRow, VaultOrder,
};

/// An answer under way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send + 'a>>;

/// Whoever can answer for a running gateway.
pub trait Operator: Send + Sync {
    /// Answers one question.
    fn ask(&self, ask: Ask) -> Answering<'_>;

    /// Places a call in the name of the gateway's owner.
    fn call(&self, placed: Placed) -> Calling<'_>;
}
