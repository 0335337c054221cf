//! Calls with their bodies: the ledger's entry, and beside it what history kept.

use crate::history::{self, Exchange, HistoryError, Standing};
use crate::kit::{CallId, Time};
use crate::operator::exchanged::{BodyRow, Exchanged, GotRow, SentRow, TryRow};
use crate::operator::{Refusal, Reply};
use crate::store::{Entry, Ledger};

/// For so long a dropped exchange is worth a warning, in microseconds.
const FRESH: i64 = 600_000_000;

/// Whoever can open what history kept.
pub trait Shelf: Send + Sync {
    /// The exchange of a call, without secrets; `None` when none was kept. Blocking.
    fn exchange(&self, id: CallId) -> Result<Option<Exchange>, HistoryError>;

    /// How keeping more of them is going.
    fn standing(&self) -> Standing {
        Standing::default()
    }
}

/// A shelf that stays empty.
pub struct NothingKept;

impl Shelf for NothingKept {
    fn exchange(&self, _: CallId) -> Result<Option<Exchange>, HistoryError> {
        Ok(None)
    }
}

/// One call from a ledger and a shelf. Blocking.
pub fn exchanged(ledger: &dyn Ledger, shelf: &dyn Shelf, id: &str) -> Result<Reply, Refusal> {
    let entry = ledger.find(id).map_err(super::unreadable)?;
    let entry = entry.ok_or_else(|| Refusal::new(format!("no call has an id that begins with {id:?}")))?;
    let kept = shelf.exchange(entry.id).map_err(|error| Refusal::new(error.to_string()))?;
    Ok(Reply::Exchanged(Box::new(row(entry, kept))))
}

/// What a person should know of history, in sentences.
pub(super) fn warnings(standing: Standing, now: Time) -> Vec<String> {
    let refused = standing.refused.map(|why| format!("prompts and answers are not kept: {why}"));
    let fresh = standing.last.filter(|(at, _)| now.as_micros() - at.as_micros() < FRESH);
    let dropped = fresh.map(|(at, why)| {
        format!("{} exchanges were dropped since the start, the last at {at}: {why}", standing.dropped)
    });
    refused.into_iter().chain(dropped).collect()
}

fn row(entry: Entry, kept: Option<Exchange>) -> Exchanged {
    let tries = entry.attempts.iter().map(|one| TryRow {
        provider: one.provider.clone(),
        account: one.account.clone(),
        model: one.model.clone(),
        status: one.status,
        why: one.why.clone(),
    });
    let (request, answer) = kept.map_or((None, None), |kept| (Some(kept.request), kept.answer));
    Exchanged {
        asked: entry.asked.clone(),
        first_byte_ms: entry.first_byte_us.map(|micros| micros / 1000),
        project: entry.context.project.clone(),
        tries: tries.collect(),
        request: request.map(|sent| SentRow {
            method: sent.method,
            path: sent.path,
            query: sent.query,
            headers: sent.headers,
            body: body(sent.body),
        }),
        answer: answer.map(|got| GotRow {
            status: got.status,
            headers: got.headers,
            body: body(got.body),
            pieces: got.pieces,
        }),
        call: super::calls::row(entry),
    }
}

fn body(body: history::Body) -> BodyRow {
    let lacks = body.lacks();
    let text = String::from_utf8_lossy(&body.text).into_owned();
    BodyRow { kind: body.kind, size: body.size, digest: body.digest, text, rules: body.rules, lacks }
}
