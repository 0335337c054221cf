//! What the tests share: the real binary in a home of its own, a small client, proxies, certificates, vendors' errors.
#![allow(dead_code, reason = "each test module uses the part it needs")]

pub mod binary;
pub mod client;
pub mod proxy;
pub mod tls;
pub mod vendor;

pub use binary::Keywheel;
pub use client::Client;

use std::time::Duration;

/// Long enough for anything that must happen on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);
