//! A call with its bodies, as far as they were kept: what `requests ID --body`, exports and replays work on.

use serde::{Deserialize, Serialize};

use super::RequestRow;

/// A call and its bodies. Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanged {
    /// The ledger's row.
    #[serde(flatten)]
    pub call: RequestRow,
    /// The model as the client named it.
    pub asked: String,
    /// Milliseconds to the first byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// The project that the client named.
    pub project: Option<String>,
    /// What was tried, in order.
    pub tries: Vec<TryRow>,
    /// What the client sent; absent when it was not kept.
    pub request: Option<SentRow>,
    /// What it got.
    pub answer: Option<GotRow>,
}

/// One upstream try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryRow {
    /// The provider asked.
    pub provider: String,
    /// The account used.
    pub account: String,
    /// The model asked for.
    pub model: String,
    /// The upstream's status, where one came.
    pub status: Option<u16>,
    /// Why it failed.
    pub why: Option<String>,
}

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentRow {
    /// `POST`
    pub method: String,
    /// The path below `/v1/`.
    pub path: String,
    /// The query string.
    pub query: Option<String>,
    /// Its headers, without credentials.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: BodyRow,
}

/// What it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GotRow {
    /// The HTTP status.
    pub status: u16,
    /// The headers that were passed on.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: BodyRow,
    /// When each piece of it came, in milliseconds since the call, and how many bytes it had.
    pub pieces: Vec<(u32, u32)>,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRow {
    /// Its media type.
    pub kind: String,
    /// How many bytes it had.
    pub size: u64,
    /// An HMAC of it: equal bodies have equal ones.
    pub digest: Option<String>,
    /// What is kept of it.
    pub text: String,
    /// The redaction rules that hit; empty when `text` is what was sent.
    pub rules: Vec<String>,
    /// Why there is less than was sent, in words.
    pub lacks: Option<String>,
}
