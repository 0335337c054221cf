//! Why a door could not be opened.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::port::Holder;
use crate::kit::file::FileError;

/// Why a door could not be opened; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Somebody else listens on the port.
    #[error("port {0} is taken by {by}; stop it or use --listen tcp://127.0.0.1:0", by = by(.1))]
    Taken(u16, Option<Holder>),
    /// The system refused.
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    Listen(String, #[source] io::Error),
    /// Keys and conversations would leave the machine in clear text.
    #[error("tcp://{0} would carry keys in clear text off this machine; use tls://{0}, or set allow_plaintext = true")]
    Plaintext(SocketAddr),
    /// A `tls://` door without certificate files.
    #[error("tls://{0} needs a certificate; set [tls] cert and key to PEM files")]
    NoCertificate(SocketAddr),
    /// The certificate files cannot be used.
    #[error("cannot use the certificate {0} with the key {1}: {2}; both must be PEM files that belong together")]
    Certificate(PathBuf, PathBuf, String),
    /// The system's limit for socket paths.
    #[error(
        "the socket path is {1} bytes long and may have {2}: {0}; use --listen unix:///SHORTER/PATH or another --home"
    )]
    PathTooLong(PathBuf, usize, usize),
    /// The folder of the socket could not be made private.
    #[error("the folder {0} of the socket is open to other users (mode {1:o}); use a folder that only you may enter")]
    LooseFolder(PathBuf, u32),
    /// The folder of the socket could not be made or read.
    #[error("{0}; use another --home, or --listen unix:///PATH")]
    Folder(FileError),
    /// Another gateway answers on the socket.
    #[error("a program listens on {0} already; stop it with `keywheel stop`, or use another --home")]
    SocketBusy(PathBuf),
    /// Something that is no socket has the socket's name.
    #[error("{0} is in the way and is no socket; move it, or use --listen unix:///OTHER/PATH")]
    InTheWay(PathBuf),
    /// A kind of door that this system does not have.
    #[error("{0} cannot be opened on this system; use {1}")]
    Unsupported(String, &'static str),
}

fn by(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(|| "another program".to_owned(), ToString::to_string)
}
