//! The text format that Prometheus reads (version 0.0.4): families with their help and type, samples with their labels.

use std::fmt::Write;

use super::histogram::{BOUNDS, Histogram};
use crate::kit::Money;

/// The `content-type` of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page under way.
#[derive(Default)]
pub struct Page {
    text: String,
    /// The family whose samples are being written.
    family: &'static str,
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

/// A label's name and value.
pub type Label<'a> = (&'static str, &'a str);

impl Page {
    /// Begins a family; all its samples follow.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        self
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: u64) {
        self.family(name, kind, help).whole(&[], value);
    }

    /// A sample that is a whole number.
    pub fn whole(&mut self, labels: &[Label<'_>], value: u64) {
        let name = self.family;
        self.sample(name, "", labels, None, value);
    }

    /// A sample that is an amount in USD, with every digit.
    pub fn usd(&mut self, labels: &[Label<'_>], amount: Money) {
        let name = self.family;
        self.sample(name, "", labels, None, amount.exact());
    }

    /// A sample in seconds.
    pub fn seconds(&mut self, labels: &[Label<'_>], micros: u64) {
        let name = self.family;
        self.sample(name, "", labels, None, seconds(micros));
    }

    /// The samples of a histogram; one in which nothing was counted is left out.
    pub(super) fn histogram(&mut self, labels: &[Label<'_>], histogram: &Histogram) {
        let (counts, sum) = histogram.read();
        let mut below = 0;
        if counts.iter().all(|count| *count == 0) {
            return;
        }
        let name = self.family;
        for (bound, count) in BOUNDS.iter().zip(counts) {
            below += count;
            self.sample(name, "_bucket", labels, Some(&seconds(*bound)), below);
        }
        below += counts[BOUNDS.len()];
        self.sample(name, "_bucket", labels, Some("+Inf"), below);
        self.sample(name, "_sum", labels, None, seconds(sum));
        self.sample(name, "_count", labels, None, below);
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.text
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[Label<'_>],
        bound: Option<&str>,
        value: impl std::fmt::Display,
    ) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        for (at, (name, value)) in labels.iter().copied().chain(bound).enumerate() {
            self.text.push_str(if at == 0 { "{" } else { "," });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        if !labels.is_empty() || bound.is_some() {
            self.text.push('}');
        }
        self.line(format_args!(" {value}"));
    }

    fn line(&mut self, words: std::fmt::Arguments<'_>) {
        // writing into a text cannot fail
        let _ = writeln!(self.text, "{words}");
    }
}

fn escape(value: &str, to: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '"' => to.push_str("\\\""),
            '\n' => to.push_str("\\n"),
            c => to.push(c),
        }
    }
}

/// Microseconds as decimal seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
