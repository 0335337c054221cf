//! The words every other room uses: faults, secrets, time, ids, private files.

pub mod fault;
pub mod file;
pub mod id;
pub mod secret;
pub mod time;

pub use fault::{Blame, Fault, Kind, Next, Said};
pub use id::CallId;
pub use secret::Secret;
pub use time::{Clock, Time};
