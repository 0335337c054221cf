//! A gateway made of paper, doors in front of it, and clients that send exactly the bytes a test means.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keywheel::config::{Listen, Live, Parking, Settings};
use keywheel::gateway::{Accounts, Answer, Gate, ListedModel};
use keywheel::kit::{Clock, Secret};
use keywheel::operator::{Answering, Ask, Calling, Operator, Placed, Refusal, Reply};
use keywheel::serve::{Bounds, Doors, Front, KeyOptions, Keys, Serving};
use keywheel::telemetry::Page;
use keywheel::telemetry::exposition::Kind;
use keywheel::wire::{Call, Caller, Payload};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Nothing here takes this long, whatever else the machine does.
pub const LONG: Duration = Duration::from_secs(20);

/// What the paper gateway saw of a call.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: String,
    pub endpoint: String,
    pub method: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub model: Option<String>,
    pub stream: bool,
    pub caller: String,
    pub patience: Option<Duration>,
    pub kind: &'static str,
    pub length: Option<u64>,
    pub body: Result<Vec<u8>, io::ErrorKind>,
}

/// Answers by the model's name: `broken` fails after a chunk, `wait` never answers, `drip` sends one chunk and no more,
/// `count` sends 1000 chunks, `early` answers before the body was read; all others say `ok`.
pub struct Paper {
    pub seen: Arc<Mutex<Vec<Seen>>>,
    left: mpsc::UnboundedSender<()>,
    pub ready: bool,
}

/// Says when it is dropped.
struct Leaving(mpsc::UnboundedSender<()>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn body(payload: Payload) -> (&'static str, Option<u64>, Result<Vec<u8>, io::ErrorKind>) {
    match payload {
        Payload::Empty => ("empty", None, Ok(Vec::new())),
        Payload::Json(json) => ("json", None, Ok(json.bytes().to_vec())),
        Payload::Raw(bytes) => ("raw", None, Ok(bytes.to_vec())),
        Payload::Upload(mut upload) => {
            let mut all = Vec::new();
            while let Some(chunk) = upload.bytes.next().await {
                match chunk {
                    Ok(chunk) => all.extend_from_slice(&chunk),
                    Err(error) => return ("upload", upload.length, Err(error.kind())),
                }
            }
            ("upload", upload.length, Ok(all))
        }
    }
}

impl Gate for Paper {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async move {
            let leaving = Leaving(self.left.clone());
            let model = call.model.clone().unwrap_or_default();
            if model == "early" {
                return answer(stream::iter([Ok(Bytes::from_static(b"early"))]));
            }
            let (kind, length, body) = body(call.payload).await;
            self.seen.lock().expect("no panic").push(Seen {
                id: call.id.to_string(),
                endpoint: call.endpoint.path().to_owned(),
                method: call.method.to_string(),
                query: call.query,
                headers: call.headers,
                model: call.model,
                stream: call.stream,
                caller: call.caller.name.clone(),
                patience: call.patience,
                kind,
                length,
                body,
            });
            let first = stream::iter([Ok(Bytes::from_static(b"data: 1\n\n"))]);
            match model.as_str() {
                "wait" => std::future::pending().await,
                "drip" => answer(first.chain(stream::once(async move {
                    let _held = leaving;
                    std::future::pending().await
                }))),
                "broken" => answer(first.chain(stream::iter([Err(io::ErrorKind::ConnectionReset.into())]))),
                "count" => answer(stream::iter((0..1000).map(|n| Ok(Bytes::from(format!("data: {n}\n\n")))))),
                _ => answer(stream::iter([Ok(Bytes::from_static(b"ok"))])),
            }
        })
    }

    fn models(&self, caller: &Caller) -> Vec<ListedModel> {
        let row = |id: &str, provider: &str| ListedModel { id: id.into(), provider: provider.into(), created: 7 };
        let all = [row("deepseek/v4", "deepseek"), row("lab/org/model-a", "lab"), row("fast", "lab")];
        let may = |row: &ListedModel| caller.may_use(&row.provider, row.id.split('/').next_back().unwrap_or_default());
        all.into_iter().filter(may).collect()
    }

    fn ready(&self) -> bool {
        self.ready
    }

    fn metrics(&self, accounts: Accounts) -> Page {
        let mut page = Page::default();
        page.single("paper", Kind::Gauge, "Whether accounts are shown.", u64::from(accounts == Accounts::Shown));
        page
    }
}

fn answer(body: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/event-stream".parse().expect("a value"));
    Answer { status: StatusCode::OK, headers, body: Box::pin(body) }
}

/// Answers `Stop` and refuses the rest.
struct Desk;

impl Operator for Desk {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        Box::pin(async move {
            match ask {
                Ask::Stop => Ok(Reply::Done("stopped".to_owned())),
                other => Err(Refusal::new(format!("not {other:?}"))),
            }
        })
    }

    fn call(&self, placed: Placed) -> Calling<'_> {
        Box::pin(async move { Err(Refusal::new(format!("not {}", placed.path))) })
    }
}

