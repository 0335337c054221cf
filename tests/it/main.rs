//! Everything that is tested from outside, in one binary: each further one would link the whole tree again.

mod serve_bad_input;
mod serve_keys;
mod serve_leaving;
mod serve_routes;
mod serve_screen;
mod serve_support;
