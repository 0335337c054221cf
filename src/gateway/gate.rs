//! What the doors know of the gateway.

use std::future::Future;
use std::pin::Pin;

use super::Answer;
use crate::kit::Time;
use crate::wire::{Call, Caller};

/// Answers calls. Doors hold it as a trait, so that they can be tested without providers.
pub trait Gate: Send + Sync + 'static {
    /// Answers a call; never fails: faults are answers in the client's dialect.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;

    /// The models that this caller can call now.
    fn models(&self, caller: &Caller) -> Vec<ListedModel>;

    /// Whether any account could take a call.
    fn ready(&self) -> bool;
}

/// A row of the model list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// As a client writes it: `provider/model`, or an alias.
    pub id: String,
    /// The provider, `owned_by` in the list; for an alias its first one.
    pub provider: String,
    /// When the list was last read.
    pub created: Time,
}
