//! What a door needs of the gateway, so that doors can be tested without one.

use std::future::Future;
use std::pin::Pin;

use super::Answer;
use crate::telemetry::Page;
use crate::wire::{Call, Caller};

/// Whoever answers calls.
pub trait Gate: Send + Sync + 'static {
    /// Answers a call. It never fails: faults are answers in the client's dialect. Dropping the future, or the body of
    /// its answer, means that the client has left.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;

    /// The models that this caller can call now.
    fn models(&self, caller: &Caller) -> Vec<ListedModel>;

    /// Whether any account could take a call.
    fn ready(&self) -> bool;

    /// The page of counters, to which a door adds its own; accounts are named only to those who may see them.
    fn metrics(&self, accounts: Accounts) -> Page;
}

/// Whether accounts are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// One row of a model list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// As a client may write it.
    pub id: String,
    /// The provider that answers to it.
    pub provider: String,
    /// When it came to be, in seconds since the Unix epoch; 0 when nobody said.
    pub created: i64,
}
