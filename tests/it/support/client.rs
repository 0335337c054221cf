//! A small HTTP client that shows what went over the wire: statuses, headers, frames with their times, how it ended.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::SOON;

/// A client; each request has a connection of its own.
#[derive(Clone)]
pub struct Client {
    door: Door,
    headers: HeaderMap,
    http2: bool,
}

#[derive(Clone)]
enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

impl Client {
    /// A client of a TCP door.
    pub fn tcp(addr: SocketAddr) -> Self {
        let host = HeaderValue::try_from(addr.to_string()).expect("an address is a header value");
        Self { door: Door::Tcp(addr), headers: HeaderMap::from_iter([(HOST, host)]), http2: false }
    }

    /// A client of a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        let host = HeaderValue::from_static("localhost");
        Self { door: Door::Unix(path.into()), headers: HeaderMap::from_iter([(HOST, host)]), http2: false }
    }

    /// With `authorization: Bearer KEY`.
    pub fn key(self, key: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {key}"))
    }

    /// With this header, which replaces another of its name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    /// Over HTTP/2 without TLS.
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, Bytes::new()).await.expect("an answer")
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.post_bytes(path, body.to_string()).await
    }

    /// POST of a body byte for byte, as JSON unless a content type was set.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Bytes>) -> Response {
        self.send(Method::POST, path, body.into()).await.expect("an answer")
    }

    /// Any request; an error when no head comes back.
    pub async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response, String> {
        let mut request = Request::builder().method(method).uri(path);
        if self.http2 {
            let host = self.headers[HOST].to_str().unwrap_or_default();
            request = request.uri(format!("http://{host}{path}"));
        }
        let headers = request.headers_mut().expect("the builder is good");
        headers.extend(self.headers.clone());
        if self.http2 {
            headers.remove(HOST);
        }
        if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let exchange = self.exchange(request);
        tokio::time::timeout(SOON * 3, exchange).await.map_err(|_| "no head came".to_owned())?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response, String> {
        let io = TokioIo::new(self.connect().await.map_err(|error| error.to_string())?);
        let say = |error: hyper::Error| format!("{error:?}");
        let (response, line) = if self.http2 {
            let (mut send, line) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.map_err(say)?;
            let line = AbortOnDropHandle::new(tokio::spawn(async move { drop(line.await) }));
            (send.send_request(request).await.map_err(say)?, line)
        } else {
            let (mut send, line) = hyper::client::conn::http1::handshake(io).await.map_err(say)?;
            let line = AbortOnDropHandle::new(tokio::spawn(async move { drop(line.await) }));
            (send.send_request(request).await.map_err(say)?, line)
        };
        let (parts, body) = response.into_parts();
        Ok(Response { status: parts.status.as_u16(), headers: parts.headers, body, rest: BytesMut::new(), _line: line })
    }

    async fn connect(&self) -> io::Result<Box<dyn Pipe>> {
        match &self.door {
            Door::Tcp(addr) => {
                let socket = TcpStream::connect(addr).await?;
                socket.set_nodelay(true)?;
                Ok(Box::new(socket))
            }
            Door::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    /// Sends bytes as they are and gives all that comes back until the other side closes or the time is over.
    pub async fn raw(&self, bytes: &[u8], within: Duration) -> io::Result<Vec<u8>> {
        let mut pipe = self.connect().await?;
        pipe.write_all(bytes).await?;
        let mut heard = Vec::new();
        // silence is an answer too
        drop(tokio::time::timeout(within, pipe.read_to_end(&mut heard)).await);
        Ok(heard)
    }
}

/// An answer under way. Dropping it closes the connection.
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    rest: BytesMut,
    _line: AbortOnDropHandle<()>,
}

/// One server-sent event as it came, with its blank line.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When its last byte was there.
    pub at: Instant,
    /// Its bytes.
    pub bytes: Bytes,
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Clean,
    /// The connection or stream broke.
    Broken,
}

impl Response {
    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The next bytes; `Ok(None)` at a clean end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, End> {
        loop {
            let frame = tokio::time::timeout(SOON * 3, self.body.frame()).await.expect("the body goes on");
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(End::Broken),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }

    /// The next frame; what follows the last blank line is no frame.
    pub async fn frame(&mut self) -> Result<Frame, End> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                return Ok(Frame { at: Instant::now(), bytes: self.rest.split_to(end + 2).freeze() });
            }
            match self.chunk().await? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None => return Err(End::Clean),
            }
        }
    }

    /// All frames to the end, and how it ended.
    pub async fn frames(mut self) -> (Vec<Frame>, End) {
        let mut frames = Vec::new();
        loop {
            match self.frame().await {
                Ok(frame) => frames.push(frame),
                Err(end) => return (frames, end),
            }
        }
    }

    /// All bytes to the end, and how it ended.
    pub async fn read(mut self) -> (Bytes, End) {
        let mut body = std::mem::take(&mut self.rest);
        loop {
            match self.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return (body.freeze(), End::Clean),
                Err(end) => return (body.freeze(), end),
            }
        }
    }

    /// The whole body, which must end cleanly.
    pub async fn bytes(self) -> Bytes {
        let (body, end) = self.read().await;
        assert_eq!(end, End::Clean, "after {} bytes", body.len());
        body
    }

    /// The whole body as text.
    pub async fn text(self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).expect("UTF-8")
    }

    /// The whole body as JSON.
    pub async fn json(self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Frame {
    /// The JSON of its `data:` line; `null` for a comment or `[DONE]`.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        let data = text.lines().find_map(|line| line.strip_prefix("data:"));
        data.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
    }
}
