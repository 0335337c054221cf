//! Which account may take a call now, or not before when, and why. Decisions only: no waiting, no I/O.

mod affinity;
mod breaker;
mod choice;
mod choose;
mod credentials;
mod crowd;
mod group;
mod guest;
mod health;
mod kept;
mod learned;
mod lease;
mod outcome;
mod pace;
mod pool;
mod ramp;
pub mod refresh;
mod roster;
mod row;
mod seat;
mod speed;
mod tempo;
mod verdict;
mod wanted;

pub use choice::choose_again;
pub use credentials::Credentials;
pub use guest::Guest;
pub use kept::{Kept, KeptAccount, KeptRest, KeptRests};
pub use learned::Need;
pub use lease::Lease;
pub use pool::Pool;
pub use refresh::Refresher;
pub use row::{Row, Standing};
pub use verdict::{NotBefore, Verdict};
pub use wanted::Wanted;
