//! One upstream try: encode, send, and read far enough to know whether it succeeded.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, Remedy};
use super::journal::Journal;
use super::router::{Plan, Route};
use super::upstream::{Body, Content, Incoming, Outgoing};
use super::{Inner, reason};
use crate::accounts::Lease;
use crate::adapter::{self, ask_usage, edits_of};
use crate::config::{Account, Settings};
use crate::kit::{Fault, Kind, Secret};
use crate::redact::Redacted;
use crate::telemetry::TRACEPARENT;
use crate::wire::sse::{self, Frames};
use crate::wire::{Edit, Endpoint, Payload};

/// An answer that has begun well: its head, what was read of it, and the rest.
pub(super) struct Opened {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) chunks: VecDeque<Bytes>,
    pub(super) body: Body,
    pub(super) events: bool,
    /// Whether it is a JSON document.
    pub(super) json: bool,
    /// Whether usage was asked for in the client's place.
    pub(super) asked_usage: bool,
    pub(super) stall: Duration,
}

/// What one attempt works on.
pub(super) struct Attempt<'a> {
    pub(super) inner: &'a Inner,
    pub(super) settings: &'a Settings,
    pub(super) plan: &'a Plan,
    pub(super) route: &'a Route,
    pub(super) lease: &'a Lease,
    pub(super) secret: Option<&'a Secret>,
    /// What the adapter changed after an earlier attempt was refused.
    pub(super) amendment: Option<&'a [Edit]>,
}

