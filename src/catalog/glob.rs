//! A pattern with `*` and `?` in a file, compiled when the file is read and written as it was.

use std::fmt;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

/// A pattern over a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Glob(WildMatch);

impl Glob {
    /// Whether a name fits it.
    pub fn fits(&self, name: &str) -> bool {
        self.0.matches(name)
    }
}

impl From<String> for Glob {
    fn from(text: String) -> Self {
        Self(WildMatch::new(&text))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.0.pattern()
    }
}
