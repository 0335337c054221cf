//! The TLS door. Certificate files are read again when they change; connections that are open keep theirs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::door::{Accepting, Arrival, Door, Standing, Wire};
use super::error::DoorError;
use super::stamp::{self, Follow};
use super::tcp::Tcp;
use crate::config;

/// A client that has not finished its handshake by then is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A TCP port that speaks TLS.
pub(super) struct Tls {
    tcp: Tcp,
    acceptor: TlsAcceptor,
    _follow: Follow,
}

impl Tls {
    /// Reads the certificate and takes the port.
    pub(super) fn open(addr: SocketAddr, files: &config::Tls) -> Result<Self, DoorError> {
        let provider = Arc::new(ring::default_provider());
        let failed = |why: String| DoorError::Certificate(files.cert.clone(), files.key.clone(), why);
        let shown = Arc::new(Shown(ArcSwap::from_pointee(load(files, &provider).map_err(failed)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tcp = Tcp::open("tls", addr)?;
        let follow = follow(files.clone(), shown, provider);
        Ok(Self { tcp, acceptor: TlsAcceptor::from(Arc::new(config)), _follow: follow })
    }
}

impl Door for Tls {
    fn url(&self) -> String {
        format!("tls://{}", self.tcp.addr())
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async {
            let line = self.tcp.next().await?;
            let cut = Arc::clone(&line.cut);
            let handshake = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(line));
            let opening = Box::pin(async { Ok(Box::new(handshake.await??) as Box<dyn Wire>) });
            Ok(Arrival { opening, standing: Standing::Network, cut })
        })
    }
}

/// The certificate shown to clients that connect now.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Half of a renewal (a new certificate beside the old key) does not load; the next look finds the other half.
fn follow(files: config::Tls, shown: Arc<Shown>, provider: Arc<CryptoProvider>) -> Follow {
    stamp::follow(vec![files.cert.clone(), files.key.clone()], move || match load(&files, &provider) {
        Ok(key) if key.cert == shown.0.load().cert => {}
        Ok(key) => {
            shown.0.store(Arc::new(key));
            tracing::info!("new connections are shown the certificate now in {}", files.cert.display());
        }
        Err(why) => tracing::warn!("the certificate read last stays in use: {}: {why}", files.cert.display()),
    })
}

fn load(files: &config::Tls, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| format!("certificate: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| format!("key: {error}"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| error.to_string())
}
