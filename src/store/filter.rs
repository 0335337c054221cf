//! Which entries are asked for.

use std::ops::RangeInclusive;

use super::{Entry, Outcome};
use crate::kit::{CallId, Time};

/// A span of time: from a moment on, up to another and without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From this moment on; `None` is the beginning.
    pub since: Option<Time>,
    /// Up to this moment; `None` is now.
    pub until: Option<Time>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At most this many; 0 means 100.
    pub limit: usize,
    /// Only of this time.
    pub span: Span,
    /// Only of this client.
    pub client: Option<String>,
    /// Only of this provider.
    pub provider: Option<String>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this project.
    pub project: Option<String>,
    /// Only of this model: as the client named it, as the provider was asked for it, or `provider/model`.
    pub model: Option<String>,
    /// Only with a status in this range.
    pub status: Option<RangeInclusive<u16>>,
    /// Only those that did not complete.
    pub failed: bool,
    /// Only those that this call made.
    pub parent: Option<CallId>,
}

impl Span {
    /// From this moment on.
    pub const fn since(since: Option<Time>) -> Self {
        Self { since, until: None }
    }

    /// Whether a moment is in it.
    pub fn has(&self, at: Time) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

impl Filter {
    /// At most how many entries, the default filled in.
    pub const fn limit(&self) -> usize {
        if self.limit == 0 { 100 } else { self.limit }
    }

    /// Whether an entry is asked for.
    pub fn passes(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted))
        };
        self.span.has(entry.at)
            && same(&self.client, Some(&entry.client))
            && same(&self.provider, entry.provider.as_ref())
            && same(&self.account, entry.account.as_ref())
            && same(&self.project, entry.context.project.as_ref())
            && self.model.as_ref().is_none_or(|model| is_of(entry, model))
            && self.status.as_ref().is_none_or(|range| range.contains(&entry.status))
            && self.parent.is_none_or(|parent| entry.context.parent_id == Some(parent))
            && !(self.failed && entry.outcome == Outcome::Completed)
    }
}

fn is_of(entry: &Entry, model: &str) -> bool {
    let named = |(provider, rest): (&str, &str)| {
        entry.provider.as_deref() == Some(provider) && entry.model.as_deref() == Some(rest)
    };
    entry.asked == model || entry.model.as_deref() == Some(model) || model.split_once('/').is_some_and(named)
}
