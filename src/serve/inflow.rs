//! A request's body while it arrives: bounded in size and silence, and never left half read.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, Request};
use http_body::Body as _;
use tokio::time::{Sleep, sleep, timeout};

use crate::kit::Fault;
use crate::wire::call::Upload;

/// A client that was refused may go on sending for this long, so that it comes to read the answer.
const LINGER: Duration = Duration::from_secs(10);
/// Room is made in steps, since a stated length is only a claim.
const STEP: usize = 1024 * 1024;

/// The body of a request; `Upload::fault` says what its errors mean.
pub(super) struct Inflow {
    /// The length that the client stated.
    pub(super) stated: Option<u64>,
    /// Never locked: calls must be `Sync`, and this makes the body so.
    inner: Mutex<Inner>,
}

struct Inner {
    body: Body,
    /// What was read ahead and put back.
    ahead: VecDeque<Bytes>,
    left: u64,
    patience: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// The client waits to be told to send it.
    Unsent,
    /// We want no more of it.
    Refused,
    /// Nothing more comes.
    Ended,
}

impl Inflow {
    /// A body without a limit yet.
    pub(super) fn new(headers: &HeaderMap, body: Body, patience: Duration) -> Self {
        let stated = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let state = match () {
            () if body.is_end_stream() => State::Ended,
            () if headers.contains_key(EXPECT) => State::Unsent,
            () => State::Open,
        };
        let ahead = VecDeque::new();
        Self { stated, inner: Mutex::new(Inner { body, ahead, left: u64::MAX, patience, silence: None, state }) }
    }

    /// The body of a request that is refused.
    pub(super) fn of(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self::new(&parts.headers, body, LINGER)
    }

    /// Whether nothing was sent and nothing will be.
    pub(super) fn is_empty(&mut self) -> bool {
        let inner = inner(&mut self.inner);
        inner.state == State::Ended && inner.ahead.is_empty()
    }

    /// Allows this many bytes in all; more than that, stated or sent, is a 413.
    pub(super) fn limit(&mut self, bytes: u64) -> Result<(), Fault> {
        inner(&mut self.inner).left = bytes;
        match self.stated {
            Some(stated) if stated > bytes => Err(Upload::fault(io::ErrorKind::FileTooLarge)),
            _ => Ok(()),
        }
    }

    /// The whole body; not copied when it came in one piece.
    pub(super) async fn whole(mut self) -> Result<Bytes, Fault> {
        let Some(first) = self.next().await.transpose().map_err(fault)? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await.transpose().map_err(fault)? else { return Ok(first) };
        let room = self.stated.map_or(0, |stated| usize::try_from(stated).unwrap_or(STEP).min(STEP));
        let mut all = BytesMut::with_capacity(room.max(first.len() + second.len()));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(more) = self.next().await.transpose().map_err(fault)? {
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }

    /// Reads ahead until `found` answers, the body ends or `most` bytes are there; they are read again later.
    pub(super) async fn peek<T>(
        &mut self,
        most: usize,
        found: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let mut seen = BytesMut::new();
        let mut answer = None;
        while answer.is_none() && seen.len() < most {
            let Some(more) = self.next().await.transpose().map_err(fault)? else { break };
            seen.extend_from_slice(&more);
            answer = found(&seen);
        }
        if !seen.is_empty() {
            inner(&mut self.inner).ahead.push_back(seen.freeze());
        }
        Ok(answer)
    }
}

impl Stream for Inflow {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        inner(&mut self.inner).poll_next(cx)
    }
}

impl Inner {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(bytes) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if matches!(self.state, State::Ended | State::Refused) {
            return Poll::Ready(None);
        }
        self.state = State::Open;
        loop {
            return match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => Poll::Ready(Some(self.count(bytes))),
                    Err(_trailers) => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    self.state = State::Ended;
                    Poll::Ready(Some(Err(io::Error::other(error))))
                }
                Poll::Ready(None) => {
                    self.state = State::Ended;
                    Poll::Ready(None)
                }
                Poll::Pending => self.wait(cx),
            };
        }
    }

    fn count(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        self.silence = None;
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                if self.body.is_end_stream() {
                    self.state = State::Ended;
                }
                Ok(bytes)
            }
            None => {
                self.state = State::Refused;
                Err(io::ErrorKind::FileTooLarge.into())
            }
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let patience = self.patience;
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(patience)));
        std::task::ready!(silence.as_mut().poll(cx));
        self.state = State::Ended;
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }
}

/// A connection that is closed while unread bytes arrive is reset, and the client loses the answer. So what is left of
/// a refused body is read and thrown away for a while.
impl Drop for Inflow {
    fn drop(&mut self) {
        let inner = inner(&mut self.inner);
        if !matches!(inner.state, State::Open | State::Refused) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut rest = std::mem::take(&mut inner.body).into_data_stream();
            let drain = async move { while let Some(Ok(_)) = rest.next().await {} };
            runtime.spawn(timeout(LINGER, drain));
        }
    }
}

fn inner(mutex: &mut Mutex<Inner>) -> &mut Inner {
    mutex.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn fault(error: io::Error) -> Fault {
    Upload::fault(error.kind())
}
