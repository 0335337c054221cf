//! Addresses and names of variables as settings hold them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use super::checked::{Malformed, checked};

/// Where a provider lives, without a slash at the end: `https://api.example.com/v1`; `sim:` is answered in process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(pub String);

/// Where a server on this machine would answer: `http://127.0.0.1:11434/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalUrl(pub String);

/// An outbound proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl(pub String);

/// The name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvName(pub String);

checked!(BaseUrl, "base-url");
checked!(LocalUrl, "local-url");
checked!(ProxyUrl, "proxy-url");
checked!(EnvName, "env-name");

impl FromStr for BaseUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text == "sim:" {
            return Ok(Self(text.to_owned()));
        }
        let url = web_url(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Malformed::new("a base URL holds no user or password; put the secret into an account"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Malformed::new("a base URL has no query and no fragment; cut it before the ? or #"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl FromStr for LocalUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let BaseUrl(base) = text.parse()?;
        let url = web_url(text)?;
        if url.scheme() == "http" && is_loopback(&url) {
            return Ok(Self(base));
        }
        Err(Malformed::new("only http:// on this machine (127.0.0.1) is looked at"))
    }
}

impl FromStr for ProxyUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let url =
            Url::parse(text).map_err(|_| Malformed::new("not a URL; write for example \"http://127.0.0.1:3128\""))?;
        match url.scheme() {
            "http" | "https" | "socks5h" if url.has_host() => Ok(Self(text.to_owned())),
            "http" | "https" | "socks5h" => Err(Malformed::new("the proxy's host is missing")),
            "socks5" => Err(Malformed::new("socks5:// would look names up here; write socks5h://")),
            _ => Err(Malformed::new("a proxy is http://, https:// or socks5h://")),
        }
    }
}

impl FromStr for EnvName {
    type Err = Malformed;

    /// Long runs without an underscore are more likely a key pasted into the wrong place than a name.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let name = begins && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name && text.len() <= 80 && (text.len() <= 24 || text.contains('_')) {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed::new("not the name of an environment variable; the secret itself does not belong in a file"))
    }
}

macro_rules! shown {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

shown!(BaseUrl, LocalUrl, ProxyUrl, EnvName);

/// Whether a URL's host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

fn web_url(text: &str) -> Result<Url, Malformed> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(Malformed::new("not a URL; write for example \"https://api.example.com/v1\"")),
    }
}
