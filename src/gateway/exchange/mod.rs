//! Asks identity providers for tokens, by the same connections on which calls go out.

mod assertion;
mod fields;
mod machine;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

pub use machine::wait as machine_wait;
pub use reply::{Heard, device, tokens};

use self::fields::Fields;
use super::upstream::{Place, Upstream, Way};
use crate::accounts::refresh::{Asked, Asking, By, Device, Exchange, Refusal, Tokens, Why};
use crate::catalog::oauth::ClientStyle;
use crate::config::{Account, Live, Oauth};
use crate::kit::{Clock, Kind, Secret};
use crate::redact::Known;

/// The whole of one question; identity providers answer within a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A longer answer is none.
const LONGEST: usize = 256 << 10;

/// Carries questions to identity providers.
pub struct Courier {
    settings: Live,
    known: Arc<Known>,
    clock: Clock,
    upstream: Upstream,
}

/// A question as it goes out.
struct Question {
    method: Method,
    url: String,
    headers: HeaderMap,
    fields: Fields,
    /// Whether no proxy may see it.
    direct: bool,
}

impl Courier {
    /// A courier for the accounts of these settings. What it learns no error can hold.
    pub fn new(settings: Live, known: Arc<Known>, clock: Clock) -> Self {
        Self { settings, known, clock, upstream: Upstream::new() }
    }

    async fn ask(&self, account: &Account, asked: Asked) -> Result<Tokens, Refusal> {
        let oauth = oauth(account)?;
        let asked = self.learnt(asked);
        let told = match asked.by {
            By::Machine => self.ask_machine(account, oauth).await?,
            by => {
                let (url, fields) = self.question(oauth, by)?;
                self.post(account, oauth, url, fields, asked.client_secret.as_ref()).await?
            }
        };
        let tokens = tokens(&told).map_err(|refusal| self.clean(refusal))?;
        self.known.learn(&tokens.access);
        tokens.refresh.iter().for_each(|token| self.known.learn(token));
        Ok(tokens)
    }

    async fn ask_device(&self, account: &Account) -> Result<Device, Refusal> {
        let oauth = oauth(account)?;
        let mut fields = Fields::default();
        fields.add("client_id", oauth.client_id.as_deref());
        fields.about(oauth);
        let told = self.post(account, oauth, address(oauth.device_url.as_ref())?, fields, None).await?;
        let device = device(&told).map_err(|refusal| self.clean(refusal))?;
        self.known.learn(&device.code);
        Ok(device)
    }

    /// Where to ask, and with which fields.
    fn question(&self, oauth: &Oauth, by: By) -> Result<(String, Fields), Refusal> {
        let mut fields = Fields::default();
        let mut url = oauth.token_url.clone();
        match by {
            By::Client | By::Machine => {
                fields.add("grant_type", Some("client_credentials"));
                fields.about(oauth);
            }
            By::Refresh(token) => {
                fields.add("grant_type", Some("refresh_token"));
                fields.secret("refresh_token", &token);
                fields.about(oauth);
            }
            By::Device(code) => {
                fields.add("grant_type", Some("urn:ietf:params:oauth:grant-type:device_code"));
                fields.secret("device_code", &code);
                fields.extra(oauth);
            }
            By::Code { code, verifier, redirect } => {
                fields.add("grant_type", Some("authorization_code"));
                fields.secret("code", &code);
                fields.secret("code_verifier", &verifier);
                fields.add("redirect_uri", Some(&redirect));
                fields.extra(oauth);
            }
            By::Document(document) => {
                let signed = assertion::sign(&document, oauth, self.clock.now())?;
                self.known.learn(&signed.assertion);
                fields.add("grant_type", Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
                fields.secret("assertion", &signed.assertion);
                fields.extra(oauth);
                url = Some(signed.url);
            }
        }
        Ok((address(url.as_ref())?, fields))
    }

    async fn post(
        &self,
        account: &Account,
        oauth: &Oauth,
        url: String,
        mut fields: Fields,
        client_secret: Option<&Secret>,
    ) -> Result<Heard, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match (oauth.style, client_secret) {
            (ClientStyle::Basic, Some(secret)) => {
                let basic = fields::basic(oauth.client_id.as_deref().unwrap_or_default(), secret);
                self.known.learn(&basic.word);
                headers.insert(AUTHORIZATION, basic.header);
            }
            (_, secret) => {
                fields.once("client_id", oauth.client_id.as_deref());
                if let Some(secret) = secret {
                    fields.secret("client_secret", secret);
                }
            }
        }
        self.send(account, Question { method: Method::POST, url, headers, fields, direct: false }).await
    }

