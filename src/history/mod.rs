//! The bodies of calls, where somebody wants them kept: without secrets, packed, sealed with a key of the vault's, for a
//! while. Apart from the ledger, so that no body ever stands in the way of money: what cannot be kept is dropped and
//! counted, and the call never hears of it.
//!
//! A `Tap` collects what passes by, without copying it; one thread (`scribe`) cleans, packs, seals and writes it into a
//! `Folder`; `Exchange` is what comes out again.

mod capture;
mod exchange;
mod folder;
mod keys;
mod packed;
mod scribe;
mod tap;

pub use capture::{Capture, Standing};
pub use exchange::{Answer, Body, Exchange, Request, State};
pub use folder::{Disk, Folder};
pub use keys::{Keyed, Keys};
pub use packed::HistoryError;
pub use tap::Tap;
