//! Writes the answer of a dialectic: takes the report out, notes how it ended and what was spent, and leaves the form to
//! the client's dialect.

use bytes::Bytes;
use serde_json::Value;

use super::dialect::{Dialect, End, Spent};
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
    spent: Spent,
}

impl Scribe {
    /// With `report` the answer comes with one.
    pub(super) fn new(dialect: Box<dyn Dialect>, report: bool) -> Self {
        Self { dialect, sieve: report.then(Sieve::default), finish: None, own: None, spent: Spent::default() }
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
        self.spent.add(usage);
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
        (out, End { finish, own: self.own.take(), spent: self.spent, about })
    }
}
