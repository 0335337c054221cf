//! Several connections per host: an HTTP/2 connection carries about a hundred streams, so calls spread over clients.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::upstream::Way;
use crate::catalog::urls::is_loopback;
use crate::kit::{Fault, Kind};

/// Streams per connection; servers commonly allow 100.
const PER_LANE: usize = 90;
const LANES: usize = 64;

/// The clients for one way, filled in order, made when needed.
pub(super) struct Lanes {
    slots: [Slot; LANES],
    /// Whether the host has answered by HTTP/2 over TLS. Clients that know so open one connection each; others open one
    /// for each call of a burst, since only the handshake tells what is spoken.
    http2: Arc<AtomicBool>,
}

#[derive(Default)]
struct Slot {
    made: ArcSwapOption<Made>,
    /// Held while a client is made, so that a burst makes one.
    making: Mutex<()>,
    busy: Arc<AtomicUsize>,
}

/// A client, and what it speaks.
struct Made {
    speaks: Speaks,
    client: reqwest::Client,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Either,
    Http2,
}

/// A place on a connection, given back on drop.
pub(super) struct Lane {
    made: Arc<Made>,
    busy: Arc<AtomicUsize>,
    http2: Arc<AtomicBool>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { slots: std::array::from_fn(|_| Slot::default()), http2: Arc::default() }
    }
}

impl Lanes {
    /// A place in the first lane that has one; the emptiest when all are full.
    pub(super) fn take(&self, way: &Way) -> Result<Lane, Fault> {
        let free = self.slots.iter().find(|slot| slot.busy.load(Ordering::Acquire) < PER_LANE);
        let emptiest = || self.slots.iter().min_by_key(|slot| slot.busy.load(Ordering::Acquire));
        let slot = free.or_else(emptiest).unwrap_or(&self.slots[0]);
        let speaks = if self.http2.load(Ordering::Acquire) { Speaks::Http2 } else { Speaks::Either };
        let made = slot.client(way, speaks)?;
        slot.busy.fetch_add(1, Ordering::AcqRel);
        Ok(Lane { made, busy: Arc::clone(&slot.busy), http2: Arc::clone(&self.http2) })
    }
}

impl Slot {
    /// The client, made anew when what the host speaks has turned out to be something else.
    fn client(&self, way: &Way, speaks: Speaks) -> Result<Arc<Made>, Fault> {
        let fitting = || self.made.load_full().filter(|made| made.speaks == speaks);
        if let Some(made) = fitting() {
            return Ok(made);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = fitting() {
            return Ok(made);
        }
        match client(way, speaks) {
            Ok(client) => {
                let made = Arc::new(Made { speaks, client });
                self.made.store(Some(Arc::clone(&made)));
                Ok(made)
            }
            // a file of authorities may be gone by now; the client made before still knows them
            Err(fault) => self.made.load_full().ok_or(fault),
        }
    }
}

impl Lane {
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.made.client
    }

    /// Learns from an answer what the host speaks.
    pub(super) fn answered(&self, response: &reqwest::Response) {
        if response.version() == http::Version::HTTP_2 && !self.http2.load(Ordering::Relaxed) {
            self.http2.store(true, Ordering::Release);
        }
    }

    /// No connection was made: perhaps the host speaks HTTP/2 no more.
    pub(super) fn unconnected(&self) {
        self.http2.store(false, Ordering::Release);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reading the system's certificates takes milliseconds, so they are read once.
static ROOTS: LazyLock<rustls::RootCertStore> = LazyLock::new(|| {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        // images without ca-certificates
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
});

fn client(way: &Way, speaks: Speaks) -> Result<reqwest::Client, Fault> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("keywheel/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(way.connect)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(55))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_adaptive_window(true)
        .tls_backend_preconfigured(tls(way, speaks)?);
    if speaks == Speaks::Http2 {
        builder = builder.http2_prior_knowledge();
    }
    builder = match &way.proxy {
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| unusable(way, "its proxy is no URL"))?),
        // a proxy of the environment is meant for the network, and cannot reach this machine's own servers
        None if way.origin.parse().is_ok_and(|url| is_loopback(&url)) => builder.no_proxy(),
        // a cloud's metadata service is asked by the machine itself
        None if way.origin.starts_with("http://169.254.") => builder.no_proxy(),
        None => builder,
    };
    builder.build().map_err(|error| unusable(way, &error.to_string()))
}

fn tls(way: &Way, speaks: Speaks) -> Result<rustls::ClientConfig, Fault> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = ROOTS.clone();
    if let Some(file) = &way.ca_file {
        let authorities = CertificateDer::pem_file_iter(file).map_err(|error| unusable(way, &error.to_string()))?;
        roots.add_parsable_certificates(authorities.flatten());
    }
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = match speaks {
        Speaks::Either => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Speaks::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}

fn unusable(way: &Way, why: &str) -> Fault {
    Fault::new(Kind::Unreachable, format!("no connection can be made to {}: {why}", way.origin))
}
