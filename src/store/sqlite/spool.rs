//! Where work is safe from the end of the process before it is committed: two files beside the ledger, one that is
//! written to while what stands in the other is committed. A frame costs a microsecond and a commit fifty, so that answers
//! leave at once and a commit takes a crowd. Nothing is flushed to the disk, no more than a commit is.
//!
//! A file begins with its format and the id of its spool; frames follow. It is written over and over, which costs half of
//! what new pages do. The database says, in the transaction that brings them, up to which number the frames of a spool are
//! committed: no frame is read again that has a lower one, wherever it stands.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{frame, spools};
use crate::kit::Clock;

/// What a file begins with in every version.
const NAME: &[u8; 15] = b"keywheel spool ";
/// The same in this one. The number goes up whenever frames change, so that no version reads what another wrote.
const FORMAT: &[u8; 16] = b"keywheel spool 1";
/// The format and an id, little-endian.
const HEADER: usize = 24;
/// The most bytes of one file; beyond, whoever records waits for the commit.
const MOST: u64 = 8 << 20;
/// A write that takes longer is not asked for again for a while: calls wait for commits meanwhile, without a thread.
const TOO_SLOW: Duration = Duration::from_millis(20);
/// For so long; also between two tries to make the files.
const PAUSE: Duration = Duration::from_secs(5);
/// For so long somebody else's write is waited for before it passes for stuck.
const PATIENCE: Duration = Duration::from_millis(1);
/// So many looks come before anybody asks for the time.
const EAGER: u32 = 100;

/// The spool of a ledger.
pub(super) struct Spool {
    /// Unlike every other spool's of the ledger; later ones are higher.
    pub(super) id: i64,
    files: Mutex<Files>,
    /// The one that writes has not come back for long: nobody else is to wait for it.
    stuck: AtomicBool,
}

/// Made when the first frame comes.
struct Files {
    names: [PathBuf; 2],
    halves: Option<[Half; 2]>,
    /// Which of them is written to.
    current: usize,
    /// The other one is free once all work up to this number is committed; `None` when it is.
    busy_until: Option<u64>,
    pausing: Option<Instant>,
    /// Whether the log has been told that they cannot be written.
    told: bool,
}

struct Half {
    file: File,
    /// Where the next frame goes.
    end: u64,
}

impl Spool {
    pub(super) fn of(ledger: &Path) -> Self {
        let files =
            Files { names: names(ledger), halves: None, current: 0, busy_until: None, pausing: None, told: false };
        Self { id: Clock::system().now().as_micros(), files: Mutex::new(files), stuck: AtomicBool::new(false) }
    }

    /// Writes a frame; `false` when it cannot be done at once.
    pub(super) fn write(&self, frame: &[u8]) -> bool {
        let Some(mut files) = self.files() else { return false };
        if files.pausing.is_some_and(|since| since.elapsed() < PAUSE) {
            return false;
        }
        let began = Instant::now();
        let written = files.write(frame, self.id);
        let pause = written.is_err() || began.elapsed() > TOO_SLOW;
        files.pausing = pause.then(Instant::now);
        match &written {
            Err(error) if !std::mem::replace(&mut files.told, true) => {
                tracing::warn!(
                    "{} cannot be written, so calls wait for their commits: {error}",
                    files.names[0].display()
                );
            }
            Err(_) => {}
            Ok(_) => files.told = false,
        }
        written.unwrap_or(false)
    }

    /// All work up to this number is about to be committed: what comes from now on goes into the other file, where that is
    /// free.
    pub(super) fn turn(&self, last: impl FnOnce() -> u64) {
        let Some(mut files) = self.files() else { return };
        if files.busy_until.is_none() && files.halves.as_ref().is_some_and(|halves| halves[files.current].end > 0) {
            files.current = 1 - files.current;
            files.busy_until = Some(last());
        }
    }

    /// All work up to this number is committed.
    pub(super) fn committed(&self, last: u64) {
        let Some(mut files) = self.files() else { return };
        if files.busy_until.is_some_and(|until| until <= last) {
            let other = 1 - files.current;
            files.halves.iter_mut().for_each(|halves| halves[other].end = 0);
            files.busy_until = None;
        }
    }

    /// Takes the files away: all that was ever queued is committed.
    pub(super) fn remove(&mut self) {
        let files = self.files.get_mut().unwrap_or_else(PoisonError::into_inner);
        if files.halves.take().is_some() {
            remove(&files.names);
        }
    }

