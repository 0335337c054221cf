//! What changed: the files of a diff as git names them, each with its hunks.

use super::git::{Git, GitError};

/// Which difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What the next commit will hold.
    Staged,
    /// What it will hold with `--all`: every change of a file that git knows.
    Tracked,
}

/// One changed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `A`dded, `D`eleted, `M`odified, `R`enamed, `T`ype changed.
    pub status: char,
    /// Its path, as bytes: names need not be UTF-8.
    pub path: Vec<u8>,
    /// Its path before it was renamed.
    pub from: Option<Vec<u8>>,
    /// Its mode before and after: `100644`; `000000` where there is no file.
    pub modes: (String, String),
    /// Its hunks, from the first `@@` on.
    pub hunks: Vec<u8>,
    /// Whether git calls it binary.
    pub binary: bool,
    /// Whether its hunks were not read to their end, since the diff is too long.
    pub cut: bool,
}

/// One line of hunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// `+`, `-`, a space, `@` for a hunk's head, `\` for git's own remark.
    pub mark: u8,
    /// What follows the mark, with its line end.
    pub text: &'a [u8],
    /// Its number in the new file; 0 where it is not in there.
    pub number: usize,
}

/// Every changed file in git's order. Of the whole diff at most `most` bytes are read.
pub async fn changes(git: &Git, scope: Scope, most: usize) -> Result<Vec<Change>, GitError> {
    read(git, &against(git, scope).await?, 3, most).await
}

/// Every changed file between what these arguments of `git diff` name, with so many lines around each change.
pub async fn read(git: &Git, against: &[String], context: usize, most: usize) -> Result<Vec<Change>, GitError> {
    let common = ["--no-ext-diff", "--no-textconv", "--no-relative", "--find-renames", "--submodule=short"];
    let raw = ["diff", "--raw", "-z", "--abbrev=7"].into_iter().chain(common).chain(against.iter().map(String::as_str));
    let raw = git.output(raw).await;
    if raw.is_err() {
        // outside of a repository git takes a diff for one of two files, and its words mislead
        git.line(["rev-parse", "--git-dir"]).await?;
    }
    let mut changes = files(&raw?);
    let around = format!("--unified={context}");
    let form = [around.as_str(), "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/"];
    let patch = ["diff", "--patch"].into_iter().chain(common).chain(form).chain(against.iter().map(String::as_str));
    let (patch, more) = git.head(patch, most).await?;
    fill(&mut changes, &patch, more);
    Ok(changes)
}

async fn against(git: &Git, scope: Scope) -> Result<Vec<String>, GitError> {
    match scope {
        Scope::Staged => Ok(vec!["--cached".to_owned()]),
        Scope::Tracked if git.output(["rev-parse", "--verify", "--quiet", "HEAD"]).await.is_ok() => {
            Ok(vec!["HEAD".to_owned()])
        }
        // before the first commit there is only the empty tree
        Scope::Tracked => {
            let tree = git.line(["hash-object", "-t", "tree", "--stdin"]).await?;
            Ok(vec![String::from_utf8_lossy(&tree).into_owned()])
        }
    }
}

/// Reads `--raw -z`.
fn files(raw: &[u8]) -> Vec<Change> {
    let mut parts = raw.split(|byte| *byte == 0);
    let mut changes = Vec::new();
    while let Some(head) = parts.next().filter(|head| head.starts_with(b":")) {
        let head = String::from_utf8_lossy(&head[1..]).into_owned();
        let mut words = head.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let modes = (word(), word());
        let (_, _, status) = (word(), word(), word());
        let status = status.chars().next().unwrap_or('M');
        let mut path = || parts.next().map(<[u8]>::to_vec);
        let from = if matches!(status, 'R' | 'C') { path() } else { None };
        let path = path().unwrap_or_default();
        changes.push(Change { status, path, from, modes, ..Change::default() });
    }
    changes
}

/// Gives each file its part of the patch. Only heads of files begin with `diff --git`: all other lines have a mark.
fn fill(changes: &mut [Change], patch: &[u8], more: bool) {
    const HEAD: &[u8] = b"diff --git ";
    let mut starts: Vec<usize> = Vec::new();
    if patch.starts_with(HEAD) {
        starts.push(0);
    }
    starts.extend(memchr::memmem::find_iter(patch, b"\ndiff --git ").map(|at| at + 1));
    let ends = starts.iter().skip(1).copied().chain([patch.len()]);
    let mut parts = starts.iter().zip(ends).map(|(start, end)| &patch[*start..end]).peekable();
    for change in changes {
        let Some(part) = parts.next() else {
            change.cut = more;
            continue;
        };
        section(change, part);
        // what became another type of file is told as one that went and one that came
        if change.status == 'T'
            && let Some(second) = parts.next()
        {
            section(change, second);
        }
        change.cut = more && parts.peek().is_none();
    }
}

fn section(change: &mut Change, part: &[u8]) {
    let hunks = if part.starts_with(b"@@") { Some(0) } else { memchr::memmem::find(part, b"\n@@ ").map(|at| at + 1) };
    let head = &part[..hunks.unwrap_or(part.len())];
    change.binary |= memchr::memmem::find(head, b"\nBinary files ").is_some();
    if let Some(hunks) = hunks {
        change.hunks.extend_from_slice(&part[hunks..]);
    }
}

impl Change {
    /// Its path for people; bytes that are no text are shown as such.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    /// How many lines came and went, as far as they were read.
    pub fn counts(&self) -> (usize, usize) {
        lines(&self.hunks).fold((0, 0), |(came, went), line| match line.mark {
            b'+' => (came + 1, went),
            b'-' => (came, went + 1),
            _ => (came, went),
        })
    }

    /// Whether only the permission to run it changed.
    pub fn only_mode(&self) -> bool {
        self.status == 'M' && self.hunks.is_empty() && !self.binary && self.modes.0 != self.modes.1
    }
}

/// The lines of hunks.
pub fn lines(hunks: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut next = 0;
    hunks.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let (mark, text) = line.split_first().map_or((b' ', line), |(mark, text)| (*mark, text));
        let number = match mark {
            b'@' => {
                next = new_start(line).unwrap_or(next);
                0
            }
            b'+' | b' ' => {
                next += 1;
                next - 1
            }
            _ => 0,
        };
        Line { mark, text, number }
    })
}

/// The first line of the new file in a hunk: `@@ -1,2 +3,4 @@`.
fn new_start(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head.get(..64.min(head.len()))?).ok().or_else(|| {
        let end = head.iter().position(|byte| !byte.is_ascii())?;
        std::str::from_utf8(&head[..end]).ok()
    })?;
    let plus = head.split(' ').find_map(|word| word.strip_prefix('+'))?;
    plus.split(',').next()?.parse().ok()
}
