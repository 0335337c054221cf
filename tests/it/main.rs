//! The one test binary: a module a room. It clears nothing, listens on loopback only and works in temporary homes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    unreachable_pub,
    reason = "a test stops at the first surprise, reads the environment and speaks to whoever runs it"
)]

mod floor_plan;
mod store;
mod store_sqlite;
