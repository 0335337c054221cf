//! The words every other room uses: faults, secrets, time, ids, private files, sealing.

pub mod decimal;
pub mod fault;
pub mod file;
pub mod id;
pub mod money;
pub mod seal;
pub mod secret;
pub mod time;
pub mod usage;
pub mod window;

pub use fault::{Blame, Fault, Kind, Next, Said};
pub use id::CallId;
pub use money::Money;
pub use secret::Secret;
pub use time::{Clock, Time};
pub use usage::Usage;
