//! Hands an answer back byte for byte, watches its timers, and holds its last frame until the call is recorded.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, Sleep};

use super::attempt::Opened;
use super::journal::Journal;
use super::upstream::Body;
use crate::accounts::Lease;
use crate::kit::{Fault, Kind};
use crate::store::{Durable, Outcome};
use crate::wire::endpoint::Mark;
use crate::wire::sse::Frames;
use crate::wire::usage::stands_alone;
use crate::wire::{Endpoint, error};

/// How long an upstream may take to end a stream that is complete; some send a last word about cost.
const TAIL: Duration = Duration::from_secs(2);

/// Chunks that follow each other faster than this are passed on together.
const CROWDED: Duration = Duration::from_millis(10);
/// At most so many of them, so that a fast upstream is not read far ahead of a slow client.
const CROWD: usize = 64;
/// Larger ones are worth a write of their own.
const SMALL: usize = 4096;

/// What a relay needs to know of the call.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    /// The model for keep-alive frames.
    pub(super) model: String,
    /// Seconds since the epoch for keep-alive frames.
    pub(super) created: i64,
    pub(super) keep_alive: Duration,
}

/// An answer on its way to the client.
pub(super) struct Relay {
    line: Line,
    status: u16,
    /// What has come and is not yet passed on.
    ahead: VecDeque<Event>,
    body: Body,
    shape: Shape,
    ended: bool,
    stall: Duration,
    /// The last byte from the upstream, and the last to the client.
    heard: Instant,
    spoke: Instant,
    /// When the client was ready for more, and since when the gateway alone has the end of a whole answer.
    asked: Instant,
    whole: Instant,
    timer: Pin<Box<Sleep>>,
    lease: Option<Lease>,
    journal: Journal,
    step: Step,
}

/// How the end of the answer is recognised.
enum Shape {
    /// Server-sent events: by the frame that completes them.
    /// With `trim`, the frame of usage that the client did not ask for is taken out.
    Events { frames: Frames, finished: bool, trim: bool },
    /// A body of stated length: by its last byte.
    Sized { left: u64 },
    /// A body without: by its end, so that one chunk is always kept back.
    Unsized { kept: Option<Bytes> },
}

enum Step {
    Flow,
    /// The completing bytes wait for the record.
    Recording(Bytes, Durable),
    /// Completed; what still comes is passed on.
    Tail,
    /// The client has been told; the connection is reset next.
    Reset(Fault),
    Over,
}

/// What happened next.
enum Event {
    Chunk(Bytes),
    End,
    Fault(Fault),
    Timer,
}

impl Event {
    fn of(came: Option<Result<Bytes, Fault>>) -> Self {
        match came {
            Some(Ok(chunk)) => Self::Chunk(chunk),
            Some(Err(fault)) => Self::Fault(fault),
            None => Self::End,
        }
    }

    fn is_small(&self) -> bool {
        matches!(self, Self::Chunk(chunk) if chunk.len() < SMALL)
    }
}

impl Relay {
    pub(super) fn new(line: Line, opened: Opened, lease: Lease, mut journal: Journal) -> Self {
        let length = opened.headers.get(http::header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        let shape = match (opened.events, length) {
            (true, _) => Shape::Events { frames: Frames::default(), finished: false, trim: opened.asked_usage },
            (false, Some(left)) => Shape::Sized { left },
            (false, None) => Shape::Unsized { kept: None },
        };
        journal.answering(opened.events, opened.json, lease.bill());
        let now = Instant::now();
        let first = opened.stall.min(line.keep_alive);
        Self {
            line,
            status: opened.status.as_u16(),
            ahead: opened.chunks.into_iter().map(Event::Chunk).collect(),
            body: opened.body,
            shape,
            ended: false,
            stall: opened.stall,
            heard: now,
            spoke: now,
            asked: now,
            whole: now,
            timer: Box::pin(tokio::time::sleep(first)),
            lease: Some(lease),
            journal,
            step: Step::Flow,
        }
    }

    /// Whether all bytes of the answer are here, so that what is next is all of it.
    pub(super) fn is_whole(&self) -> bool {
        match (&self.shape, self.ahead.front()) {
            (Shape::Sized { left }, Some(Event::Chunk(chunk))) => *left == chunk.len() as u64,
            _ => false,
        }
    }

    /// The answer's body for the client.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::unfold(self, |mut relay| async move { Some((relay.next().await?, relay)) })
    }

