//! One client request, as every room behind the doors sees it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, Method};
use wildmatch::WildMatch;

use super::{Endpoint, Json};
use crate::kit::{CallId, Fault, Kind, Time};

/// One client request.
pub struct Call {
    /// Its name everywhere.
    pub id: CallId,
    /// When its head had arrived.
    pub at: Time,
    /// What is asked of the provider.
    pub endpoint: Endpoint,
    /// The HTTP method.
    pub method: Method,
    /// The query string without the keys that the gateway itself reads (`api-version`, `key`).
    pub query: Option<String>,
    /// The client's headers without credentials and without those of the hop.
    pub headers: HeaderMap,
    /// The model name as the client wrote it: from the body, the path of a deployment, or `x-keywheel-model`.
    pub model: Option<String>,
    /// Whether the client asked for a stream of events.
    pub stream: bool,
    /// Who is calling.
    pub caller: Arc<Caller>,
    /// How long the client will wait for the first byte, when it said so.
    pub patience: Option<Duration>,
    /// The body.
    pub payload: Payload,
}

impl Call {
    /// A call that the gateway itself or a face places: its model and whether it streams stand in its body.
    pub fn placed(at: Time, endpoint: Endpoint, headers: HeaderMap, body: Json, caller: Arc<Caller>) -> Self {
        Self {
            id: CallId::new(),
            at,
            endpoint,
            method: Method::POST,
            query: None,
            headers,
            model: body.str("model"),
            stream: body.is_true("stream"),
            caller,
            patience: None,
            payload: Payload::Json(body),
        }
    }
}

/// A request body.
pub enum Payload {
    /// None.
    Empty,
    /// A JSON object, indexed.
    Json(Json),
    /// Anything else that fits into memory.
    Raw(Bytes),
    /// A body that is passed on while it arrives; it can be sent only once.
    Upload(Upload),
}

/// A body that is passed on while it arrives.
pub struct Upload {
    /// Its bytes. Their errors say how the client's side failed, see [`Upload::fault`].
    pub bytes: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>,
    /// Its length, where the client stated it and no splice changed it.
    pub length: Option<u64>,
}

impl Upload {
    /// What it means that a client's body ended in an error: `FileTooLarge` beyond the limit, `TimedOut` after a silence,
    /// any other when the connection broke. Always the client's affair.
    pub fn fault(error: io::ErrorKind) -> Fault {
        match error {
            io::ErrorKind::FileTooLarge => Fault::new(
                Kind::Invalid(413),
                "the body is larger than this gateway takes; send less, or raise body_limit (JSON) or upload_limit",
            )
            .code("body_too_large"),
            io::ErrorKind::TimedOut => {
                Fault::new(Kind::Invalid(408), "the rest of the body did not arrive; send it again")
            }
            _ => Fault::new(Kind::Invalid(400), "the body broke off; send it again"),
        }
    }
}

/// Who is calling, and what they may do.
#[derive(Debug)]
pub struct Caller {
    /// The client key's name; `local` for the owner of the socket.
    pub name: String,
    /// The models it may call, as globs over `provider/model`; empty means all.
    pub models: Vec<WildMatch>,
    /// Whether `x-keywheel-account` is kept from it.
    pub hide_account: bool,
}

impl Caller {
    /// The owner of the gateway, who may use everything.
    pub fn owner() -> Self {
        Self { name: "local".to_owned(), models: Vec::new(), hide_account: false }
    }

    /// Whether this caller may use a model of a provider.
    pub fn may_use(&self, provider: &str, model: &str) -> bool {
        self.models.is_empty() || {
            let full = format!("{provider}/{model}");
            self.models.iter().any(|glob| glob.matches(&full))
        }
    }
}
