//! The one test binary: a module a room. It clears nothing, listens on loopback only and works in temporary homes.

mod store;
mod store_sqlite;
