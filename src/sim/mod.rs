//! The scripted upstream: behind `sim/*` without sockets, in the lab with them, in an example for people.
//!
//! A request's way: `Engine::answer` → the persona checks key, path and fields as its vendor does → a model says a
//! `Turn` → `chat` or `responses` writes it down → the persona adds what only its vendor sends.

pub mod answer;
pub mod engine;
pub mod idp;
pub mod lab;
pub mod persona;

mod ask;
mod chat;
mod model;
mod refusal;
mod responses;
mod simple;

pub use answer::{Answer, Step};
pub use engine::Engine;
pub use idp::Idp;
pub use lab::{Lab, Script, Seen};
pub use persona::Persona;

/// Whether a URL's host is this machine by number.
fn is_loopback(url: &url::Url) -> bool {
    matches!(url.host(), Some(url::Host::Ipv4(ip)) if ip.is_loopback())
}

/// A user message that holds this is refused by a persona whose vendor filters content.
pub const FILTERED: &str = "[[content_filter]]";

/// A user message that holds this is too long for every model.
pub const TOO_LONG: &str = "[[context_length]]";
