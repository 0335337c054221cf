//! Turns what should stand in the place of some lines into a patch, and asks git whether it applies.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Finding, Range};
use crate::workflows::diff::Change;
use crate::workflows::git::Git;

/// Lines around a change, as git wants them.
const CONTEXT: usize = 3;
/// What was masked cannot be put back by a patch.
const MASK: &str = "[redacted]";

/// Makes patches for the files of one review.
pub struct Patcher<'a> {
    git: &'a Git,
    range: &'a Range,
    changes: HashMap<String, &'a Change>,
    /// The new sides that were read.
    sides: HashMap<String, Option<String>>,
}

impl<'a> Patcher<'a> {
    /// For these changes.
    pub fn new(git: &'a Git, range: &'a Range, changes: &'a [Change]) -> Self {
        let changes = changes.iter().map(|change| (change.name(), change)).collect();
        Self { git, range, changes, sides: HashMap::new() }
    }

    /// Gives a finding its patch; `false` where the model suggested something that cannot be one.
    pub async fn fit(&mut self, finding: &mut Finding) -> bool {
        let Some(replacement) = finding.replacement.clone() else { return true };
        let patch = match self.side(&finding.file).await {
            Some(side) => patch(finding, &replacement, side),
            None => None,
        };
        match patch {
            Some(patch) if self.applies(&patch).await => {
                finding.patch = Some(patch);
                true
            }
            _ => false,
        }
    }

    async fn side(&mut self, file: &str) -> Option<&str> {
        if !self.sides.contains_key(file) {
            let side = match self.changes.get(file) {
                Some(change) => self.range.new_side(self.git, change).await,
                None => None,
            };
            self.sides.insert(file.to_owned(), side.and_then(|side| String::from_utf8(side).ok()));
        }
        self.sides.get(file).and_then(Option::as_deref)
    }

    async fn applies(&self, patch: &str) -> bool {
        // paths in a patch count from the top of the tree
        let Ok(top) = self.git.line(["rev-parse", "--show-toplevel"]).await else { return false };
        let top = Git::at(&crate::workflows::git::path_of(top));
        let index = self.range.is_index().then_some("--cached");
        top.fed(["apply", "--check"].into_iter().chain(index), patch.as_bytes()).await.is_ok()
    }
}

/// The patch that puts `replacement` in the place of a finding's lines; `None` where it changes nothing, or where it is
/// made of what was masked.
fn patch(finding: &Finding, replacement: &str, side: &str) -> Option<String> {
    let lines: Vec<&str> = side.split_inclusive('\n').collect();
    let (first, last) = (finding.line.checked_sub(1)?, finding.end_line);
    let old = lines.get(first..last)?;
    let new: Vec<&str> = replacement.strip_suffix('\n').unwrap_or(replacement).split('\n').collect();
    let new = if replacement.is_empty() { Vec::new() } else { new };
    // a model does not see how the lines of a file end, so that stays as it is
    let end = if old.iter().all(|line| line.ends_with("\r\n")) { "\r" } else { "" };
    let new: Vec<String> = new.iter().map(|line| format!("{}{end}", line.trim_end_matches('\r'))).collect();
    let same = old.iter().map(|line| line.trim_end_matches('\n')).eq(new.iter().map(String::as_str));
    if same || replacement.contains(MASK) || finding.file.contains(['\n', '"', '\\']) {
        return None;
    }
    let (before, after) = (first.saturating_sub(CONTEXT), (last + CONTEXT).min(lines.len()));
    let (context, count) = (first - before + (after - last), old.len());
    let mut text = format!("--- a/{0}\n+++ b/{0}\n", finding.file);
    let start = |count: usize| if count == 0 { before } else { before + 1 };
    let (went, came) = (context + count, context + new.len());
    let _ = writeln!(text, "@@ -{},{went} +{},{came} @@", start(went), start(came));
    let mut put = |mark: char, line: &str, ended: bool| {
        let _ = write!(
            text,
            "{mark}{}\n{}",
            line.trim_end_matches('\n'),
            if ended { "" } else { "\\ No newline at end of file\n" }
        );
    };
    lines[before..first].iter().for_each(|line| put(' ', line, true));
    old.iter().for_each(|line| put('-', line, line.ends_with('\n')));
    // the last line of a file keeps the end that it had
    let ended = lines.last().is_some_and(|line| line.ends_with('\n')) || after > last;
    for (at, line) in new.iter().enumerate() {
        put('+', line, ended || at + 1 < new.len());
    }
    lines[last..after].iter().for_each(|line| put(' ', line, line.ends_with('\n')));
    Some(text)
}
