//! The CPU time that a process and its children have used, from `/proc`.

use std::fs;
use std::time::Duration;

use super::Outcome;

/// User and system time of a process and its children, over all threads that live. From `schedstat`, which counts
/// nanoseconds: the clock ticks of `stat` are as long as the requests of a whole round.
pub(crate) fn time(pid: u32) -> Outcome<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // a thread may end between two looks
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let nanos = text.split_whitespace().next().ok_or("an unknown schedstat")?;
        sum += Duration::from_nanos(nanos.parse()?);
    }
    for child in children(pid) {
        sum += time(child)?;
    }
    Ok(sum)
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
