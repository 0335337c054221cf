//! Private files: 0600 in 0700 folders, replaced in one step, locked across processes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a private file could not be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Group or others may enter or read it.
    #[error("{0} is open to other users (mode {1:o}); run: chmod {2} {0}")]
    Loose(PathBuf, u32, &'static str),
    /// The system refused.
    #[error("cannot {0} {1}: {2}")]
    Io(&'static str, PathBuf, #[source] io::Error),
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |error| FileError::Io(verb, path, error)
}

/// Makes a folder 0700 with its parents, and refuses one that others may enter.
pub fn private_dir(path: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        if !path.is_dir() {
            return fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(failed("create folder", path));
        }
        let mode = fs::metadata(path).map_err(failed("look at", path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(FileError::Loose(path.to_owned(), mode, "700"));
        }
        Ok(())
    }
    #[cfg(not(unix))]
    fs::create_dir_all(path).map_err(failed("create folder", path))
}

/// Refuses a file that others may read.
pub fn check_private(path: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(failed("look at", path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(FileError::Loose(path.to_owned(), mode, "600"));
        }
    }
    Ok(())
}

/// How the name of a temporary file of `replace` ends; it begins with a dot, the name of the file and another dot.
pub const UNFINISHED: &str = ".new";

/// Replaces a file in one step: a 0600 temporary file beside it, flushed to disk, then renamed.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let file = tempfile::Builder::new().prefix(&prefix).suffix(UNFINISHED).tempfile_in(dir);
    let mut file = file.map_err(failed("write in", dir))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(failed("write", path))?;
    file.persist(path).map_err(|error| FileError::Io("replace", path.to_owned(), error.error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("flush", dir))
}

/// A lock file, held until dropped; the system releases it when the process dies.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock, waiting for its holder.
    pub fn wait(path: &Path) -> Result<Self, FileError> {
        let file = open_lock(path)?;
        file.lock().map_err(failed("lock", path))?;
        Ok(Self(file))
    }

    /// Takes the lock now, or says that somebody else holds it.
    pub fn try_now(path: &Path) -> Result<Option<Self>, FileError> {
        let file = open_lock(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(FileError::Io("lock", path.to_owned(), error)),
        }
    }

    /// Leaves a word for those who find the lock taken, such as the holder's pid.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.write_all(text.as_bytes())
    }
}

fn open_lock(path: &Path) -> Result<File, FileError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(failed("open", path))
}
