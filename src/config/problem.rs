//! Mistakes in settings, told so that a person finds and mends each of them at once.

use std::fmt;

/// One mistake. It never holds the value at fault: people paste keys into wrong places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, environment variable or flag; empty when no place is known.
    pub file: String,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// The key, dotted: `accounts[0].provider`; empty when the file as a whole is meant.
    pub key: String,
    /// Why, and what to do.
    pub message: String,
    /// The valid word that comes nearest.
    pub nearest: Option<String>,
}

impl Problem {
    /// A mistake somewhere in `file`.
    pub fn in_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, key: String::new(), message: message.into(), nearest: None }
    }

    /// The same with the word that was probably meant.
    #[must_use]
    pub fn meant(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }
}

/// `keywheel.toml:12: accounts[0].provder: unknown key; did you mean `provider`?`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.file.is_empty() {
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// Every mistake that was found, by file and line; shown one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Problems {
    /// These problems in reading order.
    pub fn sorted(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self(problems)
    }
}

/// The candidate that was probably meant by `word`, if any is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    let scored =
        candidates.into_iter().map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= 0.75).then(|| best.1.to_owned())
}
