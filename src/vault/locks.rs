//! The locks beside a vault, waited for with an end: a process that hangs must not hang all others.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::VaultError;
use crate::kit::file::Lock;

/// Between two looks at a lock.
const STEP: Duration = Duration::from_millis(5);
/// A writer holds its lock for a few milliseconds; this is for slow disks.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lock, as soon as it is free.
pub(super) fn exclusive(path: &Path) -> Result<Lock, VaultError> {
    within(path, PATIENCE)
}

/// The lock, if it becomes free within `wait`.
#[expect(clippy::disallowed_methods, reason = "the system can wait for a lock or try it, but not wait with an end")]
pub(super) fn within(path: &Path, wait: Duration) -> Result<Lock, VaultError> {
    let mut left = wait;
    loop {
        if let Some(lock) = Lock::try_now(path)? {
            return Ok(lock);
        }
        if left.is_zero() {
            return Err(VaultError::Busy(path.to_owned()));
        }
        let step = STEP.min(left);
        thread::sleep(step);
        left -= step;
    }
}
