//! Reads a diff with a model: in parts, several at once, within a budget, and tells what is wrong with it.

mod ask;
mod chunk;
mod finding;
mod patch;
mod report;
mod sarif;
mod scope;

pub use ask::Reviewer;
pub use chunk::{Chunk, Chunked};
pub use finding::{Finding, Severity, Sifted, sift};
pub use patch::Patcher;
pub use report::markdown;
pub use sarif::sarif;
pub use scope::{Asked, Range, ScopeError};

use serde::Serialize;

/// What came of a review.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Review {
    /// What was reviewed, in words.
    pub of: String,
    /// The model that read it.
    pub model: String,
    /// Why this one.
    pub why: String,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// How many parts the diff had, and how many of them were read.
    pub parts: usize,
    /// Of these, how many were read.
    pub read: usize,
    /// Parts that nobody read, by their files, and why not.
    pub failed: Vec<Missed>,
    /// Files that were not sent, and why not.
    pub unsent: Vec<Missed>,
    /// Findings that said the same as another one.
    pub duplicates: usize,
    /// Findings about lines that are not in the diff.
    pub invented: usize,
    /// Findings that could not be read.
    pub malformed: usize,
    /// Suggested patches that do not apply, and were left out.
    pub unfit: usize,
    /// Secrets that were masked before anything was sent.
    pub masked: usize,
    /// USD as a decimal string, as far as it is known.
    pub cost_usd: Option<String>,
    /// Whether a part cost more than that, and nobody knows how much.
    pub cost_partial: bool,
}

/// What was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The files.
    pub files: Vec<String>,
    /// Why, in words.
    pub why: String,
}

impl Review {
    /// Whether anything is as bad as this or worse.
    pub fn has(&self, least: Severity) -> bool {
        self.findings.iter().any(|finding| finding.severity >= least)
    }
}
