//! Where work is safe from the end of the process before it is committed: two files beside the ledger, one that is
//! written to while what stands in the other is committed. A frame costs a microsecond and a commit fifty, so that answers
//! leave at once and a commit takes a crowd. Nothing is flushed to the disk, as SQLite flushes no commit in WAL mode.
//!
//! A file begins with its format and the number of the last frame that was committed when it was begun; frames follow. It
//! is written over and over, which costs half of what new pages do: older frames behind the newest have lower numbers.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::frame;

/// What a file begins with. The number goes up whenever frames change, so that no version reads what another wrote.
const FORMAT: &[u8; 16] = b"keywheel spool 1";
/// The format and a number, little-endian.
const HEADER: usize = 24;
/// The most bytes of one file; beyond, whoever records waits for the commit.
const MOST: u64 = 8 << 20;
/// A write that takes longer is not asked for again for a while: calls wait for commits meanwhile, without a thread.
const SLOW: Duration = Duration::from_millis(20);
/// For so long; also between two tries to make the files.
const REST: Duration = Duration::from_secs(5);
/// How often somebody else's write is looked at before it passes for stuck. A look costs less than a microsecond.
const LOOKS: u32 = 2000;
/// So many of the first looks come without a pause.
const EAGER: u32 = 100;

/// The spool of a ledger.
pub(super) struct Spool {
    files: Mutex<Files>,
    /// The one that writes has not come back for long: nobody else is to wait for it.
    stuck: AtomicBool,
}

/// Made when the first frame comes, and removed when dropped empty.
struct Files {
    names: [PathBuf; 2],
    halves: Option<[Half; 2]>,
    /// Which of them is written to.
    current: usize,
    /// The number of the last frame that may stand in the other one; `None` when it is empty.
    other: Option<u64>,
    resting: Option<Instant>,
}

struct Half {
    file: File,
    /// Where the next frame goes.
    end: u64,
    /// Whether a frame was written that is not known to be committed.
    used: bool,
}

impl Spool {
    pub(super) fn of(ledger: &Path) -> Self {
        let files = Files { names: names(ledger), halves: None, current: 0, other: None, resting: None };
        Self { files: Mutex::new(files), stuck: AtomicBool::new(false) }
    }

    /// Keeps a frame; `false` when it cannot be done at once.
    pub(super) fn keep(&self, frame: &[u8]) -> bool {
        let Some(mut files) = self.files() else { return false };
        if files.resting.is_some_and(|since| since.elapsed() < REST) {
            return false;
        }
        let began = Instant::now();
        let kept = files.keep(frame);
        let slow = kept.is_err() || began.elapsed() > SLOW;
        files.resting = slow.then(Instant::now);
        self.stuck.store(false, Ordering::Relaxed);
        kept.unwrap_or(false)
    }

    /// All frames up to this number are about to be committed: what comes from now on stands in the other file, where
    /// that is empty.
    pub(super) fn turn(&self, last: impl FnOnce() -> u64) {
        let Some(mut files) = self.files() else { return };
        if files.other.is_none() && files.halves.as_ref().is_some_and(|halves| halves[files.current].used) {
            files.current = 1 - files.current;
            files.other = Some(last());
        }
    }

    /// All frames up to this number are committed.
    pub(super) fn committed(&self, last: u64) {
        let Some(mut files) = self.files() else { return };
        if files.other.is_some_and(|other| other <= last) {
            let other = 1 - files.current;
            let emptied = files.halves.as_mut().is_none_or(|halves| halves[other].begin(last).is_ok());
            // one that cannot be begun anew is not written to again
            files.other = files.other.filter(|_| !emptied);
        }
    }

