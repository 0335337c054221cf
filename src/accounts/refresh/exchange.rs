//! What accounts ask of an identity provider. The room that sends implements it, so that tokens take the account's own
//! way out: its proxy, its authorities, its waits.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::config::Account;
use crate::kit::{Secret, Time};

/// An answer under way.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Whoever can ask an identity provider.
pub trait Exchange: Send + Sync {
    /// Asks for tokens.
    fn tokens<'a>(&'a self, account: &'a Account, asked: Asked) -> Asking<'a, Tokens>;

    /// Begins a login by device code.
    fn device<'a>(&'a self, account: &'a Account) -> Asking<'a, Device>;
}

/// A request for tokens.
#[derive(Clone)]
pub struct Asked {
    /// By what.
    pub by: By,
    /// The secret of the client registration, where it has one.
    pub client_secret: Option<Secret>,
}

/// What a token is asked for with.
#[derive(Clone)]
pub enum By {
    /// The client's own id and secret.
    Client,
    /// A refresh token.
    Refresh(Secret),
    /// The document of a service account.
    Document(Secret),
    /// The identity of this machine.
    Machine,
    /// The code of a device that a person was shown.
    Device(Secret),
    /// The code that a login page sent back.
    Code {
        /// The code.
        code: Secret,
        /// What the challenge was made of (RFC 7636).
        verifier: Secret,
        /// Where the page sent it to.
        redirect: String,
    },
}

/// What an identity provider gave.
#[derive(Clone)]
pub struct Tokens {
    /// The access token.
    pub access: Secret,
    /// The next refresh token; `None` means that the old one stays good.
    pub refresh: Option<Secret>,
    /// When they came.
    pub came: Time,
    /// Until when the access token is good, by our own clock; `None` when it was not said.
    pub expires_at: Option<Time>,
}

/// A login by device code that waits for its person (RFC 8628).
#[derive(Clone)]
pub struct Device {
    /// What the token is asked for with.
    pub code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub url: String,
    /// The same with the code in it already.
    pub complete_url: Option<String>,
    /// Between two questions, at least.
    pub interval: Duration,
    /// When the code is no longer good.
    pub expires_at: Time,
}

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of refusal it is.
    pub why: Why,
    /// One sentence for people, without a secret.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `invalid_grant` and its relatives: this refresh token, code or document is not taken, now or later.
    Grant,
    /// The registration or the settings are wrong: `invalid_client`, `invalid_scope`, an unknown address.
    Client,
    /// The clocks are too far apart for a signed request.
    Clock,
    /// Nothing was sent: no connection, or nothing to send.
    Unsent,
    /// An answer that says to come back later.
    Busy(Option<Duration>),
    /// The request left and no usable answer came: whether it was worked on nobody knows.
    Lost,
    /// The person has not agreed yet.
    Pending,
    /// The same, and the questions come too fast; the new interval where one is stated.
    SlowDown(Option<Duration>),
    /// The person declined, or the code is too old.
    Declined,
}

impl Refusal {
    /// A refusal in our own words.
    pub fn new(why: Why, message: impl Into<String>) -> Self {
        Self { why, message: message.into() }
    }
}