    /// Sends a question by the account's own way and reads the answer whole.
    async fn send(&self, account: &Account, question: Question) -> Result<Heard, Refusal> {
        let Question { method, url, mut headers, fields, direct } = question;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let settings = self.settings.now();
        let Some(provider) = settings.providers.get(&account.provider) else {
            return Err(Refusal::new(Why::Client, format!("there is no provider {}", account.provider)));
        };
        let parsed = url.parse::<reqwest::Url>();
        let mut url = parsed.map_err(|_| Refusal::new(Why::Client, "the address for tokens is not a URL"))?;
        // what stands behind the path may be secret
        let at = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let setting = if begins_device_login(account, &url) { "oauth.device_url" } else { "oauth.token_url" };
        let place = Place { name: "the identity provider", at: &at, setting };
        let mut way = Way::of(&settings, provider, account, &url);
        if direct {
            way.proxy = None;
        }
        let mut outgoing = if method == Method::GET {
            fields.query(&mut url);
            reqwest::Request::new(method, url)
        } else {
            let mut outgoing = reqwest::Request::new(method, url);
            *outgoing.body_mut() = Some(fields.body().into());
            outgoing
        };
        *outgoing.headers_mut() = headers;
        let asked = self.upstream.ask(&place, &way, outgoing, LONGEST);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok((status, headers, body))) => Ok(self.heard(status, &headers, body)),
            Ok(Err(fault)) => {
                let why = if fault.kind == Kind::Unreachable { Why::Unsent } else { Why::Lost };
                Err(self.clean(Refusal::new(why, fault.message)))
            }
            Err(_) => Err(Refusal::new(
                Why::Lost,
                format!("the identity provider at {at} gave no answer within {} s", PATIENCE.as_secs()),
            )),
        }
    }

    fn heard(&self, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Heard {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Heard {
            status: status.as_u16(),
            content_type: text("content-type").unwrap_or_default(),
            date: text("date"),
            retry_after: text("retry-after"),
            body,
            now: self.clock.now(),
        }
    }

    /// From here on no error can hold what is sent.
    fn learnt(&self, asked: Asked) -> Asked {
        let secrets = match &asked.by {
            By::Client | By::Machine | By::Document(_) => [None, None],
            By::Refresh(token) | By::Device(token) => [Some(token), None],
            By::Code { code, verifier, .. } => [Some(code), Some(verifier)],
        };
        secrets.into_iter().flatten().chain(&asked.client_secret).for_each(|secret| self.known.learn(secret));
        asked
    }

    fn clean(&self, refusal: Refusal) -> Refusal {
        let message = self.known.clean_str(&refusal.message).into_owned();
        Refusal { message, ..refusal }
    }
}

impl Exchange for Courier {
    fn tokens<'a>(&'a self, account: &'a Account, asked: Asked) -> Asking<'a, Tokens> {
        Box::pin(self.ask(account, asked))
    }

    fn device<'a>(&'a self, account: &'a Account) -> Asking<'a, Device> {
        Box::pin(self.ask_device(account))
    }
}

fn oauth(account: &Account) -> Result<&Oauth, Refusal> {
    let none = || Refusal::new(Why::Client, "the account has no oauth settings; name a grant there");
    account.oauth.as_deref().ok_or_else(none)
}

/// Whether this is where a login by device code begins.
fn begins_device_login(account: &Account, url: &reqwest::Url) -> bool {
    let device = account.oauth.as_ref().and_then(|oauth| oauth.device_url.as_deref());
    device.is_some_and(|device| device.parse().is_ok_and(|device: reqwest::Url| device == *url))
}

fn address(url: Option<&String>) -> Result<String, Refusal> {
    url.cloned().ok_or_else(|| Refusal::new(Why::Client, "the settings name no address for this grant"))
}
