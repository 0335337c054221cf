//! What the system asks of a running gateway: stop, or read the configuration again.

use std::io;

/// The signals that are listened to.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGTERM, SIGINT, Ctrl-C.
    Stop,
    /// SIGHUP.
    Reload,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on, so that nothing is missed while the gateway starts.
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }
}

/// The signals that are listened to.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one; there is no SIGHUP here.
    pub(super) async fn next(&mut self) -> Wish {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Wish::Stop,
            Err(_) => std::future::pending().await,
        }
    }
}
