//! The gateway's answer on its way to the client, byte by byte as it comes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http::{Response, Version};
use http_body::Frame;
use tokio::time::{Sleep, sleep};

use super::door::Cut;
use crate::gateway::Answer;

/// What was written before a failure needs this long to leave: a body that fails takes along what hyper has not yet
/// handed to the system.
const FLUSH: Duration = Duration::from_millis(50);

/// The answer as HTTP. `cut` resets the connection of an HTTP/1.0 client when the answer breaks off: its end would
/// look like that of a whole one.
pub(super) fn respond(answer: Answer, version: Version, cut: Cut) -> Response<Body> {
    let cut = (version <= Version::HTTP_10).then_some(cut);
    let mut response = Response::new(Body::new(Outflow { stream: answer.body, failing: None, cut }));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

struct Outflow {
    stream: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    failing: Option<(Pin<Box<Sleep>>, Option<io::Error>)>,
    cut: Option<Cut>,
}

impl http_body::Body for Outflow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some((flushed, error)) = &mut self.failing {
                ready!(flushed.as_mut().poll(cx));
                return Poll::Ready(error.take().map(Err));
            }
            match ready!(self.stream.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    if let Some(cut) = &self.cut {
                        cut.store(true, Ordering::Relaxed);
                    }
                    self.failing = Some((Box::pin(sleep(FLUSH)), Some(error)));
                }
            }
        }
    }
}
