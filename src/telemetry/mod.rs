//! What is told of calls: counters for whoever scrapes `/metrics`, spans for a collector, a line in the log.
//!
//! A call pays for a few atomics, and for a copy of its entry where a collector is named; all else is done by the task
//! that sends (`otlp`) and by the page that is asked for (`page`).

mod collector;
pub mod exposition;
mod genai;
mod histogram;
mod line;
pub mod meters;
pub mod otlp;
mod outbox;
mod page;
mod proto;
mod shelf;
mod told;
mod trace;

pub use exposition::Page;
pub use histogram::Gaps;
pub use meters::{Meters, overhead};
pub use otlp::Exporter;
pub use outbox::Outbox;
pub use told::{Asked, Ended, Told};
pub use trace::{TRACEPARENT, Trace};

use crate::store::Entry;

/// What a gateway tells others of its calls.
#[derive(Default)]
pub struct Telemetry {
    /// The counters.
    pub meters: Meters,
    /// What waits to be sent to a collector.
    pub outbox: Outbox,
}

impl Telemetry {
    /// A call is over: it is counted, logged, and told to the collector where there is one.
    pub fn ended(&self, entry: &Entry, trace: Option<&Trace>, told: Option<Box<Told>>, gaps: &Gaps) {
        self.meters.count(entry, gaps);
        line::log(entry, told.as_ref().map(|told| &told.trace).or(trace));
        if let Some(told) = told {
            self.outbox.push(Ended { entry: entry.clone(), told: *told });
        }
    }

    /// Writes the counters, and how the telling itself goes.
    pub fn write(&self, page: &mut Page) {
        self.meters.write(page);
        let (sent, dropped) = self.outbox.counts();
        page.single("keywheel_otlp_spans_total", exposition::Kind::Counter, "Spans that the collector took.", sent);
        let help = "Calls and spans that the collector could not be told of.";
        page.single("keywheel_otlp_dropped_total", exposition::Kind::Counter, help, dropped);
    }
}
