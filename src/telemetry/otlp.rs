//! Sends what calls were told to a collector: a task of its own, in batches, after a reload to another one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::Telemetry;
use super::collector::{Collector, Sent};
use super::genai;
use super::proto::{
    ExportTraceServiceRequest, InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans, Span,
};
use super::told::Ended;
use crate::config::{Live, Otlp};
use crate::vault::Source;

/// Between two looks at the settings while there is nothing to send.
const LOOK: Duration = Duration::from_secs(1);
/// The longest rest after a refusal.
const LONGEST: Duration = Duration::from_secs(30);

/// The task that sends.
pub struct Exporter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Begins to send where the settings name a collector, now or after a reload. Needs a tokio runtime.
    pub fn start(telemetry: Arc<Telemetry>, settings: Live, source: Arc<Source>) -> Self {
        telemetry.outbox.open(settings.now().otlp.is_some());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            if let Some(queue) = telemetry.outbox.other_side() {
                let belt = Belt { telemetry, settings, source, queue, collector: None, told: false };
                belt.run(stopped).await;
            }
        });
        Self { stop, task }
    }

    /// Sends what is queued, and ends; after `grace` in any case.
    pub async fn stop(mut self, grace: Duration) {
        // a task that has ended hears nothing
        let _ = self.stop.send(());
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

struct Belt {
    telemetry: Arc<Telemetry>,
    settings: Live,
    source: Arc<Source>,
    queue: mpsc::Receiver<Ended>,
    collector: Option<Collector>,
    /// Whether the log knows that the collector takes nothing.
    told: bool,
}

impl Belt {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        let mut rest = Duration::ZERO;
        let mut last = false;
        while !last {
            let otlp = self.settings.now().otlp.clone();
            self.telemetry.outbox.open(otlp.is_some());
            let (most, every) = otlp.as_ref().map_or((1, LOOK), |otlp| (otlp.batch, otlp.every));
            // after a refusal the batch is full or not: it is tried again when it has rested
            let until = Instant::now() + every.max(rest);
            tokio::select! {
                _ = &mut stopped => last = true,
                () = fill(&mut self.queue, &mut batch, most, until, rest) => {}
            }
            let Some(otlp) = otlp else {
                self.telemetry.outbox.dropped(batch.drain(..).len() as u64);
                continue;
            };
            let sent = self.empty(&otlp, &mut batch, last).await;
            rest = if sent { Duration::ZERO } else { (rest * 2).clamp(LOOK, LONGEST) };
        }
        self.telemetry.outbox.dropped(batch.len() as u64);
    }

    /// Sends the batch; at the end all that is queued. `false` where it must be tried again.
    async fn empty(&mut self, otlp: &Arc<Otlp>, batch: &mut Vec<Ended>, last: bool) -> bool {
        loop {
            while last && batch.len() < otlp.batch {
                let Ok(ended) = self.queue.try_recv() else { break };
                batch.push(ended);
            }
            if batch.is_empty() {
                return true;
            }
            if !self.send(otlp, batch).await {
                return false;
            }
            batch.clear();
            if !last {
                return true;
            }
        }
    }

    async fn send(&mut self, otlp: &Arc<Otlp>, batch: &[Ended]) -> bool {
        let settings = self.settings.now();
        let spans: Vec<Span> = batch.iter().flat_map(|ended| genai::spans(ended, &settings)).collect();
        let count = spans.len() as u64;
        let sent = match self.collector(otlp) {
            Ok(collector) => collector.0.send(request(spans), collector.1).await,
            Err(words) => Sent::Never(words),
        };
        let outbox = &self.telemetry.outbox;
        let (done, words) = match sent {
            Sent::Taken(rejected) => {
                outbox.sent(count.saturating_sub(rejected));
                outbox.dropped(rejected);
                self.told = false;
                return true;
            }
            Sent::Later(words) => (false, words),
            Sent::Never(words) => {
                outbox.dropped(count);
                (true, words)
            }
        };
        if !self.told {
            self.told = true;
            tracing::warn!("the collector at {} takes no spans: {words}", otlp.endpoint);
        }
        done
    }

    fn collector(&mut self, otlp: &Arc<Otlp>) -> Result<(&mut Collector, &Source), String> {
        if !self.collector.as_ref().is_some_and(|collector| collector.is_of(otlp)) {
            self.collector = None;
        }
        let collector = match self.collector.take() {
            Some(collector) => collector,
            None => Collector::new(otlp)?,
        };
        Ok((self.collector.insert(collector), &self.source))
    }
}

/// Gathers calls until there are `most` of them, or until then; after a refusal at least for the rest.
async fn fill(queue: &mut mpsc::Receiver<Ended>, batch: &mut Vec<Ended>, most: usize, until: Instant, rest: Duration) {
    while batch.len() < most {
        match timeout_at(until, queue.recv()).await {
            Ok(Some(ended)) => batch.push(ended),
            Ok(None) | Err(_) => return,
        }
    }
    if !rest.is_zero() {
        tokio::time::sleep_until(until).await;
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let attributes = vec![KeyValue::new("service.name", "keywheel"), KeyValue::new("service.version", version)];
    let scope = InstrumentationScope { name: genai::SCOPE.to_owned(), version: version.to_owned() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    let resource = Some(Resource { attributes });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] }
}
