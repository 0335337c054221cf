//! The `keywheel` binary.

fn main() {}
