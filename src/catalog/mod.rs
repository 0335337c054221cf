//! What the outside world offers: providers as data, shipped inside the binary; a user's files of the same id win.

pub mod provider;

pub use provider::{AdapterName, Auth, BodyRules, ErrorRule, FaultName, Provider, Timeouts};
