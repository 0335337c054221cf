//! Asks the running gateway over its Unix socket. The socket's own permissions say who may ask; no key is needed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

use crate::operator::{Answering, Ask, Calling, Given, Operator, Placed, Refusal, Reply};

/// The path on the socket that takes an `Ask` and gives a `Result<Reply, Refusal>`, both as JSON.
pub const ASK_PATH: &str = "/keywheel/ask";
/// No question takes the gateway longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer in bytes: 100,000 calls fit.
const LONGEST: usize = 64 << 20;

/// No gateway listens on the socket.
#[derive(Debug, thiserror::Error)]
#[error("no gateway runs on {0}; start one with: keywheel serve")]
pub struct NotRunning(pub PathBuf);

/// A gateway in another process.
#[derive(Debug)]
pub struct Remote {
    socket: PathBuf,
}

impl Remote {
    /// The gateway that listens on this socket.
    pub async fn find(socket: &Path) -> Result<Self, NotRunning> {
        match connect(socket).await {
            Ok(_) => Ok(Self { socket: socket.to_owned() }),
            Err(_) => Err(NotRunning(socket.to_owned())),
        }
    }

    async fn exchange(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let body = serde_json::to_vec(ask).map_err(|error| Refusal::new(error.to_string()))?;
        let answer = tokio::time::timeout(PATIENCE, self.post(body.into())).await;
        let answer = answer.map_err(|_| Refusal::new("the gateway does not answer; look at its log"))?;
        let answer = answer.map_err(|error| Refusal::new(format!("the gateway broke off: {error}")))?;
        serde_json::from_slice::<Result<Reply, Refusal>>(&answer).unwrap_or_else(|_| {
            Err(Refusal::new("the running gateway is of another version; restart it with: keywheel stop"))
        })
    }

    async fn post(&self, body: Bytes) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
        let stream = connect(&self.socket).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(ASK_PATH)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            Ok(Limited::new(response.into_body(), LONGEST).collect().await?.to_bytes())
        };
        let (answer, _) = futures_util::future::join(exchange, connection).await;
        answer
    }
}

impl Operator for Remote {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        Box::pin(async move { self.exchange(&ask).await })
    }

    fn call(&self, placed: Placed) -> Calling<'_> {
        Box::pin(async move {
            place(&self.socket, placed).await.map_err(|error| Refusal::new(format!("the gateway broke off: {error}")))
        })
    }
}

/// Sends a call as any client on the socket does. It has no time limit of its own: the gateway keeps its timers.
async fn place(socket: &Path, placed: Placed) -> Result<Given, Box<dyn std::error::Error + Send + Sync>> {
    let stream = connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::builder().method(Method::POST).uri(format!("/v1/{}", placed.path));
    if let Some(headers) = request.headers_mut() {
        *headers = placed.headers;
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request = request.body(Full::new(placed.body))?;
    // the connection lives as long as the body that reads from it
    let driver = Driver(tokio::spawn(async move { drop(connection.await) }));
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.into_data_stream().map(move |piece| {
        let _alive = (&sender, &driver);
        piece.map_err(std::io::Error::other)
    });
    Ok(Given { status: head.status, headers: head.headers, body: Box::pin(body) })
}

/// The task of a connection; it ends with whoever reads from it.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(unix)]
async fn connect(socket: &Path) -> std::io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(socket).await
}

#[cfg(windows)]
async fn connect(pipe: &Path) -> std::io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    tokio::net::windows::named_pipe::ClientOptions::new().open(pipe)
}
