//! The only place that sends to providers, and that attaches a secret.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::connecting;
use super::lanes::{Lane, Lanes};
use super::sending::Sending;
use crate::catalog::{Auth, Provider};
use crate::config::{Account, Settings};
use crate::kit::{Fault, Kind, Secret};
use crate::sim;
use crate::wire::Pieces;
use crate::wire::call::Upload;

/// A body on its way to the client.
pub(super) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// A request without its secret.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
}

/// What is sent.
pub(super) enum Content {
    Whole(Pieces),
    Upload(Upload),
}

/// An upstream's answer: its head, and its body still arriving.
pub(super) struct Incoming {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// How long it took to connect, where a connection was made for it.
    pub(super) connect: Option<Duration>,
}

/// Connections to providers.
pub(super) struct Upstream {
    ways: ArcSwap<HashMap<Way, Arc<Lanes>>>,
    offline: Arc<sim::Engine>,
}

/// What connections must have in common to be shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way {
    /// `https://host:port`: lanes are counted per host.
    pub(super) origin: String,
    pub(super) proxy: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) connect: Duration,
}

/// Who is asked, in the words of an error.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    /// Its address, without anything secret.
    pub(super) at: &'a str,
    /// The setting that says so.
    pub(super) setting: &'a str,
}

impl<'a> Place<'a> {
    fn of(provider: &'a Provider, way: &'a Way) -> Self {
        Self { name: &provider.id, at: &way.origin, setting: "base_url" }
    }
}

impl Way {
    /// The way of this account to that address.
    pub(super) fn of(settings: &Settings, provider: &Provider, account: &Account, url: &reqwest::Url) -> Self {
        let proxy = account.proxy.as_ref().or(provider.proxy.as_ref()).or(settings.proxy.as_ref());
        Self {
            origin: url.origin().ascii_serialization(),
            proxy: proxy.cloned(),
            ca_file: provider.ca_file.clone(),
            connect: provider.timeouts.connect,
        }
    }
}

impl Upstream {
    pub(super) fn new() -> Self {
        Self { ways: ArcSwap::default(), offline: Arc::new(sim::Engine::offline()) }
    }

    /// Sends a request and waits for the answer's head.
    pub(super) async fn send(
        &self,
        settings: &Settings,
        provider: &Provider,
        account: &Account,
        secret: Option<&Secret>,
        mut request: Outgoing,
    ) -> Result<Incoming, Fault> {
        if request.url.starts_with("sim:") {
            return self.send_offline(account, request).await;
        }
        let auth = if account.oauth.is_some() { &Auth::default() } else { &provider.auth };
        attach(&provider.id, auth, secret, &mut request.headers)?;
        let url: reqwest::Url = request.url.parse().map_err(|error| {
            Fault::new(Kind::Internal, format!("provider {} has an unusable base_url: {error}", provider.id))
        })?;
        let way = Way::of(settings, provider, account, &url);
        let lane = self.lanes(&way).take(&way).await?;
        let broken = Arc::new(OnceLock::new());
        let mut outgoing = reqwest::Request::new(request.method, url);
        *outgoing.headers_mut() = request.headers;
        *outgoing.body_mut() = Some(match request.body {
            Content::Whole(pieces) => Sending::body(pieces),
            Content::Upload(upload) => {
                if let Some(length) = upload.length {
                    outgoing.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
                }
                let broken = Arc::clone(&broken);
                let note = move |error: &io::Error| broken.set(error.kind()).unwrap_or_default();
                reqwest::Body::wrap_stream(upload.bytes.inspect_err(note))
            }
        });
        let (response, connect) = connecting::timed(lane.client().execute(outgoing)).await;
        let response = response.map_err(|error| {
            if error.is_connect() {
                lane.unconnected();
            }
            match broken.get() {
                // the client's side failed, and not the way to the provider
                Some(kind) => Upload::fault(*kind),
                None => unreachable(&Place::of(provider, &way), &way, &error),
            }
        })?;
        lane.answered(&response);
        Ok(Incoming { connect, ..incoming(provider, lane, response) })
    }

