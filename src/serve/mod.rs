//! The doors: connections, who may come in, and the routes that turn HTTP into calls.
//!
//! A request's way through this room: `doors` accepts → `connection` speaks HTTP → `front` names it and `screen` looks
//! at `Host` and `Origin` → `routes` → `auth` finds the caller → `intake` reads the body → the gateway → `outflow`.

mod auth;
mod connection;
mod door;
mod doors;
mod error;
mod front;
mod inflow;
mod intake;
pub mod keys;
mod metrics;
mod models;
mod multipart;
mod outflow;
#[cfg(windows)]
mod pipe;
mod port;
mod rate;
mod refuse;
mod routes;
mod screen;
mod seats;
mod sniff;
mod stamp;
mod target;
mod tcp;
mod tls;
#[cfg(unix)]
mod unix;

pub use doors::{Bounds, Doors, Serving};
pub use error::DoorError;
pub use front::Front;
pub use keys::{Denied, First, KeyError, KeyOptions, KeyRow, Keys, ensure_first};
pub use port::Holder;
pub use rate::Wait;
pub use stamp::Follow;
