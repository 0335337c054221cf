//! Everything that is tested from outside, in one binary: each further one would link the whole tree again.

mod serve_keys;
mod serve_routes;
mod serve_support;
