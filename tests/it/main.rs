<<<<<<< HEAD
//! Everything that is tested from outside, in one binary: each further one would link the whole tree again.

mod serve_bad_input;
mod serve_keys;
mod serve_leaving;
mod serve_routes;
mod serve_screen;
mod serve_support;
=======
mod config;
mod config_discover;
mod config_edit;
mod config_errors;
mod config_home;
mod config_schema;
mod config_watch;
mod vault;
>>>>>>> config
