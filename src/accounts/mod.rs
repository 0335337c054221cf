//! Which account may take a call now, or not before when, and why. Decisions only: no waiting, no I/O.

mod affinity;
mod breaker;
mod choose;
mod credentials;
mod health;
mod lease;
mod pool;
pub mod refresh;
mod verdict;

pub use credentials::Credentials;
pub use lease::Lease;
pub use pool::{Pool, Row, Standing, Wanted};
pub use refresh::Refresher;
pub use verdict::{NotBefore, Verdict};
