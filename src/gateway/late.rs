//! A stream whose answer is slow to begin: 200 and keep-alives first, since clients give up on silence.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Trace;
use super::answer::{Answer, Bytestream, Head};
use super::dispatch::{Failed, Started};
use super::relay::{Line, Relay};
use crate::kit::{Fault, Kind};
use crate::store::Outcome;
use crate::wire::error;

/// No content type that is registered is longer in bytes.
const LONGEST_TYPE: usize = 64;

/// A call on its way to an answer.
type Opening = Pin<Box<dyn Future<Output = Result<Started, Failed>> + Send>>;

enum Step {
    /// Waiting, with a frame to send at once.
    Waiting(Opening, Option<Bytes>),
    Relaying(Bytestream),
    Reset(Fault),
    Over,
}

/// Commits to 200, keeps the client's timers alive, and tells what becomes of the call in the stream.
pub(super) fn answer(head: &Head, opening: Opening, line: Line) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    head.describe(&Trace::default(), &mut headers);
    let first = Step::Waiting(opening, line.frame());
    let body = stream::unfold(first, move |step| next(step, line.clone()));
    Answer { status: StatusCode::OK, headers, body: Box::pin(body) }
}

async fn next(mut step: Step, line: Line) -> Option<(std::io::Result<Bytes>, Step)> {
    loop {
        step = match step {
            Step::Waiting(opening, Some(frame)) => return Some((Ok(frame), Step::Waiting(opening, None))),
            Step::Waiting(mut opening, None) => match tokio::time::timeout(line.keep_alive, &mut opening).await {
                Err(_) => Step::Waiting(opening, line.frame()),
                Ok(Ok(started)) if started.opened.events => relayed(started, &line),
                Ok(Ok(started)) => {
                    let fault = no_stream(started);
                    return Some((Ok(error::event(&line.endpoint, &fault)), Step::Reset(fault)));
                }
                Ok(Err(Failed { fault, .. })) => {
                    return Some((Ok(error::event(&line.endpoint, &fault)), Step::Reset(fault)));
                }
            },
            Step::Relaying(mut body) => {
                let chunk = body.next().await?;
                return Some((chunk, Step::Relaying(body)));
            }
            Step::Reset(fault) => return Some((Err(std::io::Error::other(fault)), Step::Over)),
            Step::Over => return None,
        };
    }
}

/// An answer that is no stream comes too late to be one. It is recorded as what it was.
fn no_stream(started: Started) -> Fault {
    let Started { opened, lease, mut journal } = started;
    let kind = opened.headers.get(CONTENT_TYPE).map_or("no content type", media_type);
    let words = format!("the provider answered a stream request without a stream ({kind}), after 200 was sent already");
    let fault = Fault::new(Kind::Broken, words);
    // the same answer in time counts as no failure
    drop(lease);
    journal.fault(&fault);
    drop(journal.finish(Outcome::Broken, opened.status.as_u16()));
    fault
}

/// A content type that may be repeated: it is the upstream's word, and goes to the client and into the ledger.
fn media_type(value: &HeaderValue) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'.' | b'-');
    let named = value.to_str().ok().and_then(|value| value.split(';').next()).map(str::trim);
    let named = named.filter(|name| !name.is_empty() && name.len() <= LONGEST_TYPE && name.bytes().all(plain));
    named.unwrap_or("another content type")
}

fn relayed(started: Started, line: &Line) -> Step {
    let Started { opened, lease, journal } = started;
    Step::Relaying(Box::pin(Relay::new(line.clone(), opened, lease, journal).into_stream()))
}
