//! What the gateway gives back to a door: always an answer in the client's dialect, also for faults.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};

/// An answer for a client.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, the `x-keywheel-*` ones among them.
    pub headers: HeaderMap,
    /// Its body. An `Err` means that the connection must be reset: the answer is not whole.
    pub body: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
}

/// How a call went so far, for headers and ledger.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The provider asked last.
    pub provider: Option<String>,
    /// The account used last.
    pub account: Option<String>,
    /// The model asked for last.
    pub model: Option<String>,
    /// How many upstream tries were made.
    pub attempts: usize,
}
