//! What the engine answers: a head, and a body as a list of steps in time.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// Below this the runtime's timer (1 ms) is too coarse, and a thread sleeps instead.
const FINE: Duration = Duration::from_millis(2);

/// What was sent before a cut needs this long to leave the process.
const FLUSH: Duration = Duration::from_millis(5);

/// An answer of the scripted upstream.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The wait before the head; whoever sends the answer keeps it.
    pub delay: Duration,
    /// Its body.
    pub steps: Vec<Step>,
}

/// One step of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes as one chunk.
    Bytes(Bytes),
    /// Send nothing for so long.
    Wait(Duration),
    /// Break the connection: the body's stream ends with an error.
    Cut,
    /// Send nothing any more, and never end.
    Hang,
}

impl Answer {
    /// A whole body of this type.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Self { status, headers, delay: Duration::ZERO, steps: vec![Step::Bytes(body.into())] }
    }

    /// A whole JSON body.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A stream of server-sent events, each frame as one chunk.
    pub fn events(steps: Vec<Step>) -> Self {
        let mut answer = Self::new(StatusCode::OK, "text/event-stream", Bytes::new());
        answer.steps = steps;
        answer
    }

    /// The same answer with one more header. A value that is none in HTTP is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.to_string().parse::<HeaderValue>()) {
            self.headers.insert(name, value);
        }
        self
    }

    /// All bytes of the body, without its timing.
    pub fn bytes(&self) -> Bytes {
        let sent = self.steps.iter().filter_map(|step| match step {
            Step::Bytes(bytes) => Some(bytes.as_ref()),
            _ => None,
        });
        sent.collect::<Vec<_>>().concat().into()
    }

    /// The body in time. An `Err` means that the connection must be reset.
    pub fn into_body(self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        stream::unfold(VecDeque::from(self.steps), async |mut steps| {
            loop {
                match steps.pop_front()? {
                    Step::Bytes(bytes) if bytes.is_empty() => {}
                    Step::Bytes(bytes) => return Some((Ok(bytes), steps)),
                    Step::Wait(time) => pause(time).await,
                    Step::Hang => std::future::pending().await,
                    Step::Cut => {
                        pause(FLUSH).await;
                        return Some((Err(io::ErrorKind::ConnectionReset.into()), VecDeque::new()));
                    }
                }
            }
        })
    }
}

/// Waits, also for less than the runtime's timer can measure.
#[expect(clippy::disallowed_methods, reason = "the thread is one of those kept for blocking, no stream stands on it")]
async fn pause(time: Duration) {
    if time >= FINE {
        return tokio::time::sleep(time).await;
    }
    // a failed join means that the runtime shuts down: nobody waits any more
    drop(tokio::task::spawn_blocking(move || std::thread::sleep(time)).await);
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_as_its_steps_say_and_a_cut_is_an_error() {
        let word = || Step::Bytes(Bytes::from_static(b"word"));
        let answer = Answer::events(vec![word(), Step::Wait(Duration::from_secs(7)), word(), Step::Cut, word()]);
        assert_eq!(answer.bytes(), "wordwordword");
        let began = tokio::time::Instant::now();
        let mut body = Box::pin(answer.into_body());
        assert_eq!(body.next().await.and_then(Result::ok), Some(Bytes::from_static(b"word")));
        assert!(body.next().await.is_some_and(|chunk| chunk.is_ok()));
        assert_eq!(began.elapsed().as_secs(), 7);
        let cut = body.next().await.and_then(Result::err).map(|error| error.kind());
        assert_eq!(cut, Some(io::ErrorKind::ConnectionReset));
        assert!(body.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_body_never_ends() {
        let mut body = Box::pin(Answer::events(vec![Step::Hang]).into_body());
        assert!(tokio::time::timeout(Duration::from_secs(3600), body.next()).await.is_err());
    }
}
