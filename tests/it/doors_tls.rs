//! The TLS door: both versions of HTTP, and certificates that change while it is open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use keywheel::config::{Listen, Tls};
use keywheel::serve::{Bounds, DoorError, Doors};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;

use crate::serve_support::{House, LONG, Version, exchange, house_with, settings};

struct Files {
    home: tempfile::TempDir,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let (cert, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
        Self { home, cert, key }
    }

    fn tls(&self) -> Option<Tls> {
        Some(Tls { cert: self.cert.clone(), key: self.key.clone() })
    }
}

struct Pair {
    cert: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    Pair { cert: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, path).expect("renamed");
}

fn tls_door() -> Listen {
    Listen::Tls("127.0.0.1:0".parse().expect("an address"))
}

/// Connects, trusting this certificate only.
async fn connect(
    house: &House,
    trusted: &CertificateDer<'static>,
    alpn: &[u8],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, house.tcp().await).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_by_alpn() {
    let (files, pair) = (Files::new(), pair());
    write(&files.cert, &pair.cert);
    write(&files.key, &pair.key);
    let mut settings = settings(vec![tls_door()]);
    settings.tls = files.tls();
    let house = house_with(settings, Bounds::default());
    for (alpn, version) in [(b"http/1.1".as_slice(), Version::One), (b"h2".as_slice(), Version::Two)] {
        let tls = connect(&house, &pair.der, alpn).await.expect("a handshake");
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(alpn));
        let uri = "https://localhost/v1/chat/completions";
        let request = http::Request::post(uri).header("host", "localhost").header("api-key", house.key.expose());
        let request = request.body(Full::new(Bytes::from_static(b"{\"model\":\"m\"}"))).expect("a request");
        let got = exchange(tls, version, request).await;
        assert_eq!((got.status, got.body.as_ref()), (200, b"ok".as_slice()), "{version:?}");
    }
    let plain = crate::serve_support::raw(house.tcp().await, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!plain.contains("HTTP/"), "clear text is not answered: {plain:?}");
    drop(files.home);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_clients_and_drops_no_old_one() {
    let (files, old, new) = (Files::new(), pair(), pair());
    write(&files.cert, &old.cert);
    write(&files.key, &old.key);
    let mut settings = settings(vec![tls_door()]);
    settings.tls = files.tls();
    let house = house_with(settings, Bounds::default());

    let tls = connect(&house, &old.der, b"http/1.1").await.expect("a handshake");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.expect("HTTP");
    tokio::spawn(connection);
    let mut ask = async || {
        let request = http::Request::get("/healthz").header("host", "localhost").body(Full::new(Bytes::new()));
        sender.ready().await.expect("the connection lives");
        let response = sender.send_request(request.expect("a request")).await.expect("an answer");
        response.into_body().collect().await.expect("a body").to_bytes()
    };
    assert_eq!(ask().await, "ok\n");

    // half of a renewal: the certificate read last stays in use
    write(&files.cert, &new.cert);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    connect(&house, &old.der, b"h2").await.expect("the old certificate is still shown");
    write(&files.key, &new.key);
    let began = Instant::now();
    while connect(&house, &new.der, b"h2").await.is_err() {
        assert!(began.elapsed() < LONG, "the new certificate is shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(connect(&house, &old.der, b"h2").await.is_err(), "and the old one no longer");
    assert_eq!(ask().await, "ok\n", "the first connection lives on");
}

#[tokio::test]
async fn certificate_files_that_cannot_be_used_are_named() {
    let files = Files::new();
    let socket = files.home.path().join("unused");
    let mut settings = settings(vec![tls_door()]);
    let refused = |settings: &keywheel::config::Settings| Doors::open(settings, &socket).err().expect("refused");
    assert!(matches!(refused(&settings), DoorError::NoCertificate(_)));
    settings.tls = files.tls();
    for (cert, key, why) in [
        (String::new(), pair().key, "no certificate"),
        ("junk".to_owned(), pair().key, "no certificate"),
        (pair().cert, "junk".to_owned(), "key"),
        (pair().cert, pair().key, "cert.pem"),
    ] {
        write(&files.cert, &cert);
        write(&files.key, &key);
        let said = refused(&settings).to_string();
        assert!(said.contains(why) && said.contains("belong together"), "{why}: {said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
    std::fs::remove_file(&files.cert).expect("removed");
    assert!(refused(&settings).to_string().contains("cert.pem"));
}