    /// The files, unless a write of somebody else takes long.
    fn files(&self) -> Option<MutexGuard<'_, Files>> {
        for look in 0..LOOKS {
            match self.files.try_lock() {
                Ok(files) => return Some(files),
                Err(TryLockError::Poisoned(files)) => return Some(files.into_inner()),
                Err(TryLockError::WouldBlock) if self.stuck.load(Ordering::Relaxed) => return None,
                Err(TryLockError::WouldBlock) if look < EAGER => std::hint::spin_loop(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        self.stuck.store(true, Ordering::Relaxed);
        None
    }
}

impl Files {
    fn keep(&mut self, frame: &[u8]) -> io::Result<bool> {
        let halves = match &mut self.halves {
            Some(halves) => halves,
            none => none.insert(made(&self.names)?),
        };
        halves[self.current].append(frame)
    }
}

impl Half {
    /// Whether there was room.
    fn append(&mut self, frame: &[u8]) -> io::Result<bool> {
        if self.end == 0 {
            self.begin(0)?;
        }
        let end = self.end + frame.len() as u64;
        if end > MOST {
            return Ok(false);
        }
        self.used = true;
        let written = self.file.write_all(frame);
        // nothing can be read behind what is torn
        self.end = if written.is_ok() { end } else { MOST };
        written.map(|()| true)
    }

    /// Begins anew: all frames up to this number are committed.
    fn begin(&mut self, committed: u64) -> io::Result<()> {
        let mut header = [0; HEADER];
        header[..FORMAT.len()].copy_from_slice(FORMAT);
        header[FORMAT.len()..].copy_from_slice(&committed.to_le_bytes());
        self.file.rewind()?;
        self.file.write_all(&header)?;
        (self.end, self.used) = (HEADER as u64, false);
        Ok(())
    }
}

impl Drop for Files {
    /// Files that still hold a frame stay for the next process.
    fn drop(&mut self) {
        if self.halves.as_ref().is_some_and(|halves| halves.iter().all(|half| !half.used)) {
            remove(&self.names);
        }
    }
}

/// Commits what a process that ended left behind, in the order in which it came, and removes the files. Those that a
/// living process holds are left alone, as are all while they cannot be committed.
pub(super) fn recover(ledger: &Path, commit: impl FnOnce(Vec<u8>) -> rusqlite::Result<()>) {
    let names = names(ledger);
    // the first is held by a lock as long as its process lives, and stands for both
    let Ok(first) = open(&names[0], OpenOptions::new().read(true)) else { return };
    if first.try_lock().is_err() || !is_still(&first, &names[0]) {
        return;
    }
    let left = match both(&first, &names[1]) {
        Ok(left) => left,
        Err(error) => {
            return tracing::warn!("{}, left by the last gateway, cannot be read: {error}", names[0].display());
        }
    };
    // the first write of a file may have been torn
    if !left.iter().all(|bytes| bytes.starts_with(FORMAT) || FORMAT.starts_with(bytes)) {
        let name = names[0].display();
        return tracing::warn!(
            "{name} was left by another version of keywheel: start that one once, so that its calls are kept"
        );
    }
    let mut frames: Vec<(u64, &[u8])> = left.iter().flat_map(|bytes| uncommitted(bytes)).collect();
    frames.sort_by_key(|(number, _)| *number);
    match commit(frames.iter().flat_map(|(_, frame)| *frame).copied().collect()) {
        Ok(()) => remove(&names),
        Err(error) => tracing::warn!("{} entries of the last gateway are not in the ledger yet: {error}", frames.len()),
    }
}

/// The frames that were not known to be committed.
fn uncommitted(file: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let header = file.get(FORMAT.len()..).and_then(|rest| rest.first_chunk());
    let committed = header.map_or(u64::MAX, |number| u64::from_le_bytes(*number));
    let frames = file.get(HEADER..).unwrap_or_default();
    frame::numbered(frames).filter(move |(number, _)| *number > committed)
}

/// What stands in the files. The first is read as it was opened: where locks are enforced nobody else may.
fn both(mut first: &File, second: &Path) -> io::Result<[Vec<u8>; 2]> {
    let mut left = [Vec::new(), Vec::new()];
    first.read_to_end(&mut left[0])?;
    match fs::read(second) {
        Ok(bytes) => left[1] = bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(left)
}

/// In the ledger's folder, so that they are where the ledger is and as private.
fn names(ledger: &Path) -> [PathBuf; 2] {
    ["-spool0", "-spool1"].map(|ending| {
        let mut name = OsString::from(ledger);
        name.push(ending);
        name.into()
    })
}

fn made(names: &[PathBuf; 2]) -> io::Result<[Half; 2]> {
    let make = |name: &Path| open(name, OpenOptions::new().write(true).create_new(true));
    let first = make(&names[0])?;
    let second = first.try_lock().map_err(io::Error::from).and_then(|()| {
        // one that stands alone holds nothing
        drop(fs::remove_file(&names[1]));
        make(&names[1])
    });
    if second.is_err() {
        drop(fs::remove_file(&names[0]));
    }
    Ok([first, second?].map(|file| Half { file, end: 0, used: false }))
}

/// The one that stands for both goes last.
fn remove(names: &[PathBuf; 2]) {
    // what stays is committed again, which changes nothing
    names.iter().rev().for_each(|name| drop(fs::remove_file(name)));
}

fn open(name: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(name)
}

/// Whether an open file is the one that has this name: another process may have removed it, and a third made its own.
fn is_still(file: &File, name: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let inode = |of: io::Result<fs::Metadata>| of.map(|of| (of.dev(), of.ino())).ok();
        inode(file.metadata()) == inode(fs::metadata(name))
    }
    #[cfg(not(unix))]
    {
        // no file is removed there while another process has it open
        let _ = file;
        name.exists()
    }
}
