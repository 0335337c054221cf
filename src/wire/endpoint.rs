//! What a client asks for, and the words of its dialect: keep-alives, error events, the frame that ends an answer.

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

/// An endpoint below a provider's base URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `chat/completions`
    Chat,
    /// `completions`
    Completions,
    /// `embeddings`
    Embeddings,
    /// `responses`
    Responses,
    /// Any other path below `/v1/`, passed through and metered: `images/generations`.
    Other(Arc<str>),
}

impl Endpoint {
    /// From the path below `/v1/`, without slashes at its ends.
    pub fn from_path(path: &str) -> Self {
        match path {
            "chat/completions" => Self::Chat,
            "completions" => Self::Completions,
            "embeddings" => Self::Embeddings,
            "responses" => Self::Responses,
            other => Self::Other(other.into()),
        }
    }

    /// The path below the base URL.
    pub fn path(&self) -> &str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Other(path) => path,
        }
    }

    /// The frame that keeps a waiting client's timers alive, where its dialect has one: always a data frame, since
    /// Codex and LangChain do not count comments.
    pub fn keep_alive(&self, model: &str, created: i64) -> Option<String> {
        let model = serde_json::Value::from(model);
        match self {
            Self::Chat => Some(format!(
                "data: {{\"id\":\"chatcmpl-keepalive\",\"object\":\"chat.completion.chunk\",\"created\":{created},\
                 \"model\":{model},\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":null}}]}}\n\n"
            )),
            Self::Completions => Some(format!(
                "data: {{\"id\":\"cmpl-keepalive\",\"object\":\"text_completion\",\"created\":{created},\
                 \"model\":{model},\"choices\":[{{\"index\":0,\"text\":\"\",\"finish_reason\":null}}]}}\n\n"
            )),
            Self::Responses => {
                Some("event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":0}\n\n".to_owned())
            }
            Self::Embeddings | Self::Other(_) => None,
        }
    }

    /// What a frame means for the answer's end.
    pub fn mark(&self, frame: &[u8]) -> Mark {
        match self {
            Self::Chat | Self::Completions => {
                if super::sse::data(frame) == Some(b"[DONE]".as_slice()) {
                    Mark::Last
                } else if finishes(frame) {
                    Mark::Finish
                } else {
                    Mark::None
                }
            }
            Self::Responses => match super::sse::event(frame) {
                Some(b"response.completed" | b"response.failed" | b"response.incomplete") => Mark::Last,
                _ => Mark::None,
            },
            Self::Embeddings | Self::Other(_) => Mark::Finish,
        }
    }
}

/// What a frame means for the answer's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing: the answer goes on.
    None,
    /// The answer may end here, other frames may follow.
    Finish,
    /// The frame that completes the answer.
    Last,
}

/// Whether a chunk holds a `finish_reason` that is a string.
fn finishes(frame: &[u8]) -> bool {
    const KEY: &[u8] = b"\"finish_reason\"";
    // made once: for a frame as short as most, making the searcher costs more than the search
    static SEARCH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(KEY));
    SEARCH.find_iter(frame).any(|at| {
        let after = frame[at + KEY.len()..].trim_ascii_start();
        after.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"\""))
    })
}
