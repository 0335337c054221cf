//! Writes the answer of a dialectic: takes the report out, notes how it ended and what was spent, and leaves the form to
//! the client's dialect.

use bytes::Bytes;
use serde_json::Value;

use super::dialect::{Dialect, End};
use super::minutes::Entry;
use super::report::Sieve;
use crate::kit::{Fault, Usage};

/// Writes one answer.
pub(super) struct Scribe {
    dialect: Box<dyn Dialect>,
    sieve: Option<Sieve>,
    finish: Option<String>,
    /// As the synthesis reported it.
    own: Option<Value>,
    /// The same, read.
    judged: Option<Usage>,
    /// Whether a model has begun the synthesis.
    judging: bool,
    spent: Usage,
}

impl Scribe {
    /// With `report` the answer comes with one.
    pub(super) fn new(dialect: Box<dyn Dialect>, report: bool) -> Self {
        let (sieve, spent) = (report.then(Sieve::default), Usage::default());
        Self { dialect, sieve, finish: None, own: None, judged: None, judging: false, spent }
    }

    /// A stretch of the minutes.
    pub(super) fn minutes(&mut self, entry: &Entry) -> Vec<Bytes> {
        self.dialect.minutes(entry)
    }

    /// What keeps the client waiting.
    pub(super) fn wait(&mut self) -> Vec<Bytes> {
        self.dialect.wait()
    }

    /// Notes what one call of the dialectic took.
    pub(super) fn spend(&mut self, usage: &Usage) {
        self.spent = self.spent.plus(usage);
        self.judged = self.judging.then_some(*usage);
    }

    /// A model begins the synthesis; what one before it took is no length of this answer.
    pub(super) fn judging(&mut self) {
        (self.judging, self.judged, self.own, self.finish) = (true, None, None, None);
    }

    /// A chunk of the synthesis.
    pub(super) fn answer(&mut self, chunk: &Value) -> Vec<Bytes> {
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            self.own = Some(usage.clone());
        }
        let choice = &chunk["choices"][0];
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
        let mut delta = choice["delta"].as_object().cloned().unwrap_or_default();
        delta.remove("role");
        // some providers have another name for it, and some send both
        if let Some(thought) = delta.remove("reasoning").filter(Value::is_string)
            && delta.get("reasoning_content").is_none_or(Value::is_null)
        {
            delta.insert("reasoning_content".to_owned(), thought);
        }
        if let (Some(sieve), Some(text)) = (&mut self.sieve, delta.get("content").and_then(Value::as_str)) {
            let text = sieve.pass(text);
            delta.insert("content".to_owned(), text.into());
        }
        delta.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
        if delta.is_empty() { Vec::new() } else { self.dialect.add(delta) }
    }

    /// The last frames of an answer that is whole.
    pub(super) fn close(&mut self, about: Value, legs: &[&str]) -> Vec<Bytes> {
        let (mut out, end) = self.end(about, legs);
        out.extend(self.dialect.close(end));
        out
    }

    /// The frames that tell of a failure after the first byte.
    pub(super) fn fail(&mut self, fault: &Fault) -> Vec<Bytes> {
        self.dialect.fail(fault)
    }

    /// The whole answer.
    pub(super) fn whole(&mut self, about: Value, legs: &[&str]) -> Bytes {
        let (_, end) = self.end(about, legs);
        self.dialect.whole(end)
    }

    /// What was kept back and is no report after all, and how the answer ended.
    fn end(&mut self, mut about: Value, legs: &[&str]) -> (Vec<Bytes>, End) {
        let mut out = Vec::new();
        if let Some(sieve) = &mut self.sieve {
            let rest = sieve.rest();
            about["report"] = sieve.report(legs);
            if !rest.is_empty() {
                out = self.dialect.add([("content".to_owned(), rest.into())].into_iter().collect());
            }
        }
        let finish = self.finish.take().unwrap_or_else(|| "stop".to_owned());
        (out, End { finish, own: self.own.take(), judged: self.judged, spent: self.spent, about })
    }
}
