//! Asks the running gateway over its Unix socket. The socket's own permissions say who may ask; no key is needed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

use crate::operator::{Answering, Ask, Operator, Refusal, Reply};

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
}

#[cfg(unix)]
async fn connect(socket: &Path) -> std::io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(socket).await
}

#[cfg(windows)]
async fn connect(pipe: &Path) -> std::io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    tokio::net::windows::named_pipe::ClientOptions::new().open(pipe)
}
