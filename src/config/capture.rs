//! `[capture]`: whose prompts and answers are kept, how much of them, and for how long.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::forms::Size;
use crate::catalog::Wait;

/// What of calls is kept besides their entries in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Which calls.
    pub mode: CaptureMode,
    /// Of a longer body only its beginning is kept.
    pub max_body: usize,
    /// What is older is deleted.
    pub keep: Duration,
    /// When all together is larger, in bytes, the oldest is deleted.
    pub max_size: u64,
    /// Only these calls.
    pub include: CallGlobs,
    /// And none of these.
    pub exclude: CallGlobs,
}

/// Which calls are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptureMode {
    /// None.
    #[default]
    Off,
    /// Those that do not complete; of the others nothing ever reaches the disk.
    Failed,
    /// All.
    All,
}

/// Calls by what they have in common: globs with `*` and `?`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallGlobs {
    models: Vec<WildMatch>,
    clients: Vec<WildMatch>,
    providers: Vec<WildMatch>,
    paths: Vec<WildMatch>,
}

impl Capture {
    /// Whether a call of this client to this path may be one that is kept, as far as that is known when it arrives.
    pub fn may_keep(&self, client: &str, path: &str) -> bool {
        let (only, never) = (&self.include, &self.exclude);
        self.mode != CaptureMode::Off
            && fits(&only.clients, client)
            && fits(&only.paths, path)
            && !any(&never.clients, client)
            && !any(&never.paths, path)
    }

    /// Whether a call that may be kept is one by its model and provider, which are known once it is over.
    pub fn keeps(&self, asked: &str, provider: &str, model: &str) -> bool {
        let full = format!("{provider}/{model}");
        let (only, never) = (&self.include, &self.exclude);
        (fits(&only.models, asked) || fits(&only.models, &full))
            && fits(&only.providers, provider)
            && !any(&never.models, asked)
            && !any(&never.models, &full)
            && !any(&never.providers, provider)
    }
}

fn any(globs: &[WildMatch], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

fn fits(globs: &[WildMatch], text: &str) -> bool {
    globs.is_empty() || any(globs, text)
}

/// Whose prompts and answers are kept. Always without secrets, and sealed with the vault's key: without a vault, and
/// while it is locked, nothing is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CaptureEntry {
    /// `off`, `failed` (only calls that do not complete) or `all`.
    pub mode: CaptureMode,
    /// Of a longer body only its beginning is kept, and the call cannot be replayed.
    pub max_body: Size,
    /// What is older is deleted.
    pub keep: Wait,
    /// When all together is larger, the oldest is deleted.
    pub max_size: Size,
    /// Only these calls, as globs; all where nothing is named.
    pub include: CallsEntry,
    /// And none of these, as globs.
    pub exclude: CallsEntry,
}

/// Calls by what they have in common, as globs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CallsEntry {
    /// Models as the client names them, or `provider/model`.
    pub models: Vec<String>,
    /// Names of client keys; `local` is the owner of the socket.
    pub clients: Vec<String>,
    /// Ids of providers.
    pub providers: Vec<String>,
    /// Paths below `/v1/`: `chat/completions`.
    pub paths: Vec<String>,
}

impl Default for CaptureEntry {
    fn default() -> Self {
        Self {
            mode: CaptureMode::Off,
            max_body: Size(8 << 20),
            keep: Wait(Duration::from_secs(24 * 3600)),
            max_size: Size(100_000_000),
            include: CallsEntry::default(),
            exclude: CallsEntry::default(),
        }
    }
}

impl From<CaptureEntry> for Capture {
    fn from(entry: CaptureEntry) -> Self {
        Self {
            mode: entry.mode,
            max_body: usize::try_from(entry.max_body.0).unwrap_or(usize::MAX),
            keep: entry.keep.0,
            max_size: entry.max_size.0,
            include: entry.include.into(),
            exclude: entry.exclude.into(),
        }
    }
}

impl From<CallsEntry> for CallGlobs {
    fn from(entry: CallsEntry) -> Self {
        let globs = |texts: Vec<String>| texts.iter().map(|text| WildMatch::new(text)).collect();
        Self {
            models: globs(entry.models),
            clients: globs(entry.clients),
            providers: globs(entry.providers),
            paths: globs(entry.paths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(text: &str) -> Capture {
        toml::from_str::<CaptureEntry>(text).expect("TOML").into()
    }

    #[test]
    fn by_default_nothing_is_kept() {
        assert!(!capture("").may_keep("laptop", "chat/completions"));
    }

    #[test]
    fn a_call_is_kept_when_each_list_that_names_something_names_it_and_none_excludes_it() {
        let text = "mode = 'all'\ninclude = { models = ['fast', 'lab/*'], paths = ['chat/*'] }\n\
                    exclude = { clients = ['private-*'], providers = ['sim'] }";
        let capture = capture(text);
        assert!(capture.may_keep("laptop", "chat/completions"));
        assert!(!capture.may_keep("laptop", "embeddings"));
        assert!(!capture.may_keep("private-notes", "chat/completions"));
        assert!(capture.keeps("fast", "other", "m") && capture.keeps("m", "lab", "m"));
        assert!(!capture.keeps("m", "other", "m"));
        assert!(!capture.keeps("fast", "sim", "echo"));
    }
}
