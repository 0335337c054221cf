//! Which HTTP a host speaks, found out by a TLS handshake alone, so that a burst need not open a connection for each call.
//!
//! Only the handshake tells, and the answer of the first call may take as long as a model thinks. So the second call of a
//! cold burst shakes hands once for all that come with it, and hangs up.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::upstream::Way;
use crate::catalog::urls::is_loopback;

/// A host that takes longer is not waited for: the burst opens its connections itself.
const PATIENCE: Duration = Duration::from_secs(3);

const UNKNOWN: u8 = 0;
const HTTP1: u8 = 1;
const HTTP2: u8 = 2;
/// Asked in vain.
const UNSURE: u8 = 3;

/// What a host is known to speak.
#[derive(Default)]
pub(super) struct Spoken {
    known: AtomicU8,
    /// Held by the one that asks; the others of its burst wait for it.
    asking: Mutex<()>,
}

impl Spoken {
    pub(super) fn is_http2(&self) -> bool {
        self.known.load(Ordering::Acquire) == HTTP2
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.known.load(Ordering::Acquire) == UNKNOWN
    }

    /// An answer has come.
    pub(super) fn answered(&self, version: http::Version) {
        let known = if version == http::Version::HTTP_2 { HTTP2 } else { HTTP1 };
        if self.known.load(Ordering::Relaxed) != known {
            self.known.store(known, Ordering::Release);
        }
    }

    /// No connection was made: perhaps the host speaks HTTP/2 no more.
    pub(super) fn unconnected(&self) {
        let _ = self.known.compare_exchange(HTTP2, UNKNOWN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Asks the host, unless it is known by now or somebody else asks already; then waits for the outcome.
    pub(super) async fn ask(&self, way: &Way, tls: rustls::ClientConfig) {
        let _asking = self.asking.lock().await;
        if !self.is_unknown() {
            return;
        }
        let found = match timeout(PATIENCE.min(way.connect), shake_hands(way, tls)).await {
            Ok(Some(true)) => HTTP2,
            Ok(Some(false)) => HTTP1,
            Ok(None) | Err(_) => UNSURE,
        };
        // an answer that came meanwhile knows better
        let _ = self.known.compare_exchange(UNKNOWN, found, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Whether the host may be reached past every proxy, one of the environment included, and speaks TLS: nothing else may go
/// there directly, not even a handshake.
pub(super) fn may_ask(way: &Way) -> bool {
    static ENVIRONMENT: LazyLock<Matcher> = LazyLock::new(Matcher::from_system);
    let Ok(url) = way.origin.parse::<reqwest::Url>() else { return false };
    let proxied = || way.origin.parse().is_ok_and(|uri| ENVIRONMENT.intercept(&uri).is_some());
    way.proxy.is_none() && url.scheme() == "https" && (is_loopback(&url) || !proxied())
}

/// Whether the host chose HTTP/2; `None` without a handshake.
async fn shake_hands(way: &Way, tls: rustls::ClientConfig) -> Option<bool> {
    let url: reqwest::Url = way.origin.parse().ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default()?;
    #[expect(clippy::disallowed_methods, reason = "no request is sent: it ends with the handshake, within PATIENCE")]
    let connection = TcpStream::connect((host.as_str(), port)).await.ok()?;
    let name = ServerName::try_from(host).ok()?;
    let session = TlsConnector::from(Arc::new(tls)).connect(name, connection).await.ok()?;
    Some(session.get_ref().1.alpn_protocol() == Some(b"h2"))
}
