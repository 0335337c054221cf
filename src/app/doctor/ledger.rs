//! The ledger: whether it opens, how far it is behind, how large it is, and whether its disk has room.

use std::path::Path;

use crate::app::start::LEDGER_FILE;
use crate::cli::doctor::Finding;
use crate::config::{Keep, Paths, Size};
use crate::kit::file::check_private;
use crate::kit::{Clock, Time};
use crate::operator::LedgerLag;
use crate::store::{Look, Sqlite};

const CHECK: &str = "ledger";
/// With less room than this nothing can be written soon.
const NO_ROOM: u64 = 50 << 20;
/// With less than this a person should make some.
const LITTLE_ROOM: u64 = 1 << 30;
/// A clock that is set right moves by less.
const CLOCK_STEP: i64 = 300 * 1_000_000;

pub(super) fn look(paths: &Paths, keep: Option<Keep>, lag: Option<&LedgerLag>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = paths.data.join(LEDGER_FILE);
    if let Some(LedgerLag { queued, behind_ms, why }) = lag {
        let says = format!("{queued} calls wait to be written, {} s behind: {why}", behind_ms / 1000);
        let advice = "answers go out all the same, and nothing is lost while the gateway runs on; calls under a hard budget \
             are refused. close a program that holds the file, free some disk space, or wait for the disk";
        findings.push(Finding::fail(CHECK, says, advice));
    }
    match path.exists() {
        false => findings.push(Finding::ok(CHECK, "none yet; the first start makes it")),
        true => findings.extend(file(&path, keep)),
    }
    findings.extend(room(&paths.data));
    findings
}

fn file(path: &Path, keep: Option<Keep>) -> Vec<Finding> {
    // the home's check has told of it
    if check_private(path).is_err() {
        return Vec::new();
    }
    let look = match Sqlite::look(path) {
        Ok(look) => look,
        Err(error) => return vec![Finding::fail(CHECK, error.to_string(), "")],
    };
    let Look { schema, known, bytes, free, calls, oldest, newest } = look;
    if schema > known {
        let says = format!("it is written by a newer keywheel (schema {schema}, this one knows {known})");
        return vec![Finding::fail(CHECK, says, "use that version")];
    }
    let since = oldest.map(|at| format!(", kept since {at}")).unwrap_or_default();
    let old = if schema < known { ", of an earlier version: the next start brings it up" } else { "" };
    let says = format!("{calls} calls, {} ({} free){since}{old}", megabytes(bytes), megabytes(free));
    let mut findings = vec![Finding::ok(CHECK, says)];
    findings.extend(keep.map(|keep| retention(keep, oldest)));
    findings.extend(clock(newest));
    findings
}

fn retention(keep: Keep, oldest: Option<Time>) -> Finding {
    let most = keep.size.map(|size| format!(", at most {}", Size(size))).unwrap_or_default();
    let days = keep.age.as_secs() / 86_400;
    let says = format!("calls are kept for {days} days{most}; what they cost by the hour for ever");
    let late = keep.age + std::time::Duration::from_secs(2 * 86_400);
    match oldest.is_some_and(|oldest| Clock::system().now().since(oldest) > late) {
        true => Finding::warn(CHECK, format!("{says}; older ones are still there"), "they leave as calls come"),
        false => Finding::ok(CHECK, says),
    }
}

/// A call from the future: the clock was wrong then, or is now. Retention and prices go by it.
fn clock(newest: Option<Time>) -> Option<Finding> {
    let (newest, now) = (newest?, Clock::system().now());
    let ahead = newest.as_micros().saturating_sub(now.as_micros());
    (ahead > CLOCK_STEP).then(|| {
        let says = format!("the newest call came at {newest}, and this machine says that it is {now}");
        Finding::fail("clock", says, "set the clock; calls are priced, kept and rested by it")
    })
}

/// Whether the disk has room.
fn room(folder: &Path) -> Option<Finding> {
    // before the first start there is only what it will be made in
    let folder = folder.ancestors().find(|folder| folder.exists())?;
    let free = free(folder)?;
    let says = format!("{} free on the disk of {}", megabytes(free), folder.display());
    let advice = "free some disk space; a full disk holds up the ledger and calls under a hard budget";
    Some(match free {
        ..NO_ROOM => Finding::fail("disk", says, advice),
        NO_ROOM..LITTLE_ROOM => Finding::warn("disk", says, advice),
        LITTLE_ROOM.. => Finding::ok("disk", says),
    })
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    let free = u128::from(disk.blocks_available()) * u128::from(disk.fragment_size());
    Some(u64::try_from(free).unwrap_or(u64::MAX))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        10_000_000_000.. => format!("{} GB", bytes / 1_000_000_000),
    }
}
