//! The lab: the scripted upstream behind real sockets. It keeps a record of all it saw, and answers as its persona
//! does unless a script for the caller's key says otherwise.
//!
//! It runs on a thread of its own, so that a test that blocks does not hold it up.

mod door;
mod hint;
mod journal;
mod keyring;
mod play;
mod queue;
mod rate;
mod script;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::Runtime;

pub use hint::Hint;
pub use journal::Seen;
pub use keyring::Ring;
pub use queue::Queue;
pub use rate::Telling;
pub use script::{Script, frames};

use self::door::Room;
use self::journal::Journal;
use self::keyring::Keyring;
use self::queue::Scripts;
use super::{Engine, Persona};

/// How a lab is set up; `Lab::start` takes the defaults.
#[derive(Debug)]
pub struct Setup {
    /// Whose manners it has.
    pub persona: Persona,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// A certificate: the lab then speaks TLS and offers HTTP/2.
    pub identity: Option<Identity>,
    /// Models beside the persona's own. A generic lab takes any name when this is empty.
    pub models: Vec<String>,
    /// Which keys it takes.
    pub keys: Keys,
    /// How many streams one HTTP/2 connection may carry.
    pub max_streams: u32,
}

/// Which keys a lab takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Those that `Lab::key` and `Lab::token` gave out.
    Given,
    /// All.
    Any,
}

/// A certificate chain, leaf first, and its key.
#[derive(Debug)]
pub struct Identity {
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

impl Setup {
    /// The defaults for a persona: a free port, no TLS, only keys that were given out, 100 streams.
    pub const fn new(persona: Persona) -> Self {
        Self { persona, port: 0, identity: None, models: Vec::new(), keys: Keys::Given, max_streams: 100 }
    }
}

/// A running lab; it stops when dropped, and its connections break.
pub struct Lab {
    room: Arc<Room>,
    persona: Persona,
    scheme: &'static str,
    addr: SocketAddr,
    runtime: Option<Runtime>,
}

impl Lab {
    /// Starts a lab on a free port of 127.0.0.1.
    pub fn start(persona: Persona) -> io::Result<Self> {
        Self::start_with(Setup::new(persona))
    }

    /// Starts a lab. Fails when the port is taken or the certificate does not fit its key.
    pub fn start_with(setup: Setup) -> io::Result<Self> {
        let keyring = Arc::new(Keyring::new(setup.keys));
        let gate = {
            let keyring = Arc::clone(&keyring);
            Arc::new(move |key: &str| keyring.takes(key))
        };
        let room = Arc::new(Room {
            engine: Engine::with(setup.persona, &setup.models, gate),
            keyring,
            scripts: Scripts::default(),
            journal: Journal::default(),
            rate: rate::Rate::default(),
            max_streams: setup.max_streams,
        });
        let scheme = if setup.identity.is_some() { "https" } else { "http" };
        let tls = setup.identity.map(door::acceptor).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, setup.port))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(door::accept(listener, tls, Arc::clone(&room)));
        Ok(Self { room, persona: setup.persona, scheme, addr, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// The base URL for clients of this vendor, without a slash at its end.
    pub fn base_url(&self) -> String {
        self.origin() + self.persona.base_path()
    }

    /// The secret of the account that tests call by this name; from now on it is taken.
    pub fn key(&self, name: &str) -> String {
        self.room.keyring.give(name, &format!("sk-lab-{name}-4f1c2a9e7b6d5830"))
    }

    /// A token that looks like a JWT, for the account that tests call by this name.
    pub fn token(&self, name: &str) -> String {
        self.room.keyring.give(name, &format!("eyJhbGciOiJub25lIn0.{name}.4f1c2a9e7b6d5830"))
    }

    /// Refuses the key of this name from `wait` on, as the vendor refuses a key that has expired.
    pub fn expire(&self, name: &str, wait: Duration) {
        self.room.keyring.expire(name, wait);
    }

    /// The lab's keys, for an identity provider that makes more of them.
    pub fn ring(&self) -> Ring {
        Ring(Arc::clone(&self.room.keyring))
    }

    /// Queues scripts for the calls (not for look-ups by GET) of this key. The empty name stands for calls without a
    /// key that was given out.
    pub fn on(&self, name: &str) -> Queue<'_> {
        self.room.scripts.of(Some(name))
    }

    /// Queues scripts for whichever call comes next; they go before those of a key.
    pub fn on_any(&self) -> Queue<'_> {
        self.room.scripts.of(None)
    }

    /// From now on takes so many calls of a key in one window, which begins with its first call; the rest is refused
    /// as the vendor refuses.
    pub fn enforce(&self, calls: u32, window: Duration, telling: Telling) {
        self.room.rate.enforce(calls, window, telling);
    }

    /// How many calls were refused since they were over the enforced rate.
    pub fn refused(&self) -> usize {
        self.room.rate.refused()
    }

    /// All requests so far, in the order in which they were complete.
    pub fn seen(&self) -> Vec<Seen> {
        self.room.journal.all()
    }

    /// How many requests came with the key of this name.
    pub fn count(&self, name: &str) -> usize {
        self.room.journal.all().iter().filter(|seen| seen.key == name).count()
    }

    /// How many requests are under way.
    pub fn in_flight(&self) -> usize {
        self.room.journal.in_flight.load(Ordering::SeqCst)
    }

    /// How many requests were under way at once, at most.
    pub fn max_in_flight(&self) -> usize {
        self.room.journal.max_in_flight.load(Ordering::SeqCst)
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.room.journal.connections.load(Ordering::SeqCst)
    }

    /// Waits until `n` requests were seen; gives them, or `None` when the time is over.
    pub async fn wait_seen(&self, n: usize, within: Duration) -> Option<Vec<Seen>> {
        self.room.journal.wait(within, |all| (all.len() >= n).then(|| all.to_vec())).await
    }

    /// Waits until clients have left `n` answers before their end; gives those, or `None` when the time is over.
    pub async fn wait_closed(&self, n: usize, within: Duration) -> Option<Vec<Seen>> {
        let closed = |all: &[Seen]| {
            let closed: Vec<Seen> = all.iter().filter(|seen| seen.closed.is_some()).cloned().collect();
            (closed.len() >= n).then_some(closed)
        };
        self.room.journal.wait(within, closed).await
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
