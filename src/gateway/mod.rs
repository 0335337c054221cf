//! The request path: plan a route, take an account, send, classify, try again or hand the answer back.

pub mod answer;
pub mod gate;

pub use answer::{Answer, Trace};
pub use gate::{Gate, ListedModel};
