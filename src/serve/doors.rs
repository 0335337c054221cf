//! Opens the doors, lets connections in, and closes them in order.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::connection::{self, Attendant};
use super::door::Door;
use super::error::DoorError;
use super::front::Front;
use super::seats::Seats;
use super::tcp::Tcp;
use super::tls::Tls;
use crate::config::{Listen, Settings};

/// Doors that are open; nobody is let in before `serve`.
pub struct Doors(Vec<Box<dyn Door>>);

/// How long a connection may take for what, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From a connection's first byte, or the end of the last answer, to the end of a request's head.
    pub head: Duration,
    /// Between two pieces of a request's body.
    pub body: Duration,
    /// The most connections, where that is less than the limit on descriptors allows.
    pub connections: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), body: Duration::from_secs(60), connections: None }
    }
}

impl Doors {
    /// Opens every door of the settings, or none. `socket` is where `unix:` without a path is. Needs a tokio runtime.
    ///
    /// # Errors
    /// The first door that could not be opened.
    pub fn open(settings: &Settings, socket: &Path) -> Result<Self, DoorError> {
        settings.listen.iter().map(|listen| open(listen, settings, socket)).collect::<Result<_, _>>().map(Self)
    }

    /// Where the doors are, as `--listen` would name them, with the real ports.
    pub fn urls(&self) -> Vec<String> {
        self.0.iter().map(|door| door.url()).collect()
    }

    /// Lets connections in until `Serving` is closed or dropped.
    pub fn serve(self, front: Front, bounds: Bounds) -> Serving {
        let (closing, _) = watch::channel(None);
        let seats = Arc::new(Seats::new(bounds.connections));
        let attendant = Arc::new(Attendant::new(front, bounds));
        let mut loops = JoinSet::new();
        for door in self.0 {
            loops.spawn(admit(door, Arc::clone(&seats), Arc::clone(&attendant), closing.subscribe()));
        }
        Serving { closing, loops }
    }
}

/// Doors that let connections in. Dropping it cuts every connection.
pub struct Serving {
    /// By when connections must be done; `None` while the doors are open.
    closing: watch::Sender<Option<Instant>>,
    loops: JoinSet<()>,
}

impl Serving {
    /// Closes the doors at once, lets calls under way finish for at most `grace`, and cuts those that have not.
    pub async fn close(mut self, grace: Duration) {
        self.closing.send_replace(Some(Instant::now() + grace));
        while self.loops.join_next().await.is_some() {}
    }
}

fn open(listen: &Listen, settings: &Settings, socket: &Path) -> Result<Box<dyn Door>, DoorError> {
    match listen {
        Listen::Tcp(addr) if !addr.ip().is_loopback() && !settings.allow_plaintext => Err(DoorError::Plaintext(*addr)),
        Listen::Tcp(addr) => Ok(Box::new(Tcp::open("tcp", *addr)?)),
        Listen::Tls(addr) => {
            let files = settings.tls.as_ref().ok_or(DoorError::NoCertificate(*addr))?;
            Ok(Box::new(Tls::open(*addr, files)?))
        }
        #[cfg(unix)]
        Listen::Unix(path) => {
            let owner = nix::unistd::geteuid().as_raw();
            Ok(Box::new(super::unix::Unix::open(path.as_deref().unwrap_or(socket), owner)?))
        }
        #[cfg(not(unix))]
        Listen::Unix(_) => Err(DoorError::Unsupported(format!("unix:{}", socket.display()), "pipe: or tcp://")),
        #[cfg(windows)]
        Listen::Pipe(name) => Ok(Box::new(super::pipe::Pipe::open(name)?)),
        #[cfg(not(windows))]
        Listen::Pipe(name) => Err(DoorError::Unsupported(format!("pipe:{name}"), "unix:")),
    }
}

/// Lets connections in through one door until it is closed, then waits for them.
async fn admit(
    mut door: Box<dyn Door>,
    seats: Arc<Seats>,
    attendant: Arc<Attendant>,
    closing: watch::Receiver<Option<Instant>>,
) {
    let mut closed = closing.clone();
    let mut connections = JoinSet::new();
    let deadline = loop {
        tokio::select! {
            by = told(&mut closed) => break by,
            Some(_) = connections.join_next() => {}
            arrival = door.accept() => match arrival {
                Ok(arrival) => {
                    if let Some((seat, standing)) = seats.take(arrival.standing.clone()) {
                        let closing = closing.clone();
                        connections.spawn(connection::attend(arrival, standing, seat, Arc::clone(&attendant), closing));
                    }
                }
                Err(error) => rest(&error).await,
            },
        }
    };
    drop(door);
    let finished = async { while connections.join_next().await.is_some() {} };
    // when it is over, dropping the set cuts those that are left
    let _ = timeout_at(deadline, finished).await;
}

/// Waits for the doors to close; by when connections must be done then.
pub(super) async fn told(closing: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let by = closing.wait_for(Option::is_some).await.ok().and_then(|by| *by);
    by.unwrap_or_else(Instant::now)
}

/// An accept fails because the client has gone again, or because descriptors or memory ran out, which takes a moment.
async fn rest(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, NotConnected};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | NotConnected) {
        tracing::warn!("a connection could not be accepted: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
