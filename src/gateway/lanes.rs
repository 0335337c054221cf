//! Several connections per host: an HTTP/2 connection carries about a hundred streams, so calls spread over clients.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::alpn::{Spoken, may_ask};
use super::upstream::Way;
use crate::catalog::urls::is_loopback;
use crate::kit::{Fault, Kind};

/// Streams per connection; servers commonly allow 100.
const PER_LANE: usize = 90;
const LANES: usize = 64;

/// How far one answer is read ahead of its client over HTTP/2.
const STREAM_WINDOW: u32 = 512 * 1024;

/// Room for the windows of all streams, so that clients that read slowly do not stop the others on their connection. It
/// bounds small frames too: h2 closes a connection, and with it every answer on it, once the frames that wait to be read
/// cost it half of this (`too_many_data_frames`); an adaptive window begins at 64 KiB, which is a token or three for each.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;

/// The clients for one way, filled in order, made when needed.
pub(super) struct Lanes {
    slots: [Slot; LANES],
    /// Clients that know of HTTP/2 open one connection each; others open one for each call of a burst, since only the
    /// handshake tells what is spoken.
    spoken: Arc<Spoken>,
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
    spoken: Arc<Spoken>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { slots: std::array::from_fn(|_| Slot::default()), spoken: Arc::default() }
    }
}

impl Lanes {
    /// A place in the first lane that has one; the emptiest when all are full.
    pub(super) async fn take(&self, way: &Way) -> Result<Lane, Fault> {
        // the first call goes at once; whoever comes before its answer makes it a burst
        let burst = self.spoken.is_unknown() && self.slots[0].busy.load(Ordering::Acquire) > 0;
        if burst && may_ask(way) {
            self.spoken.ask(way, tls(way, Speaks::Either)?).await;
        }
        let free = self.slots.iter().find(|slot| slot.busy.load(Ordering::Acquire) < PER_LANE);
        let emptiest = || self.slots.iter().min_by_key(|slot| slot.busy.load(Ordering::Acquire));
        let slot = free.or_else(emptiest).unwrap_or(&self.slots[0]);
        let speaks = if self.spoken.is_http2() { Speaks::Http2 } else { Speaks::Either };
        let made = slot.client(way, speaks)?;
        slot.busy.fetch_add(1, Ordering::AcqRel);
        Ok(Lane { made, busy: Arc::clone(&slot.busy), spoken: Arc::clone(&self.spoken) })
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
        self.spoken.answered(response.version());
    }

    /// No connection was made: perhaps the host speaks HTTP/2 no more.
    pub(super) fn unconnected(&self) {
        self.spoken.unconnected();
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
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .connector_layer(super::connecting::layer())
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
