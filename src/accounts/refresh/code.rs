//! A login by browser: the address that a person opens, and what comes back from it (RFC 6749, section 4.1; RFC 7636).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::exchange::{By, Refusal, Why};
use crate::config::Oauth;
use crate::kit::Secret;
use crate::kit::seal::random;

/// A login that waits for its person.
pub struct Page {
    /// The address to open.
    pub url: String,
    /// Where the page sends the browser back.
    pub redirect: String,
    state: Secret,
    verifier: Secret,
}

impl Page {
    /// A page that sends the browser back to `redirect`. Its `state` and verifier are random, 256 bits each.
    pub fn new(oauth: &Oauth, redirect: &str) -> Result<Self, Refusal> {
        let unusable = |what: &str| Refusal::new(Why::Client, what.to_owned());
        let word = || random::<32>().map(|bytes| Secret::new(URL_SAFE_NO_PAD.encode(bytes)));
        let (Ok(state), Ok(verifier)) = (word(), word()) else {
            return Err(unusable("this system gives no random numbers"));
        };
        let page = oauth.authorize_url.as_deref().and_then(|url| url.parse::<Url>().ok());
        let mut url = page.ok_or_else(|| unusable("oauth.authorize_url is missing or no URL"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()));
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code");
        query.append_pair("client_id", oauth.client_id.as_deref().unwrap_or_default());
        query.append_pair("redirect_uri", redirect);
        let about = [("scope", &oauth.scope), ("audience", &oauth.audience), ("resource", &oauth.resource)];
        query.extend_pairs(about.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        query.append_pair("state", state.expose());
        query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
        query.extend_pairs(&oauth.extra);
        drop(query);
        Ok(Self { url: url.into(), redirect: redirect.to_owned(), state, verifier })
    }

    /// What a token is asked for with, from what came back: an address, or the words behind its question mark.
    pub fn answer(self, came: &Secret) -> Result<By, Refusal> {
        let text = came.expose();
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let field = |wanted: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        // before anything else is believed
        let state = field("state").map(Secret::new);
        if !state.is_some_and(|state| state.same(&self.state)) {
            return Err(Refusal::new(
                Why::Declined,
                "what came back belongs to another login (its state differs), so it was refused; begin again",
            ));
        }
        if let Some(error) = field("error") {
            let error: String = error.chars().filter(|c| !c.is_control()).take(100).collect();
            return Err(Refusal::new(Why::Declined, format!("the login page says {error}")));
        }
        match field("code").filter(|code| !code.is_empty()) {
            Some(code) => Ok(By::Code { code: Secret::new(code), verifier: self.verifier, redirect: self.redirect }),
            None => Err(Refusal::new(Why::Declined, "no code came back; copy the whole address")),
        }
    }
}