impl Attempt<'_> {
    /// Sends the call and waits until its answer has begun: for a stream, until the first data event has come.
    pub(super) async fn run(
        &self,
        call: &mut Redacted,
        edits: &[Edit],
        journal: &mut Journal,
    ) -> Result<Opened, Failure> {
        let provider = &self.route.provider;
        let account = self.lease.account();
        let waits = Waits::of(provider.timeouts, call);
        let began = Instant::now();
        let deadline = began + waits.first_byte;
        let mut request = self.encode(call, account, edits);
        if !provider.drop_headers.iter().any(|name| name == TRACEPARENT) {
            journal.traced(&mut request.headers);
        }
        journal.purse.sends();
        let sent = self.inner.upstream.send(self.settings, provider, account, self.secret, request);
        let incoming = timeout_at(deadline, sent).await.unwrap_or_else(|_| Err(self.silent(waits.first_byte)))?;
        journal.head(incoming.status.as_u16(), incoming.connect);
        // good answers and refusals alike tell of the account's limits
        let windows = adapter::of(provider.adapter).windows(&incoming.headers, self.inner.clock.now());
        self.lease.learned(&windows);
        if !incoming.status.is_success() {
            return Err(self.failure(call, incoming, deadline).await);
        }
        let opened = self.begin(call, incoming, waits, deadline).await?;
        self.lease.began(began.elapsed());
        journal.began();
        Ok(opened)
    }

    /// The named changes to the body.
    pub(super) fn edits(&self, call: &Redacted, journal: &mut Journal) -> Vec<Edit> {
        let told = reason::told(self.settings, self.plan, self.route, call);
        journal.reasoned(told.note);
        let provider = &self.route.provider;
        let model = Some(self.route.model.as_str()).filter(|model| !model.is_empty());
        let rules = self.settings.clients.get(&call.caller.name);
        let mut edits = adapter::of(provider.adapter).edits(provider, call, model);
        edits.extend(ask_usage(provider, call));
        edits.extend(told.edits);
        edits.extend(self.amendment.into_iter().flatten().cloned());
        edits.extend(edits_of(&provider.body));
        edits.extend(edits_of(&self.plan.body));
        edits.extend(rules.iter().flat_map(|rules| edits_of(&rules.body)));
        edits
    }

    /// The bytes that go out: the client's, with the named changes spliced in.
    fn encode(&self, call: &mut Redacted, account: &Account, edits: &[Edit]) -> Outgoing {
        let provider = &self.route.provider;
        let model = Some(self.route.model.as_str()).filter(|model| !model.is_empty());
        let dialect = adapter::of(provider.adapter);
        let base_url = account.base_url.as_deref().unwrap_or(&provider.base_url);
        let url = dialect.url(provider, base_url, &call.endpoint, model, call.query.as_deref());
        let mut headers = dialect.headers(provider, call);
        let rules = self.settings.clients.get(&call.caller.name);
        let extra = self.plan.headers.iter().chain(rules.iter().flat_map(|rules| &rules.headers));
        for (name, value) in extra {
            if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        // an upload is gone once it is sent; dispatch does not try a second time
        let body = match call.take_upload() {
            Some(upload) => Content::Upload(upload),
            None => Content::Whole(call.splice(edits)),
        };
        Outgoing { method: call.method.clone(), url, headers, body }
    }

    /// Reads an error answer, classifies it, and asks the adapter once whether the call can be mended.
    async fn failure(&self, call: &Redacted, incoming: Incoming, deadline: Instant) -> Failure {
        let Incoming { status, headers, body, .. } = incoming;
        let (chunks, _rest) = read(body, VecDeque::new(), deadline).await;
        let answer = adapter::Answer::new(status.as_u16(), headers, join(chunks), &self.inner.known);
        let provider = &self.route.provider;
        let dialect = adapter::of(provider.adapter);
        let fault = dialect.classify(provider, &answer, self.inner.clock.now());
        let mistaken = matches!(fault.kind, Kind::Invalid(_)) && self.amendment.is_none();
        let edits = if mistaken { dialect.amend(call, &answer) } else { Vec::new() };
        Failure { fault, remedy: Some(edits).filter(|edits| !edits.is_empty()).map(Remedy::Edits) }
    }

    /// Reads a good head's body far enough to know that it is no error in disguise.
    async fn begin(
        &self,
        call: &Redacted,
        incoming: Incoming,
        waits: Waits,
        deadline: Instant,
    ) -> Result<Opened, Fault> {
        let Incoming { status, headers, body, .. } = incoming;
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (events, json) = (kind.starts_with("text/event-stream"), kind.contains("json"));
        let asks_model = !matches!(call.endpoint, Endpoint::Other(_));
        let (chunks, body) = match (asks_model, events) {
            // a stored object that is fetched may hold an old error
            (false, _) => (VecDeque::new(), body),
            (true, true) => self.first_event(body, deadline, waits.first_byte).await?,
            (true, false) => self.first_chunk(body, deadline, waits.first_byte).await?,
        };
        let mut passed = HeaderMap::new();
        for (name, value) in &headers {
            if passes(name.as_str()) || (name == CONTENT_LENGTH && !events) {
                passed.append(name.clone(), value.clone());
            }
        }
        let asked_usage = ask_usage(&self.route.provider, call).is_some();
        Ok(Opened { status, headers: passed, chunks, body, events, json, asked_usage, stall: waits.stall })
    }

    /// Reads until the first data event, past comments and blank lines.
    async fn first_event(
        &self,
        mut body: Body,
        deadline: Instant,
        wait: Duration,
    ) -> Result<(VecDeque<Bytes>, Body), Fault> {
        let dialect = adapter::of(self.route.provider.adapter);
        let now = self.inner.clock.now();
        let seen = |frame: &[u8]| dialect.first_event(&self.route.provider, frame, &self.inner.known, now);
        let (mut frames, mut chunks) = (Frames::default(), VecDeque::new());
        let mut found: Option<Option<Fault>> = None;
        while found.is_none() {
            match timeout_at(deadline, body.next()).await {
                Err(_) => return Err(self.silent(wait)),
                Ok(Some(Err(_))) => return Err(self.no_answer()),
                Ok(None) => {
                    // a stream of one frame without a blank line still has an event
                    let rest = sse::data(frames.rest()).map(|_| seen(frames.rest()));
                    found = Some(rest.unwrap_or_else(|| Some(self.no_answer())));
                }
                Ok(Some(Ok(chunk))) => {
                    frames.push(&chunk, |frame, _| {
                        if found.is_none() && sse::data(frame).is_some() {
                            found = Some(seen(frame));
                        }
                    });
                    chunks.push_back(chunk);
                }
            }
        }
        match found.flatten() {
            Some(fault) => Err(fault),
            None => Ok((chunks, body)),
        }
    }

    /// Reads the first chunk of a whole answer; where it opens like an error, all of it.
    async fn first_chunk(
        &self,
        mut body: Body,
        deadline: Instant,
        wait: Duration,
    ) -> Result<(VecDeque<Bytes>, Body), Fault> {
        let mut chunks = VecDeque::new();
        // blank lines keep a slow answer alive; they are passed on, and waited through
        while chunks.back().is_none_or(|chunk: &Bytes| chunk.trim_ascii().is_empty()) {
            match timeout_at(deadline, body.next()).await {
                Err(_) => return Err(self.silent(wait)),
                Ok(Some(Err(_))) => return Err(self.no_answer()),
                Ok(Some(Ok(chunk))) => chunks.push_back(chunk),
                Ok(None) => return Ok((chunks, body)),
            }
        }
        if !chunks.back().is_some_and(|chunk| looks_like_error(chunk)) {
            return Ok((chunks, body));
        }
        let (chunks, rest) = read(body, chunks, deadline).await;
        let provider = &self.route.provider;
        let now = self.inner.clock.now();
        let fault = adapter::of(provider.adapter).first_event(provider, &join(chunks.clone()), &self.inner.known, now);
        match fault {
            Some(fault) => Err(fault),
            None => Ok((chunks, rest.ok_or_else(|| self.no_answer())?)),
        }
    }

    fn silent(&self, wait: Duration) -> Fault {
        let (id, seconds) = (&self.route.provider.id, wait.as_secs());
        Fault::new(
            Kind::Stalled,
            format!(
                "{id} sent nothing for {seconds} s; the call may have been billed, so it was \
            not sent again; raise timeouts.first_byte if the model thinks for longer"
            ),
        )
    }

    fn no_answer(&self) -> Fault {
        let id = &self.route.provider.id;
        Fault::new(Kind::Upstream(502), format!("connection lost: {id} broke off before its answer began"))
    }
}

