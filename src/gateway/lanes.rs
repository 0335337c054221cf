//! Several connections per host: an HTTP/2 connection carries about a hundred streams, so calls spread over clients.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use super::upstream::Way;
use crate::kit::{Fault, Kind};

/// Streams per connection; servers commonly allow 100.
const PER_LANE: usize = 90;
const LANES: usize = 64;

/// The clients for one way, filled in order, made when needed.
pub(super) struct Lanes([Slot; LANES]);

#[derive(Default)]
struct Slot {
    client: OnceLock<reqwest::Client>,
    busy: Arc<AtomicUsize>,
}

/// A place on a connection, given back on drop.
pub(super) struct Lane {
    client: reqwest::Client,
    busy: Arc<AtomicUsize>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Slot::default()))
    }
}

impl Lanes {
    /// A place in the first lane that has one; the emptiest when all are full.
    pub(super) fn take(&self, way: &Way) -> Result<Lane, Fault> {
        let free = self.0.iter().find(|slot| slot.busy.load(Ordering::Acquire) < PER_LANE);
        let emptiest = || self.0.iter().min_by_key(|slot| slot.busy.load(Ordering::Acquire));
        let slot = free.or_else(emptiest).unwrap_or(&self.0[0]);
        let client = match slot.client.get() {
            Some(client) => client.clone(),
            None => {
                let client = client(way)?;
                slot.client.get_or_init(|| client).clone()
            }
        };
        slot.busy.fetch_add(1, Ordering::AcqRel);
        Ok(Lane { client, busy: Arc::clone(&slot.busy) })
    }
}

impl Lane {
    pub(super) const fn client(&self) -> &reqwest::Client {
        &self.client
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

fn client(way: &Way) -> Result<reqwest::Client, Fault> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("keywheel/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(way.connect)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(55))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_adaptive_window(true)
        .tls_backend_preconfigured(tls(way)?);
    if let Some(proxy) = &way.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| unusable(way, "its proxy is no URL"))?);
    }
    builder.build().map_err(|error| unusable(way, &error.to_string()))
}

fn tls(way: &Way) -> Result<rustls::ClientConfig, Fault> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = ROOTS.clone();
    if let Some(file) = &way.ca_file {
        let authorities = CertificateDer::pem_file_iter(file).map_err(|error| unusable(way, &error.to_string()))?;
        roots.add_parsable_certificates(authorities.flatten());
    }
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn unusable(way: &Way, why: &str) -> Fault {
    Fault::new(Kind::Unreachable, format!("no connection can be made to {}: {why}", way.origin))
}
