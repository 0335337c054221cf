//! A strict identity provider on a socket: every grant, with the manners that lose logins elsewhere.
//!
//! `door` reads requests, `book` keeps the rules, `gate` lets a test stop a request at an exact place. It runs on a
//! thread of its own, as the lab does.

mod assertion;
mod book;
mod door;
mod gate;
mod person;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

pub use book::Asked;
pub use gate::Stage;

use self::book::Book;
use self::gate::Gate;
use super::lab::Ring;

/// How an identity provider behaves.
#[derive(Clone)]
pub struct Setup {
    /// The one registered client.
    pub client: Client,
    /// Whether a refresh gives a new refresh token. The old one is spent with it.
    pub rotation: Rotation,
    /// How long a spent refresh token gets the same answer again. After that its use revokes the whole family.
    pub grace: Duration,
    /// How long access tokens live.
    pub life: Duration,
    /// Whether errors come with status 200.
    pub errors_in_200: bool,
    /// How far its clock is ahead of ours, in seconds; negative is behind.
    pub skew: i64,
    /// The scope that every grant must ask for.
    pub scope: Option<String>,
    /// The e-mail and the public key (DER, PKCS #1) of the one service account.
    pub service_account: Option<(String, Vec<u8>)>,
    /// What the metadata service answers before it gives a token.
    pub machine_fails: Vec<u16>,
    /// Seconds between two questions for a device's token.
    pub interval: u64,
    /// Whether the login page sends back another `state` than it got.
    pub wrong_state: bool,
    /// Whether errors repeat all that was sent.
    pub echo: bool,
    /// The lab that takes the access tokens.
    pub ring: Option<Ring>,
}

/// A registered client.
#[derive(Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret, where it has one.
    pub secret: Option<String>,
    /// Whether it must come by HTTP Basic; else it must stand in the body.
    pub basic: bool,
}

/// What a refresh does with the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It stays good, and the answer names none.
    Keep,
    /// The answer names a new one.
    Rotate,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            client: Client { id: "keywheel-test".to_owned(), secret: None, basic: false },
            rotation: Rotation::Rotate,
            grace: Duration::ZERO,
            life: Duration::from_secs(3600),
            errors_in_200: false,
            skew: 0,
            scope: None,
            service_account: None,
            machine_fails: Vec::new(),
            interval: 1,
            wrong_state: false,
            echo: false,
            ring: None,
        }
    }
}

/// A running identity provider; it stops when dropped.
pub struct Idp {
    room: Arc<Room>,
    addr: SocketAddr,
    runtime: Option<Runtime>,
}

struct Room {
    book: Mutex<Book>,
    gate: Gate,
}

impl Idp {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let origin = format!("http://{addr}");
        let room = Arc::new(Room { book: Mutex::new(Book::new(setup, origin)), gate: Gate::default() });
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(door::serve(listener, Arc::clone(&room)));
        Ok(Self { room, addr, runtime: Some(runtime) })
    }

    /// `http://127.0.0.1:PORT`, without a path. Tokens are at `/token`, devices at `/device`, the login page at
    /// `/authorize`, the metadata service at `/metadata/identity/oauth2/token`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Logs somebody in: the first access and refresh token of a new family.
    pub fn login(&self, subject: &str) -> (String, String) {
        self.book().login(subject)
    }

    /// Every request for a token so far, as it was counted when it arrived.
    pub fn asked(&self) -> Vec<Asked> {
        self.book().asked.clone()
    }

    /// How often a refresh token was exchanged for tokens that did not exist before.
    pub fn refreshed(&self) -> usize {
        self.book().refreshed
    }

    /// Whether the family of this subject was revoked.
    pub fn revoked(&self, subject: &str) -> bool {
        self.book().revoked(subject)
    }

    /// The person at a device agrees.
    pub fn approve(&self, user_code: &str) {
        self.book().decide(user_code, true);
    }

    /// The person at a device declines.
    pub fn decline(&self, user_code: &str) {
        self.book().decide(user_code, false);
    }

    /// Stops every request for a token at this place until `release`.
    pub fn hold(&self, stage: Stage) {
        self.room.gate.hold(stage);
    }

    /// Lets the requests go on that were stopped, and all after them.
    pub fn release(&self) {
        self.room.gate.release();
    }

    /// How many requests are stopped now.
    pub fn held(&self) -> usize {
        self.room.gate.held()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.room.book()
    }
}

impl Room {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