    /// The next bytes for the client.
    pub(super) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.asked = Instant::now();
        loop {
            match std::mem::replace(&mut self.step, Step::Over) {
                Step::Over => return None,
                Step::Reset(fault) => return Some(Err(io::Error::other(fault))),
                Step::Recording(bytes, durable) => {
                    durable.await;
                    self.journal.released(self.whole.elapsed());
                    self.step = if self.ended { Step::Over } else { Step::Tail };
                    self.timer.as_mut().reset(Instant::now() + TAIL);
                    if !bytes.is_empty() {
                        return Some(Ok(bytes));
                    }
                }
                step @ (Step::Flow | Step::Tail) => {
                    let tail = matches!(step, Step::Tail);
                    self.step = step;
                    let event = self.event().await;
                    let out = if tail { self.after(event) } else { self.during(event) };
                    if let Some(bytes) = out.filter(|bytes| !bytes.is_empty()) {
                        self.spoke = Instant::now();
                        self.journal.sent(bytes.len());
                        return Some(Ok(bytes));
                    }
                }
            }
        }
    }

    async fn event(&mut self) -> Event {
        let event = match self.ahead.pop_front() {
            Some(event) => event,
            None => tokio::select! {
                biased;
                came = self.body.next(), if !self.ended => self.take_in(Event::of(came)).await,
                () = self.timer.as_mut() => Event::Timer,
            },
        };
        self.ended |= matches!(event, Event::End);
        event
    }

    /// Notes the time of what came, and reads what comes right behind it: small chunks that are passed on together
    /// leave in one write, which costs more than all else that is done for a chunk.
    async fn take_in(&mut self, first: Event) -> Event {
        let now = Instant::now();
        let gap = now - std::mem::replace(&mut self.heard, now);
        if matches!((&self.shape, &first), (Shape::Events { .. }, Event::Chunk(_))) {
            self.journal.gap(gap);
        }
        let mut more = gap < CROWDED && first.is_small();
        while more && self.ahead.len() < CROWD {
            let mut looks = 0;
            // the task that reads the connection hands over one chunk at a time, so it needs a turn in between; the
            // second look is hyper's, which asks twice in one turn
            let came = poll_fn(|cx| match self.body.poll_next_unpin(cx) {
                Poll::Ready(came) => Poll::Ready(Some(came)),
                Poll::Pending if looks == 2 => Poll::Ready(None),
                Poll::Pending => {
                    looks += 1;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            });
            let Some(event) = came.await.map(Event::of) else { break };
            more = event.is_small();
            self.ahead.push_back(event);
        }
        first
    }

    /// The answer is under way.
    fn during(&mut self, event: Event) -> Option<Bytes> {
        match event {
            Event::Chunk(chunk) => self.chunk(chunk),
            Event::End => self.end(),
            Event::Fault(fault) => self.break_off(fault),
            Event::Timer => self.tick(),
        }
    }

    /// The answer is complete and recorded; what follows is passed on, and no failure counts any more.
    fn after(&mut self, event: Event) -> Option<Bytes> {
        match event {
            Event::Chunk(chunk) => return Some(chunk),
            Event::End | Event::Fault(_) | Event::Timer => self.step = Step::Over,
        }
        None
    }

    fn chunk(&mut self, chunk: Bytes) -> Option<Bytes> {
        self.journal.piece(&chunk);
        match &mut self.shape {
            Shape::Sized { left } => {
                *left = left.saturating_sub(chunk.len() as u64);
                if *left == 0 { self.complete(chunk) } else { Some(chunk) }
            }
            Shape::Unsized { kept } => kept.replace(chunk),
            Shape::Events { frames, finished, trim } => {
                let (mut last, mut kept) = (None, trim.then(|| BytesMut::with_capacity(chunk.len())));
                frames.push(&chunk, |frame, start| {
                    self.journal.frame(frame);
                    let at = kept.as_ref().map_or(start, BytesMut::len);
                    match self.line.endpoint.mark(frame) {
                        Mark::Last if last.is_none() => last = Some(at),
                        Mark::Finish => *finished = true,
                        _ => {}
                    }
                    if let Some(kept) = kept.as_mut().filter(|_| !stands_alone(frame)) {
                        kept.extend_from_slice(frame);
                    }
                });
                // where something may be taken out only whole frames go on: the rest of this one decides
                let chunk = kept.map_or(chunk, BytesMut::freeze);
                let Some(at) = last else { return Some(chunk) };
                let before = chunk.slice(..at);
                self.journal.sent(before.len());
                self.complete(chunk.slice(at..)).or(Some(before))
            }
        }
    }

    /// The body ended.
    fn end(&mut self) -> Option<Bytes> {
        match &mut self.shape {
            Shape::Sized { left: 0 } => self.complete(Bytes::new()),
            Shape::Sized { .. } => self.break_off(self.cut()),
            Shape::Unsized { kept } => {
                let last = kept.take().unwrap_or_default();
                self.complete(last)
            }
            Shape::Events { frames, finished, trim } => {
                self.journal.frame(frames.rest());
                let rest = if frames.rest().is_empty() { Mark::None } else { self.line.endpoint.mark(frames.rest()) };
                let open = matches!(self.line.endpoint, Endpoint::Embeddings | Endpoint::Other(_));
                let held = if *trim && !stands_alone(frames.rest()) { frames.rest() } else { &[] };
                let held = Bytes::copy_from_slice(held);
                if open || *finished || rest != Mark::None { self.complete(held) } else { self.break_off(self.cut()) }
            }
        }
    }

    fn cut(&self) -> Fault {
        Fault::new(
            Kind::Broken,
            "connection lost: the provider ended its answer before it was whole; send the request again",
        )
    }

    /// The answer is whole: its last bytes go out once it is recorded.
    fn complete(&mut self, bytes: Bytes) -> Option<Bytes> {
        self.journal.sent(bytes.len());
        self.journal.heard(self.heard.elapsed());
        self.whole = self.heard.max(self.asked);
        let durable = self.journal.finish(Outcome::Completed, self.status);
        if let Some(lease) = self.settled() {
            lease.succeeded();
        }
        self.step = Step::Recording(bytes, durable);
        None
    }

    /// The answer cannot be whole any more: the client is told by an error event where one fits between two frames,
    /// and the connection is reset either way, since a clean end would pass for the whole answer.
    fn break_off(&mut self, fault: Fault) -> Option<Bytes> {
        self.journal.fault(&fault);
        self.journal.heard(self.heard.elapsed());
        drop(self.journal.finish(Outcome::Broken, self.status));
        if let Some(lease) = self.settled() {
            lease.failed(&fault);
        }
        let event = match &self.shape {
            Shape::Events { frames, .. } if frames.between() => Some(error::event(&self.line.endpoint, &fault)),
            _ => None,
        };
        self.step = Step::Reset(fault);
        event
    }

    /// The lease, once the call is recorded: it was charged by an estimate of its own.
    fn settled(&mut self) -> Option<Lease> {
        let lease = self.lease.take()?;
        self.journal.tokens().into_iter().for_each(|tokens| lease.used(tokens));
        Some(lease)
    }

    fn tick(&mut self) -> Option<Bytes> {
        if self.heard.elapsed() >= self.stall {
            let seconds = self.stall.as_secs();
            return self.break_off(Fault::new(
                Kind::Stalled,
                format!("stream timeout: the provider sent nothing for {seconds} s"),
            ));
        }
        let between = matches!(&self.shape, Shape::Events { frames, .. } if frames.between());
        let due = between && self.spoke.elapsed() >= self.line.keep_alive;
        let frame = if due { self.line.frame() } else { None };
        let spoke = if frame.is_some() { Instant::now() } else { self.spoke };
        let next = (spoke + self.line.keep_alive).max(Instant::now() + Duration::from_millis(50));
        self.timer.as_mut().reset(next.min(self.heard + self.stall));
        frame
    }
}

impl Drop for Relay {
    /// The client has left; what came until then was used.
    fn drop(&mut self) {
        if self.lease.is_some() {
            drop(self.journal.finish(Outcome::Left, 499));
            drop(self.settled());
        }
    }
}

impl Line {
    /// A keep-alive frame, where the dialect has one.
    pub(super) fn frame(&self) -> Option<Bytes> {
        self.endpoint.keep_alive(&self.model, self.created).map(Bytes::from)
    }
}
