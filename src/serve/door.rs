//! What the accept loop needs of a door, and what a connection may do by where it came in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::kit::Fault;

/// A place where connections arrive. Dropping it closes it.
pub(super) trait Door: Send {
    /// Where it is, as `--listen` would name it, with the real port.
    fn url(&self) -> String;

    /// Waits for the next connection.
    fn accept(&mut self) -> Accepting<'_>;
}

/// An accept under way.
pub(super) type Accepting<'a> = Pin<Box<dyn Future<Output = io::Result<Arrival>> + Send + 'a>>;

/// A connection that was accepted.
pub(super) struct Arrival {
    /// Resolves when bytes can flow: after a TLS handshake, which must not hold up the accept loop.
    pub(super) opening: Opening,
    /// What it may do.
    pub(super) standing: Standing,
    /// Set to have the connection reset instead of closed.
    pub(super) cut: Cut,
}

/// A connection on its way to where bytes can flow.
pub(super) type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Wire>>> + Send>>;

/// A connection's bytes. One type for all doors, so that hyper is compiled once.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Tells a TCP connection to end with a reset: HTTP/1.0 has no other sign for an answer that is not whole.
pub(super) type Cut = Arc<AtomicBool>;

/// What a connection may do by where it came in.
#[derive(Clone)]
pub(super) enum Standing {
    /// The user whose gateway this is, seen by the kernel on the socket: needs no key, and may administer.
    Owner,
    /// Any program of this machine that shows a key.
    #[cfg_attr(not(windows), expect(dead_code, reason = "only the Windows pipe cannot tell its owner"))]
    Local,
    /// Anything that reaches a port, web pages in a browser included: `Host` and `Origin` are checked, then the key.
    Network,
    /// Gets this answer and no other.
    Barred(Arc<Fault>),
}
