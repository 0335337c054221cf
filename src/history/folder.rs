//! Sealed exchanges as files, one each: no body stands in the ledger's way, and what is deleted is gone from the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exchange::Exchange;
use super::keys::Keys;
use super::packed::{self, HistoryError};
use crate::kit::CallId;
use crate::kit::file::private_dir;

/// How the file of an exchange ends, behind the call's id.
const ENDING: &str = ".sealed";
/// How the name of one that is being written begins.
const UNFINISHED: &str = ".";

/// Where sealed exchanges lie. The thread that writes is the only one that changes it.
pub trait Disk: Send {
    /// What is there, with its sizes. Tidies up what a crash left behind.
    fn list(&mut self) -> io::Result<BTreeMap<CallId, u64>>;

    /// Puts an exchange there, whole or not at all.
    fn put(&mut self, id: CallId, sealed: &[u8]) -> io::Result<()>;

    /// Deletes one.
    fn remove(&mut self, id: CallId) -> io::Result<()>;
}

/// A folder of exchanges.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path; it is made when the first exchange is put there.
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    fn read(&self, id: CallId) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// The exchange of a call; `None` when there is none.
    pub fn exchange(&self, id: CallId, keys: &dyn Keys) -> Result<Option<Exchange>, HistoryError> {
        let sealed = self.read(id).map_err(|error| HistoryError::Io(id.to_string(), error))?;
        sealed.map(|sealed| packed::opened(&sealed, id, keys)).transpose()
    }

    fn file(&self, id: CallId) -> PathBuf {
        self.0.join(format!("{id}{ENDING}"))
    }
}

impl Disk for Folder {
    fn list(&mut self) -> io::Result<BTreeMap<CallId, u64>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            entries => entries?,
        };
        let mut found = BTreeMap::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            } else if let Some(id) = name.strip_suffix(ENDING).and_then(|id| id.parse().ok()) {
                found.insert(id, entry.metadata()?.len());
            }
        }
        Ok(found)
    }

    fn put(&mut self, id: CallId, sealed: &[u8]) -> io::Result<()> {
        private_dir(&self.0).map_err(io::Error::other)?;
        let unfinished = self.0.join(format!("{UNFINISHED}{id}"));
        // not flushed to the disk: a body may be lost with the power, and waiting for it would cost more than all else
        let written = private_file(&unfinished)
            .and_then(|mut file| file.write_all(sealed))
            .and_then(|()| fs::rename(&unfinished, self.file(id)));
        if written.is_err() {
            drop(fs::remove_file(&unfinished));
        }
        written
    }

    fn remove(&mut self, id: CallId) -> io::Result<()> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
