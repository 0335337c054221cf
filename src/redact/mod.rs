//! What may leave the house: calls on their way to a provider, and everybody's words on their way into a log, an error or
//! a file.

mod call;
mod clean;
mod forms;
mod kept;
mod known;
mod masks;
mod prompt;
mod restore;
pub mod rules;
mod scan;
mod walk;

pub use call::{Redacted, Unsent, pass};
pub use clean::Flow;
pub use kept::{Form, Kept};
pub use known::Known;
pub use masks::Masks;
pub use restore::Restorer;
pub use rules::Rule;
pub use scan::{Hit, Unsearched};
