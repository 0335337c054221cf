//! Several models answer one call together: the virtual models `dialectics/NAME`.
//!
//! Every leg, the plan and the synthesis are calls like any other, on the same path and in the name of the same caller;
//! each has its own ledger entry, whose parent is the client's call.

mod body;
mod brief;
mod cast;
mod course;
mod dialect;
mod estimate;
mod minutes;
mod parts;
mod record;
mod report;
mod scribe;
mod show;
mod voice;
mod wishes;

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::answer::{Answer, Head};
use super::dispatch::Failed;
use super::relay::Line;
use super::{Inner, Trace};
use crate::catalog::reasoning::Show;
use crate::config::Settings;
use crate::kit::{Fault, Money};
use crate::store::Outcome;
use crate::wire::Call;
use cast::Cast;
use course::Course;
use dialect::Request;
use record::Record;
use scribe::Scribe;
use show::Stage;
use wishes::Wishes;

/// What the names of these models begin with.
pub(super) const PREFIX: &str = "dialectics/";

/// Who answers to them, in lists and in the ledger.
pub const PROVIDER: &str = "dialectics";

/// Events that may wait for a slow client; then the legs wait too.
const AHEAD: usize = 64;

/// Whether a call is for several models together.
pub(super) fn takes(call: &Call) -> bool {
    call.model.as_ref().is_some_and(|model| model.starts_with(PREFIX))
}

/// Answers such a call. Dropping the future, or the body of the answer, ends every leg.
pub(super) fn answer(
    inner: Arc<Inner>,
    call: Call,
    head: Head,
    line: Line,
) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move {
        let settings = inner.settings.now();
        let name = call.model.as_deref().and_then(|model| model.strip_prefix(PREFIX)).unwrap_or_default().to_owned();
        let mut record = Record::open(&call, &name, Arc::clone(&inner.books));
        let trace = Trace { provider: Some(PROVIDER.to_owned()), model: Some(name.clone()), ..Trace::default() };
        match begin(&inner, &settings, call, &name) {
            Ok(begun) => {
                let mut stage = Stage::new(begun, record, head, line, trace);
                if stage.streams { stage.stream(settings.header_after).await } else { stage.whole().await }
            }
            Err(fault) => {
                let fault = inner.known.clean_fault(fault);
                drop(record.finish(Outcome::Failed, fault.status()));
                head.bad(&Failed { fault, trace, reset: None })
            }
        }
    })
}

/// A dialectic that may run: nothing of it was sent yet.
struct Begun {
    cast: Arc<Cast>,
    course: Course,
    events: mpsc::Receiver<course::Event>,
    scribe: Scribe,
    streams: bool,
    /// Whether the client reads what the legs say.
    minutes: bool,
    /// The most that it can cost, where that is known.
    most: Option<Money>,
    /// What of the request no leg can be sent.
    left_out: Vec<String>,
}

fn begin(inner: &Arc<Inner>, settings: &Settings, call: Call, name: &str) -> Result<Begun, Fault> {
    let wishes = Wishes::read(&call.headers)?;
    let cast = Arc::new(inner.cast(settings, &call.caller, name, wishes)?);
    let Request { body, dialect, left_out } = dialect::read(&call, name)?;
    body::check(&body)?;
    let most = inner.afford(settings, &call, &cast, &body)?;
    let scribe = Scribe::new(dialect, cast.report);
    let rules = settings.clients.get(&call.caller.name);
    let minutes = rules.is_none_or(|rules| rules.show_reasoning != Show::Hide);
    let (out, events) = mpsc::channel(AHEAD);
    let course = Course {
        inner: Arc::clone(inner),
        cast: Arc::clone(&cast),
        body,
        headers: course::headers(&call.headers, &call.id.to_string()),
        caller: Arc::clone(&call.caller),
        patience: call.patience,
        out,
    };
    Ok(Begun { cast, course, events, scribe, streams: call.stream, minutes, most, left_out })
}

/// The headers that tell of the cast.
fn describe(begun: &Begun, headers: &mut http::HeaderMap) {
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let legs: Vec<String> = begun.cast.legs.iter().map(|leg| format!("{}={}", leg.role, leg.model)).collect();
    put("x-keywheel-legs", &legs.join(", "));
    put("x-keywheel-synthesis", &begun.cast.synthesis);
    if let Some(most) = begun.most {
        put("x-keywheel-estimate-usd", &most.exact());
    }
    if !begun.left_out.is_empty() {
        put("x-keywheel-left-out", &begun.left_out.join(", "));
    }
}
