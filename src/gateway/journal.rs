//! What becomes a ledger entry: kept with the call from its arrival, recorded once however it ends.

mod closing;
mod passed;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::attempt::Opened;
use super::books::Books;
use super::budgets::Scope;
use super::gauge::Gauge;
use super::purse::Purse;
use super::router::Route;
use super::tally::Held;
use super::{Trace, session};
use crate::accounts::{Bill, Guest};
use crate::history::Tap;
use crate::kit::Fault;
use crate::store::{Attempt, Choice, Context, Decision, Entry, Outcome, Spend};
use crate::telemetry::{Gaps, Told, Trace as Traced};
use crate::wire::tokens::Unsaid;
use crate::wire::{Call, Endpoint, Payload, error};

/// Characters of a project, a session, a run or a branch that are kept.
const LONGEST: usize = 256;
/// A shorter wait is none.
const SHORT: Duration = Duration::from_millis(1);

/// The record of one call. Dropped unfinished, the client has left.
pub(super) struct Journal {
    entry: Option<Entry>,
    started: Instant,
    /// Since when the call waits for an account, while it does.
    waiting: Option<Instant>,
    books: Arc<Books>,
    endpoint: Endpoint,
    /// Whether a model is asked about a text, so that it consumes tokens.
    metered: bool,
    /// The request, in case that its tokens must be counted here.
    request: Option<Held>,
    /// Reads the answer as it passes, once it has begun.
    gauge: Gauge,
    /// The tokens of both directions that the answer reported, once the call is over.
    tokens: Option<u64>,
    /// The limits of the account that answers.
    bill: Option<Bill>,
    /// The client's trace, where it sent one.
    trace: Option<Traced>,
    /// What its spans are made of, where a collector is told of it.
    told: Option<Box<Told>>,
    /// Between the pieces of a streamed answer.
    gaps: Gaps,
    /// What the gateway itself took, once the call is recorded: told when the answer has left.
    overhead: Option<Overhead>,
    /// What became of the wish that a model think, for a header.
    reasoning: Option<String>,
    /// The call's place under the limits of its client, where it has any.
    pub(super) guest: Option<Guest>,
    /// Collects what passes by, where bodies are kept.
    pub(super) tap: Option<Box<Tap>>,
    /// What it has set aside of budgets.
    pub(super) purse: Purse,
}

/// What the gateway itself took of a call's time.
struct Overhead {
    /// The provider that had the call.
    provider: String,
    /// Microseconds until the call was recorded.
    before_us: u64,
}

