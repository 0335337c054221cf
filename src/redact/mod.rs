//! What may leave the house: calls on their way to a provider, and everybody's words on their way into a log, an error or
//! a file.

mod call;
mod clean;
mod forms;
mod known;
pub mod rules;
mod scan;

pub use call::{Redacted, pass};
pub use clean::Flow;
pub use known::Known;
pub use scan::{Hit, Unsearched};