    /// Sends a request that carries its own credentials, and reads the answer whole, up to `most` bytes. Whether it was
    /// sent at all is what the kind of a fault says: `Unreachable` means that it was not.
    pub(super) async fn ask(
        &self,
        place: &Place<'_>,
        way: &Way,
        request: reqwest::Request,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Fault> {
        let lane = self.lanes(way).take(way).await?;
        let mut response = lane.client().execute(request).await.map_err(|error| {
            if error.is_connect() {
                lane.unconnected();
            }
            unreachable(place, way, &error)
        })?;
        lane.answered(&response);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| broken(place.at))? {
            body.extend_from_slice(&chunk);
            if body.len() > most {
                return Err(broken(place.at));
            }
        }
        Ok((response.status(), response.headers().clone(), body.freeze()))
    }

    fn lanes(&self, way: &Way) -> Arc<Lanes> {
        if let Some(lanes) = self.ways.load().get(way) {
            return Arc::clone(lanes);
        }
        self.ways.rcu(|old| {
            let mut next = HashMap::clone(old);
            next.entry(way.clone()).or_default();
            next
        });
        self.ways.load().get(way).map(Arc::clone).unwrap_or_default()
    }

    /// The offline provider: the scripted upstream, in process, told apart by account.
    async fn send_offline(&self, account: &Account, request: Outgoing) -> Result<Incoming, Fault> {
        let Content::Whole(body) = request.body else {
            return Err(Fault::new(Kind::Invalid(415), "the offline provider takes JSON bodies only"));
        };
        let path = request.url.trim_start_matches("sim:").to_owned();
        let mut asked = http::Request::new(body.joined());
        *asked.method_mut() = request.method;
        *asked.uri_mut() = path.parse().unwrap_or_default();
        *asked.headers_mut() = request.headers;
        let answer = self.offline.answer(&account.id, asked);
        tokio::time::sleep(answer.delay).await;
        let (status, headers) = (answer.status, answer.headers.clone());
        let body = answer.into_body().map(|chunk| chunk.map_err(|_| broken("sim")));
        Ok(Incoming { status, headers, body: Box::pin(body), connect: None })
    }
}

/// Puts the secret where the provider wants it; a token goes where RFC 6750 says.
fn attach(id: &str, auth: &Auth, secret: Option<&Secret>, headers: &mut HeaderMap) -> Result<(), Fault> {
    let Some(secret) = secret.filter(|_| !auth.header.is_empty()) else { return Ok(()) };
    let text = match auth.scheme.as_str() {
        "" => zeroize::Zeroizing::new(secret.expose().to_owned()),
        scheme => zeroize::Zeroizing::new(format!("{scheme} {}", secret.expose())),
    };
    let unusable =
        || Fault::new(Kind::KeyRejected, format!("the key for {id} holds characters that no header can carry"));
    let name = http::HeaderName::from_bytes(auth.header.as_bytes()).map_err(|_| unusable())?;
    let mut value = HeaderValue::from_str(&text).map_err(|_| unusable())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn incoming(provider: &Provider, lane: Lane, response: reqwest::Response) -> Incoming {
    let (status, headers) = (response.status(), response.headers().clone());
    let id = provider.id.clone();
    let body = response.bytes_stream().map(move |chunk| {
        // the lane counts a call until its body has ended or was dropped
        let _counted = &lane;
        chunk.map_err(|_| broken(&id))
    });
    Incoming { status, headers, body: Box::pin(body), connect: None }
}

fn broken(provider: &str) -> Fault {
    Fault::new(Kind::Broken, format!("connection lost: {provider} broke off its answer; send the request again"))
}

/// What a failure before the response head means. Once the request may have been read, it is the provider's failure.
fn unreachable(place: &Place<'_>, way: &Way, error: &reqwest::Error) -> Fault {
    let mut cause = error.source();
    let mut words = String::new();
    let mut refused = false;
    while let Some(inner) = cause {
        words = inner.to_string();
        refused |= inner.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
        cause = inner.source();
    }
    let Place { name, at, setting } = place;
    let via = if way.proxy.is_some() { " through its proxy" } else { "" };
    if error.is_connect() || refused {
        let words = if error.is_timeout() { format!("no connection within {:?}", way.connect) } else { words };
        return Fault::new(
            Kind::Unreachable,
            format!("cannot connect to {name} at {at}{via}: {words}; check network and {setting}"),
        );
    }
    Fault::new(Kind::Upstream(502), format!("connection lost: {name} closed before it answered{via}: {words}"))
}