/// How long to wait for what, with what is known of the call.
#[derive(Clone, Copy)]
struct Waits {
    first_byte: Duration,
    stall: Duration,
}

impl Waits {
    fn of(times: crate::catalog::Timeouts, call: &Redacted) -> Self {
        let reasons = |json: &crate::wire::Json| {
            ["reasoning_effort", "reasoning", "thinking"].iter().any(|key| json.get(key).is_some_and(|v| v != "null"))
        };
        let reasoning = matches!(&call.payload, Payload::Json(json) if reasons(json));
        Self {
            first_byte: if call.stream && !reasoning { times.first_byte } else { times.first_byte_whole },
            stall: if reasoning { times.stall * 10 / 3 } else { times.stall },
        }
    }
}

/// Reads a small body as far as it comes; what is left of it is `None` when it broke off.
async fn read(mut body: Body, mut chunks: VecDeque<Bytes>, deadline: Instant) -> (VecDeque<Bytes>, Option<Body>) {
    let mut size: usize = chunks.iter().map(Bytes::len).sum();
    while size < adapter::READ {
        match timeout_at(deadline, body.next()).await {
            Ok(Some(Ok(chunk))) => {
                size += chunk.len();
                chunks.push_back(chunk);
            }
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => return (chunks, None),
        }
    }
    (chunks, Some(body))
}

fn join(chunks: VecDeque<Bytes>) -> Bytes {
    let mut all = BytesMut::new();
    for chunk in chunks {
        all.extend_from_slice(&chunk);
    }
    all.truncate(adapter::READ);
    all.freeze()
}

/// Whether a whole answer opens with an `error` member, as services do that commit to 200 too early.
fn looks_like_error(chunk: &[u8]) -> bool {
    let text = chunk.trim_ascii_start();
    let open = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
    open.strip_prefix(b"{").is_some_and(|inside| inside.trim_ascii_start().starts_with(b"\"error\""))
}

/// The upstream's headers that a client may see: none that tells of the account or of its limits.
fn passes(name: &str) -> bool {
    matches!(name, "content-type" | "content-disposition" | "content-language" | "x-request-id")
}
