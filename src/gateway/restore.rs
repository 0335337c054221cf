//! Puts back in an answer what redaction took out of its call.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::attempt::Opened;
use super::upstream::Body;
use crate::kit::Fault;
use crate::redact::{Masks, Restorer};

/// The answer to a call that was sent with these masks; without any it is the same answer, byte for byte.
pub(super) fn restored(mut opened: Opened, masks: Option<Arc<Masks>>) -> Opened {
    let Some(masks) = masks else { return opened };
    let kind = opened.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let restorer = match (opened.events, kind.contains("json")) {
        (true, _) => Restorer::events(masks),
        (false, true) => Restorer::whole(masks),
        // sound or pictures
        (false, false) => return opened,
    };
    // what is put back is longer or shorter than its placeholder
    opened.headers.remove(CONTENT_LENGTH);
    let before = std::mem::take(&mut opened.chunks);
    let chunks = stream::iter(before.into_iter().map(Ok)).chain(std::mem::replace(&mut opened.body, empty()));
    let state = Passing { chunks: Box::pin(chunks), restorer, next: VecDeque::new(), over: false };
    opened.body = Box::pin(stream::unfold(state, Passing::next));
    opened
}

fn empty() -> Body {
    Box::pin(stream::empty())
}

struct Passing {
    chunks: Body,
    restorer: Restorer,
    next: VecDeque<Result<Bytes, Fault>>,
    over: bool,
}

impl Passing {
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
                Some(Ok(chunk)) => (self.restorer.push(&chunk), None),
                Some(Err(fault)) => (self.restorer.end(), Some(fault)),
                None => (self.restorer.end(), None),
            };
            let bytes = Some(bytes).filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(bytes.into()));
            self.next.extend(bytes.into_iter().chain(fault.map(Err)));
        }
    }
}
