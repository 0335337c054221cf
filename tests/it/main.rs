//! All tests that look at the program from outside, in one binary: each more would link the whole tree again.

mod lab;
mod lab_models;
mod lab_personas;
mod lab_scripts;
mod lab_support;
mod support;
