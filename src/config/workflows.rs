//! What the settings say about `ask`, commit messages and reviews.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::Size;
use crate::catalog::Wait;

/// How `keywheel ask` asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AskRules {
    /// The model; when absent the best-ranked one at a moderate price that can be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What goes before every question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// How commit messages are written, and how staged files are searched for secrets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CommitEntry {
    /// The model; when absent the cheapest one that can be called and is good enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What a message looks like.
    pub style: CommitStyle,
    /// Instructions of your own in the place of the style's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// A message that takes longer is not waited for.
    pub timeout: Wait,
    /// The most bytes of a diff that are sent; files share them fairly.
    pub max_diff: Size,
    /// Lines at the end of a message that say who wrote it and what that cost; none unless named.
    pub trailers: Vec<Trailer>,
    /// Files that are only counted and not sent, as globs, besides those that are generated or binary.
    pub ignore: Vec<String>,
    /// Files that `hook run pre-commit` does not search for secrets, as globs.
    pub unsearched: Vec<String>,
    /// How long a review of what is staged may take before each commit; none unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Wait>,
}

/// How commit messages are written, and how staged files are searched for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRules {
    /// The model; `None` chooses one.
    pub model: Option<String>,
    /// What a message looks like.
    pub style: CommitStyle,
    /// Instructions in the place of the style's.
    pub prompt: Option<String>,
    /// A message that takes longer is not waited for.
    pub timeout: Duration,
    /// The most bytes of a diff that are sent.
    pub max_diff: usize,
    /// Lines at the end of a message.
    pub trailers: Vec<Trailer>,
    /// Files that are only counted, as globs.
    pub ignore: Vec<String>,
    /// Files that are not searched for secrets, as globs.
    pub unsearched: Vec<String>,
    /// How long a review before each commit may take; `None` is no review.
    pub review: Option<Duration>,
}

/// What a commit message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommitStyle {
    /// `type(scope): subject`, as conventionalcommits.org has it.
    #[default]
    Conventional,
    /// A subject and a body, as the last subjects of the branch look.
    Plain,
}

/// A line at the end of a commit message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Trailer {
    /// The model that wrote the message.
    #[serde(rename = "AI-Model")]
    Model,
    /// What the message cost, where that is known.
    #[serde(rename = "AI-Cost")]
    Cost,
}

/// How a diff is reviewed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReviewEntry {
    /// The model; when absent the one that reasons best of those that can be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many parts of the diff are read at once.
    #[schemars(range(min = 1, max = 64))]
    pub parallel: u32,
    /// A part that takes longer is not waited for.
    pub timeout: Wait,
    /// About how many bytes of diff one part has.
    pub part: Size,
    /// Of a longer diff the rest is not read, and the review says so.
    pub max_diff: Size,
    /// Files that are not read, as globs, besides those that are generated or binary.
    pub ignore: Vec<String>,
}

/// How a diff is reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRules {
    /// The model; `None` chooses one.
    pub model: Option<String>,
    /// How many parts of the diff are read at once.
    pub parallel: usize,
    /// A part that takes longer is not waited for.
    pub timeout: Duration,
    /// About how many bytes of diff one part has.
    pub part: usize,
    /// Of a longer diff the rest is not read.
    pub max_diff: usize,
    /// Files that are not read, as globs.
    pub ignore: Vec<String>,
}

impl Default for ReviewEntry {
    fn default() -> Self {
        Self {
            model: None,
            parallel: 4,
            timeout: Wait(Duration::from_secs(300)),
            part: Size(24 << 10),
            max_diff: Size(16 << 20),
            ignore: Vec::new(),
        }
    }
}

impl From<ReviewEntry> for ReviewRules {
    fn from(entry: ReviewEntry) -> Self {
        let size = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
        Self {
            model: entry.model,
            parallel: entry.parallel as usize,
            timeout: entry.timeout.0,
            part: size(entry.part),
            max_diff: size(entry.max_diff),
            ignore: entry.ignore,
        }
    }
}

impl Trailer {
    /// The word before the colon.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Model => "AI-Model",
            Self::Cost => "AI-Cost",
        }
    }
}

impl Default for CommitEntry {
    fn default() -> Self {
        Self {
            model: None,
            style: CommitStyle::default(),
            prompt: None,
            timeout: Wait(Duration::from_secs(20)),
            max_diff: Size(48 << 10),
            trailers: Vec::new(),
            ignore: Vec::new(),
            unsearched: Vec::new(),
            review: None,
        }
    }
}

impl From<CommitEntry> for CommitRules {
    fn from(entry: CommitEntry) -> Self {
        Self {
            model: entry.model,
            style: entry.style,
            prompt: entry.prompt,
            timeout: entry.timeout.0,
            max_diff: usize::try_from(entry.max_diff.0).unwrap_or(usize::MAX),
            trailers: entry.trailers,
            ignore: entry.ignore,
            unsearched: entry.unsearched,
            review: entry.review.map(|wait| wait.0),
        }
    }
}
