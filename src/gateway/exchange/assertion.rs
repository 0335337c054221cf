//! A service account's signed request for a token: a JWT with RS256 (RFC 7515, 7519, 7523).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::accounts::refresh::{Refusal, Why};
use crate::config::Oauth;
use crate::kit::{Secret, Time};

/// The longest that identity providers allow.
const LIFE: Duration = Duration::from_secs(3600);

/// A signed request, and where it goes.
pub(super) struct Signed {
    pub(super) assertion: Secret,
    pub(super) url: String,
}

/// What is read of the document.
#[derive(Deserialize)]
struct Document {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// Signs a request with the document's private key. The settings' address goes before the document's own.
pub(super) fn sign(document: &Secret, oauth: &Oauth, now: Time) -> Result<Signed, Refusal> {
    let wrong = |what: &str| Refusal::new(Why::Client, format!("the service account's JSON {what}"));
    let read: Document = serde_json::from_str(document.expose())
        .map_err(|_| wrong("is not one: it needs client_email, private_key and token_uri"))?;
    let pem = Zeroizing::new(read.private_key);
    let own = read.token_uri.filter(|url| url.parse::<crate::catalog::oauth::TokenUrl>().is_ok());
    let url = oauth.token_url.clone().or(own).ok_or_else(|| wrong("names no usable token_uri; set oauth.token_url"))?;
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| wrong("holds no private key in PEM (PKCS #8)"))?;
    let pair =
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| wrong("holds no RSA key of 2048 bits or more"))?;
    let audience = oauth.audience.as_deref().unwrap_or(&url);
    let head = json!({ "alg": "RS256", "typ": "JWT", "kid": read.private_key_id });
    let issued = now.as_secs();
    let mut claims = json!({
        "iss": read.client_email, "aud": audience, "iat": issued, "exp": issued + LIFE.as_secs().cast_signed(),
    });
    if let (Some(scope), Some(claims)) = (&oauth.scope, claims.as_object_mut()) {
        claims.insert("scope".to_owned(), scope.as_str().into());
    }
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&head), encode(&claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| wrong("holds a key that does not sign"))?;
    let assertion = Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature)));
    Ok(Signed { assertion, url })
}
