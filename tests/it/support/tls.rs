//! Certificates for 127.0.0.1, from an authority made for one test.

use keywheel::sim::lab::Identity;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;

/// A certificate, its key, and the authority that signed it, in PEM.
pub struct Pems {
    /// The authority: what a client must trust.
    pub ca: String,
    /// The certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
    identity: (rcgen::Certificate, KeyPair),
}

impl Pems {
    /// For `localhost` and 127.0.0.1.
    pub fn new() -> Self {
        let ca_key = KeyPair::generate().expect("a key");
        let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_cert = ca.self_signed(&ca_key).expect("an authority");
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let cert = CertificateParams::new(names).expect("parameters").signed_by(&key, &issuer).expect("a certificate");
        Self { ca: ca_cert.pem(), cert: cert.pem(), key: key.serialize_pem(), identity: (cert, key) }
    }

    /// The same for the lab and for proxies.
    pub fn identity(&self) -> Identity {
        let (cert, key) = &self.identity;
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
        Identity { chain: vec![cert.der().clone()], key }
    }
}
