//! The doors: connections, who may come in, and the routes that turn HTTP into calls.

pub mod keys;
mod rate;
mod stamp;

pub use keys::{Denied, First, KeyError, KeyOptions, KeyRow, Keys, ensure_first};
