//! `Host` and `Origin`: what keeps a web page, which can reach every port of its reader's machine, away from ours.
//!
//! A page under a name that was pointed at 127.0.0.1 carries that name in `Host`; a page that calls us by our own
//! address carries its own in `Origin`. We answer neither, and no answer of ours carries a CORS header.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{Request, Version};

use crate::config::Live;
use crate::kit::{Fault, fault::Kind};

/// Lets a request pass whose host and origin are ours or allowed.
pub(super) fn check<B>(request: &Request<B>, live: &Live) -> Result<(), Fault> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Fault::new(Kind::Invalid(400), "send one Host header, not several")),
        (Some(host), None) => Some(host.to_str().ok().and_then(parse).ok_or_else(|| foreign_host("that"))?),
        (None, None) => None,
    };
    // HTTP/2's `:authority`, and the absolute form of HTTP/1.1, which goes before `Host`
    let authority = request.uri().authority().cloned();
    if host.is_none() && authority.is_none() && request.version() > Version::HTTP_10 {
        return Err(Fault::new(Kind::Invalid(400), "the request has no Host header; send one, such as 127.0.0.1"));
    }
    for host in host.iter().chain(&authority) {
        if !is_loopback(host) && !listed(&live.now().hosts, host) {
            return Err(foreign_host(host.as_str()));
        }
    }
    for origin in request.headers().get_all(ORIGIN) {
        let allowed = |known: &String| known.trim_end_matches('/').as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        if !live.now().origins.iter().any(allowed) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
            let words = format!(
                "web pages of {origin} may not call this gateway; to allow them, add {origin:?} to `origins` in the \
                 configuration"
            );
            return Err(Fault::new(Kind::Forbidden, words).code("foreign_origin"));
        }
    }
    Ok(())
}

/// A host with an optional port. A user name before it is what nobody sends by accident.
fn parse(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}

fn is_loopback(host: &Authority) -> bool {
    let name = host.host();
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
        || v6.and_then(|ip| ip.parse().ok()).is_some_and(|ip: Ipv6Addr| ip.is_loopback())
}

/// A name in the settings stands for every port, unless it names one.
fn listed(hosts: &[String], host: &Authority) -> bool {
    hosts.iter().any(|known| known.eq_ignore_ascii_case(host.host()) || known.eq_ignore_ascii_case(host.as_str()))
}

fn foreign_host(host: &str) -> Fault {
    let words = format!(
        "this gateway does not answer under the host name {host}; call it as 127.0.0.1 or localhost, or add the name to \
         `hosts` in the configuration"
    );
    Fault::new(Kind::Forbidden, words).code("foreign_host")
}
