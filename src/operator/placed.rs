//! A call that a face places, as any client would: on the same path, with the same accounts, limits and records.

use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};

use super::Refusal;

/// What is asked of a model.
pub struct Placed {
    /// The path below `/v1/`: `chat/completions`, `responses`, …
    pub path: String,
    /// Headers besides the type of the body: `x-keywheel-project`, …
    pub headers: HeaderMap,
    /// A JSON object that names its model.
    pub body: Bytes,
}

/// What the gateway answered.
pub struct Given {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, the `x-keywheel-*` ones among them.
    pub headers: HeaderMap,
    /// Its body, still arriving; dropping it ends the call. An `Err` means that the answer is not whole.
    pub body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

/// A call under way. A refusal means that the gateway could not be reached; what it answered is a `Given`, an error too.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Given, Refusal>> + Send + 'a>>;
