//! Cuts a diff into parts that fit into one question each: every changed hunk in exactly one of them, with its
//! surroundings, the numbers of its lines, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Missed;
use crate::redact::Known;
use crate::workflows::diff::{Change, lines};
use crate::workflows::{secrets, shares};

/// A longer line is data, or made by a program; its end is not sent.
const LONGEST_LINE: usize = 2000;

/// A part of a diff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// What is sent.
    pub text: String,
    /// The lines of new files that are in it, by file: a finding about any other line is invented.
    pub lines: BTreeMap<String, BTreeSet<usize>>,
}

/// A diff in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunked {
    /// The parts, in the order of the diff.
    pub chunks: Vec<Chunk>,
    /// What is in none of them, and why.
    pub unsent: Vec<Missed>,
    /// Secrets that were masked.
    pub masked: usize,
}

impl Chunked {
    /// The parts of these changes, each of at most about `room` bytes. Files that `ignore` names are left out.
    pub fn new(known: &Known, changes: &[Change], room: usize, ignore: &[String]) -> Self {
        let mut all = Self::default();
        let mut open = Chunk::default();
        for change in changes {
            if let Some(why) = shares::why_silent(change, ignore) {
                all.leave_out(change, why);
                continue;
            }
            if change.hunks.is_empty() {
                all.leave_out(change, "no line of it changed");
                continue;
            }
            if change.cut {
                all.leave_out(change, "not read to its end, since the diff is too long");
            }
            let (clean, masked) = secrets::cleaned(known, &change.hunks);
            all.masked += masked;
            let name = known.clean_str(&change.name()).into_owned();
            for hunk in hunks(&clean, room) {
                if !open.text.is_empty() && open.text.len() + hunk.text.len() > room {
                    all.chunks.push(std::mem::take(&mut open));
                }
                let _ = write!(open.text, "=== {name}\n{}", hunk.text);
                open.lines.entry(name.clone()).or_default().extend(hunk.lines);
            }
        }
        all.chunks.extend(Some(open).filter(|open| !open.text.is_empty()));
        all
    }

    fn leave_out(&mut self, change: &Change, why: &str) {
        let name = change.name();
        match self.unsent.iter_mut().find(|missed| missed.why == why) {
            Some(missed) => missed.files.push(name),
            None => self.unsent.push(Missed { files: vec![name], why: why.to_owned() }),
        }
    }
}

#[derive(Default)]
struct Hunk {
    text: String,
    lines: Vec<usize>,
}

/// Hunks with numbered lines; one that is longer than the room is divided.
fn hunks(clean: &[u8], room: usize) -> Vec<Hunk> {
    let mut all: Vec<Hunk> = Vec::new();
    for line in lines(clean) {
        let begins = line.mark == b'@' || all.last().is_none_or(|hunk| hunk.text.len() >= room);
        if begins {
            all.push(Hunk::default());
        }
        let Some(hunk) = all.last_mut() else { continue };
        let text = String::from_utf8_lossy(line.text);
        let text = text.trim_end_matches(['\n', '\r']);
        let cut = text.char_indices().nth(LONGEST_LINE).map(|(end, _)| end);
        let shown = &text[..cut.unwrap_or(text.len())];
        let end = if cut.is_some() { " [line cut]" } else { "" };
        let _ = match line.mark {
            b'@' => writeln!(hunk.text, "@{shown}{end}"),
            b'+' | b' ' => writeln!(hunk.text, "{:>6} {} {shown}{end}", line.number, char::from(line.mark)),
            mark => writeln!(hunk.text, "       {} {shown}{end}", char::from(mark)),
        };
        hunk.lines.extend(Some(line.number).filter(|number| *number > 0));
    }
    all.retain(|hunk| !hunk.lines.is_empty() || hunk.text.lines().any(|line| line.starts_with("       -")));
    all
}
