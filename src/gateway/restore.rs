//! Answers that are rewritten while they pass: what redaction took out of the call is put back, reasoning is hidden.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::attempt::Opened;
use super::upstream::Body;
use crate::adapter::reasoning::Veil;
use crate::catalog::reasoning::Show;
use crate::kit::Fault;
use crate::redact::{Masks, Restorer};
use crate::wire::Endpoint;

/// The answer to a call that was sent with these masks; without any it is the same answer, byte for byte.
pub(super) fn restored(opened: Opened, masks: Option<Arc<Masks>>) -> Opened {
    let Some(masks) = masks else { return opened };
    match kind(&opened) {
        Some(Kind::Events) => rewritten(opened, Restorer::events(masks)),
        Some(Kind::Json) => rewritten(opened, Restorer::whole(masks)),
        None => opened,
    }
}

/// The answer as a client sees it that is shown this much of reasoning.
pub(super) fn veiled(opened: Opened, show: Show, endpoint: &Endpoint) -> Opened {
    if show == Show::Pass || !matches!(endpoint, Endpoint::Chat | Endpoint::Responses) {
        return opened;
    }
    match kind(&opened) {
        Some(Kind::Events) => rewritten(opened, Veil::events(show)),
        Some(Kind::Json) => rewritten(opened, Veil::whole(show)),
        None => opened,
    }
}

/// Rewrites an answer while it passes.
trait Rewrite: Send + 'static {
    /// Takes a chunk; gives what can be passed on by now.
    fn push(&mut self, chunk: &[u8]) -> Vec<u8>;
    /// The rest, when the answer has ended, however it ended.
    fn end(&mut self) -> Vec<u8>;
}

impl Rewrite for Restorer {
    fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        Self::push(self, chunk)
    }

    fn end(&mut self) -> Vec<u8> {
        Self::end(self)
    }
}

impl Rewrite for Veil {
    fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        Self::push(self, chunk)
    }

    fn end(&mut self) -> Vec<u8> {
        Self::end(self)
    }
}

enum Kind {
    Events,
    Json,
}

/// What an answer is made of; `None` for sound or pictures.
fn kind(opened: &Opened) -> Option<Kind> {
    let kind = opened.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match (opened.events, kind.contains("json")) {
        (true, _) => Some(Kind::Events),
        (false, true) => Some(Kind::Json),
        (false, false) => None,
    }
}

fn rewritten(mut opened: Opened, rewrite: impl Rewrite) -> Opened {
    // what is put in is longer or shorter than what it stands for
    opened.headers.remove(CONTENT_LENGTH);
    let before = std::mem::take(&mut opened.chunks);
    let chunks = stream::iter(before.into_iter().map(Ok)).chain(std::mem::replace(&mut opened.body, empty()));
    let state = Passing { chunks: Box::pin(chunks), rewrite, next: VecDeque::new(), over: false };
    opened.body = Box::pin(stream::unfold(state, Passing::next));
    opened
}

fn empty() -> Body {
    Box::pin(stream::empty())
}

struct Passing<R> {
    chunks: Body,
    rewrite: R,
    next: VecDeque<Result<Bytes, Fault>>,
    over: bool,
}

impl<R: Rewrite> Passing<R> {
    async fn next(mut self) -> Option<(Result<Bytes, Fault>, Self)> {
        loop {
            if let Some(next) = self.next.pop_front() {
                return Some((next, self));
            }
            if self.over {
                return None;
            }
            let came = self.chunks.next().await;
            self.over = !matches!(came, Some(Ok(_)));
            let (bytes, fault) = match came {
                Some(Ok(chunk)) => (self.rewrite.push(&chunk), None),
                Some(Err(fault)) => (self.rewrite.end(), Some(fault)),
                None => (self.rewrite.end(), None),
            };
            let bytes = Some(bytes).filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(bytes.into()));
            self.next.extend(bytes.into_iter().chain(fault.map(Err)));
        }
    }
}
