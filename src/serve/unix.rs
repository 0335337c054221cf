//! The Unix socket: who connects is told by the kernel, so its owner needs no key.

use std::fs;
use std::future::ready;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;

use super::door::{Accepting, Arrival, Cut, Door, Standing, Wire};
use super::error::DoorError;
use crate::kit::file::{self, FileError};
use crate::kit::{Fault, fault};

/// `sun_path` without its closing zero: unix(7); BSD and macOS have 104 bytes.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// A socket file.
pub(super) struct Unix {
    /// Dropped before the listener, whose open socket keeps the inode from being given to another file.
    file: SocketFile,
    listener: UnixListener,
    owner: u32,
}

impl Unix {
    /// Makes the socket 0600 in a 0700 folder. What nobody answers on any more is replaced.
    pub(super) fn open(path: &Path, owner: u32) -> Result<Self, DoorError> {
        let length = path.as_os_str().len();
        if length > LONGEST {
            return Err(DoorError::PathTooLong(path.to_owned(), length, LONGEST));
        }
        private_folder(path)?;
        clear(path)?;
        let failed = |error| DoorError::Listen(format!("unix://{}", path.display()), error);
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile::new(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { file, listener, owner })
    }
}

impl Door for Unix {
    fn url(&self) -> String {
        format!("unix://{}", self.file.path.display())
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async {
            let (stream, _) = self.listener.accept().await?;
            let standing = standing(stream.peer_cred()?.uid(), self.owner);
            let opening = Box::pin(ready(Ok(Box::new(stream) as Box<dyn Wire>)));
            Ok(Arrival { opening, standing, cut: Cut::default() })
        })
    }
}

fn standing(peer: u32, owner: u32) -> Standing {
    if peer == owner {
        return Standing::Owner;
    }
    let words = format!(
        "this socket belongs to uid {owner}, and you are uid {peer}; ask its owner for a client key and a tcp:// door, \
         or run your own `keywheel serve`"
    );
    Standing::Barred(Arc::new(Fault::new(fault::Kind::Forbidden, words).code("foreign_user")))
}

fn private_folder(path: &Path) -> Result<(), DoorError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    file::private_dir(folder).map_err(|error| match error {
        FileError::Loose(folder, mode, _) => DoorError::LooseFolder(folder, mode),
        other => DoorError::Folder(other),
    })
}

/// Removes a socket that a crash left behind: only what is a socket, and only when nobody answers on it.
fn clear(path: &Path) -> Result<(), DoorError> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
    if !meta.file_type().is_socket() {
        return Err(DoorError::InTheWay(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| DoorError::Folder(FileError::Io("remove", path.to_owned(), error)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(DoorError::SocketBusy(path.to_owned())),
    }
}

/// Removes the socket when the door closes, unless it is another one by now.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: meta.dev(), inode: meta.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = |meta: fs::Metadata| (meta.dev(), meta.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // a folder that became read-only keeps a stale socket, which the next start clears
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_connects_is_told_by_the_kernel_and_only_the_owner_is_let_in() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let me = nix::unistd::geteuid().as_raw();
        for (owner, name) in [(me, "mine"), (me + 1, "theirs")] {
            let path = home.path().join("run").join(name);
            let mut door = Unix::open(&path, owner).expect("open");
            let _client = std::os::unix::net::UnixStream::connect(&path).expect("connected");
            match (door.accept().await.expect("accepted").standing, owner == me) {
                (Standing::Owner, true) => {}
                (Standing::Barred(fault), false) => {
                    assert_eq!((fault.status(), fault.code.as_deref()), (403, Some("foreign_user")));
                }
                _ => panic!("owner {owner}, peer {me}"),
            }
        }
    }
}
