//! This machine: its clock, and how many files a process may open.

use crate::cli::doctor::Finding;
use crate::config::Paths;
use crate::kit::{Clock, Time};

/// The first of January 2026: nothing of this program is older.
const EPOCH: Time = Time::from_micros(1_767_225_600_000_000);
/// Each client and each upstream takes a descriptor.
#[cfg(unix)]
const FEW: u64 = 4096;

pub(super) fn look(paths: &Paths) -> Vec<Finding> {
    let mut findings = vec![clock(paths)];
    findings.extend(descriptors());
    findings
}

/// A clock before this program was written, or before a file that it has just made, is wrong.
fn clock(paths: &Paths) -> Finding {
    const CHECK: &str = "clock";
    let now = Clock::system().now();
    let advice = "set the clock; tokens are renewed and calls are priced by it";
    if now < EPOCH {
        return Finding::fail(CHECK, format!("this machine says that it is {now}"), advice);
    }
    match disk_is_ahead(paths) {
        Some(ahead) => Finding::warn(CHECK, format!("{now}; the disk's clock is {ahead} s ahead"), advice),
        None => Finding::ok(CHECK, now.to_string()),
    }
}

/// By how many seconds a file that is made now is younger than now: a disk may have a clock of its own.
fn disk_is_ahead(paths: &Paths) -> Option<u64> {
    let made = tempfile::tempfile_in(&paths.data).ok()?.metadata().ok()?.modified().ok()?;
    let made = made.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let now = u64::try_from(Clock::system().now().as_secs()).ok()?;
    made.checked_sub(now).filter(|ahead| *ahead > 60)
}

#[cfg(unix)]
fn descriptors() -> Option<Finding> {
    use nix::sys::resource::{Resource, getrlimit};
    const CHECK: &str = "descriptors";
    // the gateway raises its own limit to this
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(match hard {
        ..FEW => Finding::warn(
            CHECK,
            format!("a process may open {hard} files: about {} calls at once", hard / 2),
            "raise the hard limit: ulimit -Hn, or LimitNOFILE= of its service",
        ),
        nix::libc::RLIM_INFINITY => Finding::ok(CHECK, "a process may open any number of files"),
        _ => Finding::ok(CHECK, format!("a process may open {hard} files")),
    })
}

#[cfg(not(unix))]
const fn descriptors() -> Option<Finding> {
    None
}
