//! The line that the log gets when a call is over: for those that completed only where it is asked for
//! (`KEYWHEEL_LOG=keywheel::call=debug`), since every line is a write that somebody waits for.

use super::trace::Trace;
use crate::store::{Entry, Outcome};

/// Writes the line of a call that is over.
pub(super) fn log(entry: &Entry, trace: Option<&Trace>) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "keywheel::call",
                {
                request.id = %entry.id,
                trace.id = trace.map(|trace| tracing::field::display(trace.name())),
                provider = entry.provider.as_deref(),
                account = entry.account.as_deref(),
                model = entry.model.as_deref(),
                status = entry.status,
                attempts = entry.attempts.len(),
                parked_ms = entry.parked_us / 1000,
                first_byte_ms = entry.first_byte_us.map(|micros| micros / 1000),
                total_ms = entry.total_us / 1000,
                cost_usd = entry.spend.cost.map(|cost| tracing::field::display(cost.exact()))
                },
                "call {}",
                entry.outcome.word()
            )
        };
    }
    match entry.outcome {
        Outcome::Completed => line!(debug),
        Outcome::Failed | Outcome::Broken | Outcome::Left => line!(info),
    }
}
