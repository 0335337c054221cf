//! What a call costs on its way through the gateway, beside nginx and beside no proxy at all, in one interleaved run.
//!
//! `cargo bench --bench proxy [-- --quick] [--json] [--only WORK] [--against BINARY]`; two builds beside each other:
//! `cargo bench --bench proxy -- --builds --against BINARY`
//!
//! The upstream, the load and each target are processes of their own, so that the CPU time of a target is its own.
//! Foreign load on the machine moves throughput and latency, but hardly the CPU time of a request: compare that.

#![cfg_attr(target_os = "linux", allow(clippy::disallowed_methods, reason = "it measures from outside of the gateway"))]

#[cfg(target_os = "linux")]
#[path = "proxy/linux.rs"]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> linux::Done {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    use std::io::Write;
    // a closed stderr is nobody's loss
    let _ = writeln!(std::io::stderr(), "this bench reads CPU times from /proc, so it needs Linux");
}
