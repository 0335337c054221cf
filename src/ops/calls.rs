//! The ledger's entries as the rows and records that faces show.

use serde_json::{Value, json};

use crate::kit::{CallId, Money, Time};
use crate::operator::{Like, RequestRow, Tokens};
use crate::store::{Entry, Filter, Span};

/// What a face asks for as the ledger takes it.
pub fn filter(limit: usize, failed: bool, like: Like) -> Filter {
    let Like { model, client, provider, account, project, status, since, until } = like;
    let [since, until] = [since, until].map(|at| at.map(Time::from_micros));
    let status = status.map(|(first, last)| first..=last);
    Filter {
        limit,
        failed,
        model,
        client,
        provider,
        account,
        project,
        status,
        span: Span { since, until },
        parent: None,
    }
}

/// A call as a row of a list.
pub(super) fn row(entry: Entry) -> RequestRow {
    RequestRow {
        id: entry.id.to_string(),
        at: entry.at.to_string(),
        client: entry.client,
        endpoint: entry.endpoint,
        provider: entry.provider,
        account: entry.account,
        model: entry.model.unwrap_or(entry.asked),
        status: entry.status,
        outcome: entry.outcome.word().to_owned(),
        stream: entry.stream,
        attempts: entry.attempts.len(),
        parked_ms: entry.parked_us / 1000,
        total_ms: entry.total_us / 1000,
        usage: entry.spend.usage.map(Tokens::from),
        cost_usd: entry.spend.cost.map(Money::exact),
        estimated: entry.spend.estimated,
    }
}

/// A call with all that the ledger knows: the members of its row, then what a row has no room for.
pub(super) fn record(entry: Entry) -> Value {
    let millis = |micros: Option<u64>| micros.map(|micros| micros / 1000);
    let attempts = entry.attempts.iter().map(|attempt| {
        json!({
            "provider": attempt.provider, "account": attempt.account, "model": attempt.model,
            "status": attempt.status, "fault": attempt.fault, "why": attempt.why,
            "start_ms": attempt.start_us / 1000, "connect_ms": millis(attempt.connect_us),
            "head_ms": millis(attempt.head_us), "first_ms": millis(attempt.first_us),
            "last_ms": millis(attempt.last_us),
        })
    });
    let more = json!({
        "asked": entry.asked,
        "queue_ms": millis(entry.queue_us()),
        "first_byte_ms": millis(entry.first_byte_us),
        "bytes_in": entry.bytes_in,
        "bytes_out": entry.bytes_out,
        "tenant": entry.tenant,
        "project": entry.context.project,
        "branch": entry.context.branch,
        "session_id": entry.context.session_id,
        "run_id": entry.context.run_id,
        "parent_id": entry.context.parent_id.as_ref().map(CallId::to_string),
        "tries": attempts.collect::<Vec<_>>(),
        "answered": entry.spend.answered,
        "service_tier": entry.spend.service_tier,
        "listed_usd": entry.spend.listed.map(Money::exact),
        "price": entry.spend.price,
        "buckets": entry.spend.usage,
        "decisions": entry.decisions,
        "timing": timing(&entry),
    });
    let mut record = json!(row(entry));
    if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
        record.extend(more);
    }
    record
}

/// Microseconds from the call's arrival to each of its steps.
fn timing(entry: &Entry) -> Value {
    let attempts = entry.attempts.iter().map(|attempt| {
        let since = |step: Option<u64>| step.map(|step| attempt.start_us + step);
        json!({
            "start_us": attempt.start_us, "connect_us": attempt.connect_us,
            "connected_us": since(attempt.connect_us), "head_us": since(attempt.head_us),
            "first_us": since(attempt.first_us), "last_us": since(attempt.last_us),
        })
    });
    json!({
        "parked_us": entry.parked_us, "queue_us": entry.queue_us(), "attempts": attempts.collect::<Vec<_>>(),
        "client_first_us": entry.first_byte_us, "client_last_us": entry.total_us,
    })
}
