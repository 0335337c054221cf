//! Values that are written as one text: sizes, amounts, routes and doors.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::home::SOCKET_PATH_LIMIT;
use super::settings::Listen;
use crate::catalog::{Malformed, checked::checked};
use crate::kit::Money;

/// A number of bytes: `64MiB`, `2GiB`, `500kB`, `1024`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// A model at a provider: `provider/model`; the model may hold further slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route(pub String);

/// An amount of money: `0.25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usd(pub Money);

checked!(Usd, "usd");
checked!(Size, "size");
checked!(Route, "route");
checked!(Listen, "listen-url");

/// Largest first, so that a size is shown in the largest unit that divides it; one table for both directions.
const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Usd {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let amount = Money::parse(text).ok().filter(|amount| amount.pico() >= 0);
        amount.map(Self).ok_or_else(|| Malformed::new("not an amount in USD; write for example \"0.25\""))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.exact())
    }
}

impl FromStr for Size {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text[digits.len()..];
        let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
        let factor = if unit.is_empty() { Some(1) } else { factor };
        let count = digits.trim().parse::<u64>().ok();
        count
            .zip(factor)
            .and_then(|(count, factor)| count.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| Malformed::new("not a size; write for example \"64MiB\" or \"2GiB\""))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) =
            UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Route {
    /// The provider's id.
    pub(super) fn provider(&self) -> &str {
        self.0.split_once('/').map_or("", |(provider, _)| provider)
    }
}

impl FromStr for Route {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(Malformed::new("a route names its provider: write \"provider/model\"")),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Listen {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text == "unix:" {
            return Ok(Self::Unix(None));
        }
        match text.split_once("://") {
            Some(("tcp", at)) => address(at).map(Self::Tcp),
            Some(("tls", at)) => address(at).map(Self::Tls),
            Some(("unix", path)) if path.starts_with('/') => socket(path),
            Some(("unix", _)) => {
                Err(Malformed::new("a socket path is absolute: unix:///PATH; `unix:` is the home's own"))
            }
            Some(("pipe", name)) if !name.is_empty() => Ok(Self::Pipe(name.to_owned())),
            _ => Err(Malformed::new(
                "not a door; write tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, unix: or pipe://NAME",
            )),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(at) => write!(f, "tcp://{at}"),
            Self::Tls(at) => write!(f, "tls://{at}"),
            Self::Unix(None) => f.write_str("unix:"),
            Self::Unix(Some(path)) => write!(f, "unix://{}", path.display()),
            Self::Pipe(name) => write!(f, "pipe://{name}"),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, Malformed> {
    let text = text.trim_end_matches('/');
    let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let text = local.as_deref().unwrap_or(text);
    text.parse().map_err(|_| Malformed::new("the address must be an IP address and a port, such as 127.0.0.1:4141"))
}

fn socket(path: &str) -> Result<Listen, Malformed> {
    if path.len() > SOCKET_PATH_LIMIT {
        let words = format!(
            "this socket path has {} bytes, the system takes {SOCKET_PATH_LIMIT}; choose a shorter one",
            path.len()
        );
        return Err(Malformed::new(words));
    }
    Ok(Listen::Unix(Some(PathBuf::from(path))))
}