    /// The files, unless a write of somebody else takes long.
    fn files(&self) -> Option<MutexGuard<'_, Files>> {
        let mut since = None;
        for look in 0.. {
            let locked = match self.files.try_lock() {
                Ok(files) => files,
                Err(TryLockError::Poisoned(files)) => files.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    if self.stuck.load(Ordering::Relaxed) {
                        break;
                    } else if look < EAGER {
                        std::hint::spin_loop();
                    } else if since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
                        std::thread::yield_now();
                    } else {
                        self.stuck.store(true, Ordering::Relaxed);
                        break;
                    }
                    continue;
                }
            };
            self.stuck.store(false, Ordering::Relaxed);
            return Some(locked);
        }
        None
    }
}

impl Files {
    fn write(&mut self, frame: &[u8], id: i64) -> io::Result<bool> {
        let halves = match &mut self.halves {
            Some(halves) => halves,
            none => none.insert(made(&self.names)?),
        };
        halves[self.current].write(frame, id)
    }
}

impl Half {
    /// Whether there was room.
    fn write(&mut self, frame: &[u8], id: i64) -> io::Result<bool> {
        if self.end == 0 {
            self.file.rewind()?;
            self.file.write_all(&[FORMAT.as_slice(), &id.to_le_bytes()].concat())?;
            self.end = HEADER as u64;
        }
        let end = self.end + frame.len() as u64;
        if end > MOST {
            return Ok(false);
        }
        let written = self.file.write_all(frame);
        // nothing can be read behind what is torn
        self.end = if written.is_ok() { end } else { MOST };
        written.map(|()| true)
    }
}

/// Commits what a process that ended left behind, in the order in which it came, and removes the files. Those that a
/// living process holds are left alone, as are all while they cannot be committed. `commit` takes the id of
/// the spool, the frames that are not committed yet, and the number of the last.
pub(super) fn recover(
    ledger: &Path,
    connection: &mut Connection,
    commit: impl FnOnce(&mut Connection, i64, Vec<u8>, u64) -> rusqlite::Result<()>,
) {
    let names = names(ledger);
    let name = names[0].display();
    // the first is held by a lock as long as its process lives, and stands for both
    let Ok(first) = open(&names[0], OpenOptions::new().read(true)) else { return };
    match first.try_lock() {
        Ok(()) if is_still(&first, &names[0]) => {}
        Ok(()) | Err(std::fs::TryLockError::WouldBlock) => return,
        Err(error) => return tracing::warn!("{name}, left by the last gateway, cannot be locked: {error}"),
    }
    let left = match both(&first, &names[1]) {
        Ok(left) => left,
        Err(error) => return tracing::warn!("{name}, left by the last gateway, cannot be read: {error}"),
    };
    if left.iter().any(|bytes| bytes.starts_with(NAME) && !bytes.starts_with(FORMAT) && bytes.len() > NAME.len()) {
        return tracing::warn!(
            "{name} was left by another version of keywheel: start that one once, so that its calls are kept"
        );
    }
    let mut id = None;
    let mut frames = Vec::new();
    for bytes in &left {
        match header(bytes) {
            Some(own) => {
                id = Some(own);
                frames.extend(frame::numbered(&bytes[HEADER..]));
            }
            // not written to yet, or killed while it was begun
            None if bytes.is_empty() || FORMAT.starts_with(bytes) || bytes.starts_with(FORMAT) => {}
            None => tracing::warn!("{name} or the file beside it is damaged: what it held is lost"),
        }
    }
    let result = id.map_or(Ok(()), |id| {
        let committed = spools::committed(connection, id)?;
        frames.retain(|(number, _)| *number > committed);
        frames.sort_by_key(|(number, _)| *number);
        match frames.last() {
            None => Ok(()),
            Some(&(last, _)) => {
                commit(connection, id, frames.iter().flat_map(|(_, frame)| *frame).copied().collect(), last)
            }
        }
    });
    match result {
        Ok(()) => remove(&names),
        Err(error) => tracing::warn!("{} entries of the last gateway are not in the ledger yet: {error}", frames.len()),
    }
}

/// The id of the spool whose file this is.
fn header(file: &[u8]) -> Option<i64> {
    let id = file.strip_prefix(FORMAT)?.first_chunk()?;
    Some(i64::from_le_bytes(*id))
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
    first.try_lock()?;
    if !is_still(&first, &names[0]) {
        // somebody took it for one that was left behind
        return Err(io::Error::other("another process has just removed it"));
    }
    // one that stands alone holds nothing
    drop(fs::remove_file(&names[1]));
    let second = make(&names[1]).inspect_err(|_| drop(fs::remove_file(&names[0])))?;
    Ok([first, second].map(|file| Half { file, end: 0 }))
}

/// The one that stands for both goes last.
fn remove(names: &[PathBuf; 2]) {
    // what stays is known to be committed
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
        // files have no number there that std would tell; it takes three processes in the same microseconds
        let _ = file;
        name.exists()
    }
}
