//! Shows a dialectic to its client: as a stream while it runs, or whole at its end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::cast::Cast;
use super::course::Event;
use super::minutes::Minutes;
use super::record::Record;
use super::scribe::Scribe;
use super::{Begun, describe};
use crate::gateway::Trace;
use crate::gateway::answer::{Answer, Head};
use crate::gateway::dispatch::Failed;
use crate::gateway::relay::Line;
use crate::kit::Fault;
use crate::store::Outcome;

/// A dialectic and all that is needed to show it.
pub(super) struct Stage {
    pub(super) streams: bool,
    cast: Arc<Cast>,
    course: Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>,
    events: mpsc::Receiver<Event>,
    /// How the course ended; its last events may still wait.
    ended: Option<Result<(), Fault>>,
    minutes: Minutes,
    /// Whether the client reads them.
    shown: bool,
    scribe: Scribe,
    record: Record,
    head: Head,
    keep_alive: Duration,
    trace: Trace,
    headers: HeaderMap,
    /// Frames that are ready.
    ready: VecDeque<Bytes>,
    spoke: Instant,
    step: Step,
}

/// Where a stream stands.
enum Step {
    Flow,
    /// The client has been told; the connection is reset next.
    Reset(Fault),
    Over,
}

/// What comes next.
enum Next {
    Event(Event),
    Ended(Result<(), Fault>),
    Timer,
}

impl Stage {
    pub(super) fn new(begun: Begun, record: Record, head: Head, line: Line, trace: Trace) -> Self {
        let mut headers = HeaderMap::new();
        describe(&begun, &mut headers);
        head.describe(&trace, &mut headers);
        let Begun { cast, course, events, scribe, streams, minutes: shown, .. } = begun;
        Self {
            streams,
            minutes: Minutes::new(Arc::clone(&cast)),
            shown,
            cast,
            course: Box::pin(course.run()),
            events,
            ended: None,
            scribe,
            record,
            head,
            keep_alive: line.keep_alive,
            trace,
            headers,
            ready: VecDeque::new(),
            spoke: Instant::now(),
            step: Step::Flow,
        }
    }

    /// The answer in one piece, once there is one.
    pub(super) async fn whole(&mut self) -> Answer {
        loop {
            match self.next(None).await {
                Next::Event(event) => {
                    self.take(&event);
                    self.ready.clear();
                }
                Next::Timer => {}
                Next::Ended(Err(fault)) => return self.fail(fault),
                Next::Ended(Ok(())) => break,
            }
        }
        let (about, legs) = (self.about(), roles(&self.cast));
        let body = self.scribe.whole(about, &legs);
        self.record.sent(body.len());
        self.record.finish(Outcome::Completed, 200).await;
        let mut headers = std::mem::take(&mut self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let absent = self.minutes.absent.join("; ");
        if let Some(absent) = HeaderValue::from_str(&absent).ok().filter(|absent| !absent.is_empty()) {
            headers.insert("x-keywheel-absent", absent);
        }
        Answer { status: StatusCode::OK, headers, body: Box::pin(stream::iter([Ok(body)])) }
    }

    /// The answer as a stream. Its head waits for the first words, so that a real error stays possible, but not for ever.
    pub(super) async fn stream(mut self, header_after: Duration) -> Answer {
        let first = async {
            loop {
                match self.next(None).await {
                    Next::Event(event) => {
                        // a plan, or a leg that is missing, is no word yet: all of them may be missing
                        let word = !matches!(event, Event::Ended { .. } | Event::Note(_) | Event::Spent(_));
                        self.take(&event);
                        if word {
                            return None;
                        }
                    }
                    Next::Ended(Err(fault)) => return Some(fault),
                    Next::Ended(Ok(())) => {
                        self.ended = Some(Ok(()));
                        return None;
                    }
                    Next::Timer => {}
                }
            }
        };
        if let Ok(Some(fault)) = timeout(header_after, first).await {
            return self.fail(fault);
        }
        let mut headers = std::mem::take(&mut self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        let body = stream::unfold(self, |mut stage| async move { Some((stage.frame().await?, stage)) });
        Answer { status: StatusCode::OK, headers, body: Box::pin(body) }
    }

    /// The next bytes for the client.
    async fn frame(&mut self) -> Option<std::io::Result<Bytes>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.spoke = Instant::now();
                self.record.sent(frame.len());
                return Some(Ok(frame));
            }
            match std::mem::replace(&mut self.step, Step::Over) {
                Step::Over => return None,
                Step::Reset(fault) => return Some(Err(std::io::Error::other(fault))),
                Step::Flow => self.step = Step::Flow,
            }
            match self.next(Some(self.spoke + self.keep_alive)).await {
                Next::Event(event) => self.take(&event),
                Next::Timer => {
                    self.spoke = Instant::now();
                    self.ready.extend(self.scribe.wait());
                }
                Next::Ended(Ok(())) => self.complete().await,
                Next::Ended(Err(fault)) => {
                    drop(self.record.finish(Outcome::Broken, 200));
                    self.ready.extend(self.scribe.fail(&fault));
                    self.step = Step::Reset(fault);
                }
            }
        }
    }

    /// The completing frames go out once the call is recorded.
    async fn complete(&mut self) {
        let (about, legs) = (self.about(), roles(&self.cast));
        self.ready.extend(self.scribe.close(about, &legs));
        self.record.sent(self.ready.iter().map(Bytes::len).sum());
        self.record.finish(Outcome::Completed, 200).await;
        self.step = Step::Over;
    }

    /// What happens next; events first, so that none is lost when the course ends.
    async fn next(&mut self, until: Option<Instant>) -> Next {
        let timer = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(timer);
        loop {
            if let Some(ended) = self.ended.take() {
                match self.events.try_recv() {
                    Ok(event) => {
                        self.ended = Some(ended);
                        return Next::Event(event);
                    }
                    Err(_) => return Next::Ended(ended),
                }
            }
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => return Next::Event(event),
                ended = self.course.as_mut() => self.ended = Some(ended),
                () = &mut timer => return Next::Timer,
            }
        }
    }

    fn take(&mut self, event: &Event) {
        if let Event::Ended { leg, absent: Some(absence), .. } = event {
            let leg = &self.cast.legs[*leg];
            self.record.absent(&leg.model, format!("{} is absent: {}", leg.role, absence.words));
        }
        for entry in self.minutes.take(event) {
            if self.shown {
                self.ready.extend(self.scribe.minutes(&entry));
            }
        }
        match event {
            Event::Answer(chunk) => self.ready.extend(self.scribe.answer(chunk)),
            Event::Spent(usage) => self.scribe.spend(usage),
            Event::Judging(_) => self.scribe.judging(),
            _ => {}
        }
    }

    fn fail(&mut self, fault: Fault) -> Answer {
        drop(self.record.finish(Outcome::Failed, fault.status()));
        self.head.bad(&Failed { fault, trace: self.trace.clone(), reset: None })
    }

    /// What programs are told at the end.
    fn about(&self) -> Value {
        let legs = self.cast.legs.iter().map(|leg| json!({"leg": leg.role, "model": leg.model}));
        json!({"legs": legs.collect::<Vec<_>>(), "synthesis": self.cast.synthesis, "absent": self.minutes.absent})
    }
}

fn roles(cast: &Cast) -> Vec<&str> {
    cast.legs.iter().map(|leg| leg.role.as_str()).collect()
}
