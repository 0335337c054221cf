//! What may leave the house: calls on their way to a provider, and a provider's words on their way to anybody.

mod call;
mod forms;
mod known;

pub use call::{Redacted, pass};
pub use known::Known;