impl Journal {
    /// The entry of a call that has just arrived.
    pub(super) fn arrived(call: &Call) -> Entry {
        let text = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok()).map(clipped);
        Entry {
            id: call.id,
            tenant: "local".to_owned(),
            at: call.at,
            client: call.caller.name.clone(),
            endpoint: call.endpoint.path().to_owned(),
            asked: call.model.clone().unwrap_or_default(),
            provider: None,
            account: None,
            model: None,
            status: 0,
            outcome: Outcome::Left,
            stream: call.stream,
            parked_us: 0,
            first_byte_us: None,
            total_us: 0,
            bytes_in: match &call.payload {
                Payload::Json(body) => body.bytes().len() as u64,
                Payload::Raw(body) => body.len() as u64,
                Payload::Upload(upload) => upload.length.unwrap_or(0),
                Payload::Empty => 0,
            },
            bytes_out: 0,
            context: Context {
                project: text("x-keywheel-project"),
                session_id: session::name(call).as_deref().map(clipped),
                run_id: text("x-keywheel-run"),
                parent_id: text("x-keywheel-parent").and_then(|id| id.parse().ok()),
                branch: text("x-keywheel-branch"),
            },
            spend: Spend::default(),
            attempts: Vec::new(),
            decisions: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// Begins with the call's arrival.
    pub(super) fn open(call: &Call, books: Arc<Books>) -> Self {
        books.in_flight.fetch_add(1, Ordering::AcqRel);
        let trace = Traced::continued(call.id, &call.headers);
        let told = if books.telemetry.outbox.is_open() { Told::of(call, trace.clone()) } else { None };
        Self {
            entry: Some(Self::arrived(call)),
            started: Instant::now(),
            waiting: None,
            request: books.tally.hold(call),
            metered: Unsaid::countable(&call.endpoint) && matches!(call.payload, Payload::Json(_)),
            endpoint: call.endpoint.clone(),
            books,
            gauge: Gauge::Blind,
            tokens: None,
            bill: None,
            trace,
            told,
            gaps: Gaps::default(),
            overhead: None,
            reasoning: None,
            guest: None,
            tap: None,
            purse: Purse::default(),
        }
    }

    /// Microseconds since the call's arrival.
    pub(super) fn elapsed_us(&self) -> u64 {
        micros(self.started.elapsed())
    }

    fn with(&mut self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.entry {
            change(entry);
        }
    }

    /// Notes an attempt that begins.
    pub(super) fn attempt(&mut self, provider: &str, account: &str, model: &str) {
        let start_us = self.elapsed_us();
        self.with(|entry| {
            entry.provider = Some(provider.to_owned());
            entry.account = Some(account.to_owned());
            entry.model = Some(model.to_owned()).filter(|model| !model.is_empty());
            entry.attempts.push(Attempt {
                provider: provider.to_owned(),
                account: account.to_owned(),
                model: model.to_owned(),
                status: None,
                fault: None,
                why: None,
                start_us,
                connect_us: None,
                head_us: None,
                first_us: None,
                last_us: None,
            });
        });
    }

    /// Names the attempt under way to the provider, where a collector will be told of it.
    pub(super) fn traced(&self, headers: &mut HeaderMap) {
        if let (Some(told), Some(entry)) = (&self.told, &self.entry) {
            told.attach(entry.attempts.len(), headers);
        }
    }

    /// Notes what the account of the next attempt was chosen from.
    pub(super) fn chose(&mut self, choice: Option<Choice>) {
        self.with(|entry| entry.choices.extend(choice));
    }

    /// Notes the response head of the attempt under way, and how long it took to connect where that was needed.
    pub(super) fn head(&mut self, status: u16, connect: Option<Duration>) {
        self.with_attempt(Duration::ZERO, |attempt, since| {
            attempt.status = Some(status);
            attempt.connect_us = connect.map(micros);
            attempt.head_us = Some(since);
        });
    }

    /// Notes that the answer of the attempt under way has begun.
    pub(super) fn began(&mut self) {
        self.with_attempt(Duration::ZERO, |attempt, since| attempt.first_us = Some(since));
    }

    /// Notes that the attempt's last byte came so long ago.
    pub(super) fn heard(&mut self, ago: Duration) {
        self.with_attempt(ago, |attempt, since| attempt.last_us = Some(since));
    }

    /// Changes the attempt under way, knowing how many microseconds after its start this moment is, or one so long ago.
    fn with_attempt(&mut self, ago: Duration, change: impl FnOnce(&mut Attempt, u64)) {
        let then = self.elapsed_us().saturating_sub(micros(ago));
        if let Some(attempt) = self.entry.as_mut().and_then(|entry| entry.attempts.last_mut()) {
            let since = then.saturating_sub(attempt.start_us);
            change(attempt, since);
        }
    }

    /// Whether the provider has answered the attempt under way.
    pub(super) fn answered(&self) -> bool {
        self.entry.as_ref().and_then(|entry| entry.attempts.last()).is_some_and(|attempt| attempt.status.is_some())
    }

    /// Notes why the attempt under way failed.
    pub(super) fn fault(&mut self, fault: &Fault) {
        self.with(|entry| {
            // what kept the call from another attempt is not the fault of the last one
            if let Some(attempt) = entry.attempts.last_mut().filter(|attempt| attempt.fault.is_none()) {
                attempt.fault = Some(fault.kind.code().to_owned());
                attempt.why = Some(fault.message.to_string());
            }
        });
    }

    /// Notes why a budget kept the call from a route.
    pub(super) fn unaffordable(&mut self, route: &str, account: &str, fault: &Fault) {
        let (route, account, verdict) = (route.to_owned(), account.to_owned(), fault.message.to_string());
        self.with(|entry| entry.decisions.push(Decision { route, account, verdict }));
    }

    /// The attempt under way has failed, and another may follow.
    pub(super) fn failed(&mut self, fault: &Fault) {
        let last = self.entry.as_ref().and_then(|entry| entry.attempts.last());
        let refused = last.and_then(|attempt| attempt.status).is_some_and(|status| status >= 400);
        self.purse.failed(fault, refused);
    }

    /// The call on a route, as budgets see it.
    pub(super) fn scope<'a>(&'a self, call: &'a Call, route: &'a Route, account: Option<&'a str>) -> Scope<'a> {
        let context = self.entry.as_ref().map(|entry| &entry.context);
        Scope {
            at: call.at,
            client: &call.caller.name,
            project: context.and_then(|context| context.project.as_deref()),
            session: context.and_then(|context| context.session_id.as_deref()),
            provider: &route.provider.id,
            account,
            model: &route.model,
        }
    }

    /// The call begins to wait for an account. Should its client leave meanwhile, the wait is in its record too.
    pub(super) fn waits(&mut self) {
        self.waiting = Some(Instant::now());
    }

    /// The wait is over. Whether it was one: a moment is none.
    pub(super) fn waited(&mut self) -> bool {
        let waited = self.waiting.take().map(|since| since.elapsed()).unwrap_or_default();
        let long = waited > SHORT;
        if long {
            self.with(|entry| entry.parked_us += micros(waited));
        }
        long
    }

    /// Notes how hard the model of the attempt under way was told to think.
    pub(super) fn reasoned(&mut self, note: Option<String>) {
        self.reasoning = note;
    }

    /// Counts bytes that are handed to the client.
    pub(super) fn sent(&mut self, bytes: usize) {
        let now = self.elapsed_us();
        self.with(|entry| {
            entry.first_byte_us.get_or_insert(now);
            entry.bytes_out += bytes as u64;
        });
    }

    /// The answer begins: events, one JSON document, or something else. What it takes goes on that bill.
    pub(super) fn answering(&mut self, events: bool, json: bool, bill: Bill) {
        let provider = self.entry.as_ref().and_then(|entry| entry.provider.as_deref()).unwrap_or_default();
        self.gauge = Gauge::new(self.books.till.metering(provider), &self.endpoint, events, json);
        self.bill = Some(bill);
    }

    /// A frame of the answer has passed.
    pub(super) fn frame(&mut self, frame: &[u8]) {
        self.gauge.frame(frame);
        if let Some(told) = &mut self.told {
            told.frame(frame);
        }
    }

    /// A piece of a streamed answer came so long after the one before it.
    pub(super) fn gap(&mut self, gap: Duration) {
        self.gaps.note(gap);
    }

    /// A piece of the answer has passed.
    pub(super) fn piece(&mut self, piece: &Bytes) {
        self.gauge.piece(piece);
        let at = self.started;
        if let Some(tap) = &mut self.tap {
            tap.piece(piece, u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// The call has an answer that begins well.
    pub(super) fn opened(&mut self, opened: &Opened) {
        if let Some(tap) = &mut self.tap {
            tap.begins(opened.status.as_u16(), opened.headers.clone());
        }
    }

    /// The call is refused, and the client reads why.
    pub(super) fn refused(&mut self, fault: &Fault) {
        self.unasked(fault);
        if let Some(tap) = &mut self.tap {
            tap.begins(
                fault.status(),
                HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            );
            tap.piece(&error::body(fault), 0);
        }
    }

    /// How the call went so far, for headers.
    pub(super) fn trace(&self) -> Trace {
        self.entry.as_ref().map_or_else(Trace::default, |entry| Trace {
            provider: entry.provider.clone(),
            account: entry.account.clone(),
            model: entry.model.clone(),
            attempts: entry.attempts.len(),
            parked_us: entry.parked_us,
            budget: self.purse.warning.clone(),
            max_tokens: self.purse.max_tokens,
            reasoning: self.reasoning.clone(),
        })
    }
}

/// What a client calls a thing, as far as it can be a name.
fn clipped(name: &str) -> String {
    name.chars().take(LONGEST).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
