//! The fields of a question to an identity provider, wiped from memory once they are sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::config::Oauth;
use crate::kit::Secret;

/// Names and values, in order.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Zeroizing<String>)>);

/// A client's id and secret as HTTP Basic.
pub(super) struct Basic {
    /// What stands behind the word `Basic`.
    pub(super) word: Secret,
    pub(super) header: HeaderValue,
}

impl Fields {
    /// Adds a field that is there.
    pub(super) fn add(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.push((name.to_owned(), Zeroizing::new(value.to_owned())));
        }
    }

    /// Adds a field unless it has been added already.
    pub(super) fn once(&mut self, name: &str, value: Option<&str>) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.add(name, value);
        }
    }

    /// Adds a field that is a secret.
    pub(super) fn secret(&mut self, name: &str, value: &Secret) {
        self.0.push((name.to_owned(), Zeroizing::new(value.expose().to_owned())));
    }

    /// Adds what the token shall be good for.
    pub(super) fn about(&mut self, oauth: &Oauth) {
        self.add("scope", oauth.scope.as_deref());
        self.add("audience", oauth.audience.as_deref());
        self.add("resource", oauth.resource.as_deref());
        self.extra(oauth);
    }

    /// Adds the settings' own fields.
    pub(super) fn extra(&mut self, oauth: &Oauth) {
        for (name, value) in &oauth.extra {
            self.add(name, Some(value));
        }
    }

    /// The fields as the body of a form.
    pub(super) fn body(self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            form.append_pair(name, value);
        }
        form.finish()
    }

    /// The fields behind a URL.
    pub(super) fn query(self, url: &mut reqwest::Url) {
        let mut query = url.query_pairs_mut();
        for (name, value) in &self.0 {
            query.append_pair(name, value);
        }
    }
}

/// RFC 6749, section 2.3.1: both are form-encoded before they are joined.
pub(super) fn basic(id: &str, secret: &Secret) -> Basic {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret.expose())));
    let word = Zeroizing::new(STANDARD.encode(joined.as_bytes()));
    let text = Zeroizing::new(format!("Basic {}", *word));
    // base64 has only visible characters
    let mut header = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    Basic { word: Secret::new(word.to_string()), header }
}