/// Doors in front of a paper gateway, in a home of their own.
pub struct House {
    pub home: tempfile::TempDir,
    pub urls: Vec<String>,
    pub keys: Arc<Keys>,
    pub key: Secret,
    pub live: Live,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    pub left: mpsc::UnboundedReceiver<()>,
    pub serving: Serving,
    _follow: keywheel::serve::Follow,
}

/// Settings with these doors and small limits.
pub fn settings(listen: Vec<Listen>) -> Settings {
    let mut settings = keywheel::config::parse("").expect("the built-in settings");
    settings.listen = listen;
    settings.parking = Parking { max_wait: Duration::from_secs(1), max_parked: 1 };
    settings.body_limit = 300_000;
    settings.upload_limit = 400_000;
    settings
}

/// A TCP door on a free port.
pub fn tcp() -> Listen {
    Listen::Tcp("127.0.0.1:0".parse().expect("an address"))
}

/// Opens a house with a TCP door and a socket.
pub fn house() -> House {
    house_with(settings(vec![tcp(), Listen::Unix(None)]), Bounds::default())
}

/// Opens a house with these settings.
pub fn house_with(settings: Settings, bounds: Bounds) -> House {
    let home = tempfile::tempdir().expect("a temporary folder");
    let doors = Doors::open(&settings, &home.path().join("run/keywheel.sock")).expect("open doors");
    let urls = doors.urls();
    let keys = Arc::new(Keys::open(&home.path().join("clients.toml")).expect("an empty store"));
    let key = keys.add("tester", KeyOptions::default()).expect("a key");
    let live = Live::new(settings);
    let seen = Arc::default();
    let (sender, left) = mpsc::unbounded_channel();
    let gate = Arc::new(Paper { seen: Arc::clone(&seen), left: sender, ready: true });
    let front = Front::new(gate, Arc::new(Desk), Arc::clone(&keys), live.clone(), Clock::system());
    let _follow = keys.follow();
    let serving = doors.serve(front, bounds);
    House { home, urls, keys, key, live, seen, left, serving, _follow }
}

impl House {
    /// Where the first TCP or TLS door is.
    pub fn addr(&self) -> String {
        let url = self.urls.iter().find(|url| url.starts_with('t')).expect("a port");
        url.split("//").nth(1).expect("an address").to_owned()
    }

    /// Where the socket is.
    pub fn socket(&self) -> PathBuf {
        let url = self.urls.iter().find_map(|url| url.strip_prefix("unix://")).expect("a socket");
        PathBuf::from(url)
    }

    /// A connection to the first port.
    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.addr()).await.expect("the door is open")
    }

    /// A connection to the socket.
    pub async fn unix(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.expect("the door is open")
    }

    /// A request with a good key.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let key = format!("Bearer {}", self.key.expose());
        http::Request::builder().method(method).uri(path).header("host", self.addr()).header("authorization", key)
    }

    /// Sends a request over a new HTTP/1.1 connection.
    pub async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Got {
        let request = request.body(Full::new(body.into())).expect("a request");
        exchange(self.tcp().await, Version::One, request).await
    }

    /// Posts a chat body with a good key.
    pub async fn chat(&self, body: &'static str) -> Got {
        let request = self.request("POST", "/v1/chat/completions").header("content-type", "application/json");
        self.send(request, body).await
    }

    /// The only call that the gateway saw.
    pub fn only(&self) -> Seen {
        let seen = self.seen.lock().expect("no panic");
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// How many calls the gateway saw.
    pub fn calls(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }
}

/// What to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    /// The error object, after checking that it is one and that the answer names its request.
    pub fn error(&self) -> serde_json::Value {
        assert_eq!(self.headers.get("x-keywheel-request-id").map(|id| id.len()), Some(32), "{self:?}");
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("an error in JSON");
        assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string(), "{body}");
        body["error"].clone()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Sends one request over a connection and reads the whole answer.
pub async fn exchange<Io, B>(io: Io, version: Version, request: http::Request<B>) -> Got
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let response = timeout(LONG, open(io, version, request)).await.expect("in time").expect("an answer");
    let (parts, body) = response.into_parts();
    let body = timeout(LONG, body.collect()).await.expect("in time").expect("a whole body").to_bytes();
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Sends one request over a connection and gives back the answer's head and its body under way.
pub async fn open<Io, B>(
    io: Io,
    version: Version,
    request: http::Request<B>,
) -> hyper::Result<http::Response<hyper::body::Incoming>>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match version {
        Version::One => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Version::Two => {
            let io = TokioIo::new(io);
            let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    }
}

/// Sends bytes and reads until the other side closes or resets.
pub async fn raw(mut io: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    // a door may close before it has read all of a refused request
    let _ = io.write_all(bytes).await;
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    let read = async {
        while let Ok(count @ 1..) = io.read(&mut chunk).await {
            said.extend_from_slice(&chunk[..count]);
        }
    };
    timeout(LONG, read).await.expect("in time");
    String::from_utf8_lossy(&said).into_owned()
}
