//! Which account may take a call now, or not before when, and why. Decisions only: no waiting, no I/O.

mod affinity;
mod breaker;
mod choose;
mod credentials;
mod health;
mod lease;
mod outcome;
mod pool;
pub mod refresh;
mod roster;
mod row;
mod seat;
mod verdict;
mod wanted;

pub use credentials::Credentials;
pub use lease::Lease;
pub use pool::Pool;
pub use refresh::Refresher;
pub use row::{Row, Standing};
pub use verdict::{NotBefore, Verdict};
pub use wanted::Wanted;
