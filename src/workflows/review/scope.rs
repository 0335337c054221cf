//! Which changes are reviewed, and where their new side can be read.

use crate::workflows::diff::{self, Change};
use crate::workflows::git::{Git, GitError};

/// Lines around a change, so that a reader sees what it is part of.
const CONTEXT: usize = 12;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What the next commit will hold.
    Staged,
    /// What this branch adds to the one it left.
    Branch,
    /// As `git diff` takes it: `main..HEAD`, `HEAD~3`.
    Range(String),
    /// What is not committed yet; where there is nothing, the branch.
    Anything,
}

/// What is reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// For people: `the staged changes`.
    pub words: String,
    /// The arguments of `git diff`.
    against: Vec<String>,
    /// Where the new side of a file is: a revision, the index (empty), or the working tree.
    side: Option<String>,
}

/// Why there is nothing to review.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// Git said no.
    #[error("{0}")]
    Git(#[from] GitError),
    /// No other branch is known.
    #[error("it is not known which branch this one left; name it: keywheel review main...HEAD")]
    NoBase,
    /// It begins like an option.
    #[error("{0:?} is no range of commits; write for example main..HEAD")]
    Option(String),
    /// No change at all.
    #[error("there is nothing to review: {0} hold no change")]
    Nothing(String),
}

impl Range {
    /// The changes that a person asks for; at most `most` bytes of diff.
    pub async fn changes(git: &Git, asked: &Asked, most: usize) -> Result<(Self, Vec<Change>), ScopeError> {
        let range = match asked {
            Asked::Staged => Self::staged(),
            Asked::Branch => Self::branch(git).await?,
            Asked::Range(range) if range.starts_with('-') => return Err(ScopeError::Option(range.clone())),
            Asked::Range(range) => Self::between(range),
            Asked::Anything => {
                let tracked = Self::tracked();
                let changes = diff::read(git, &tracked.against, CONTEXT, most).await.unwrap_or_default();
                if !changes.is_empty() {
                    return Ok((tracked, changes));
                }
                Self::branch(git).await?
            }
        };
        let changes = diff::read(git, &range.against, CONTEXT, most).await?;
        if changes.is_empty() { Err(ScopeError::Nothing(range.words)) } else { Ok((range, changes)) }
    }

    fn staged() -> Self {
        Self { words: "the staged changes".to_owned(), against: vec!["--cached".to_owned()], side: Some(String::new()) }
    }

    fn tracked() -> Self {
        Self { words: "the changes that are not committed".to_owned(), against: vec!["HEAD".to_owned()], side: None }
    }

    fn between(range: &str) -> Self {
        // a single commit is compared with the working tree
        let end = range.rsplit_once("..").map(|(_, end)| if end.is_empty() { "HEAD" } else { end });
        Self {
            words: format!("the changes of {range}"),
            against: vec![range.to_owned(), "--".to_owned()],
            side: end.map(str::to_owned),
        }
    }

    async fn branch(git: &Git) -> Result<Self, ScopeError> {
        let exists = async |name: &str| git.line(["rev-parse", "--verify", "--quiet", name]).await.is_ok();
        for base in ["origin/HEAD", "origin/main", "origin/master", "main", "master"] {
            if exists(base).await {
                let mut range = Self::between(&format!("{base}...HEAD"));
                range.words = format!("what this branch adds to {base}");
                return Ok(range);
            }
        }
        Err(ScopeError::NoBase)
    }

    /// The new side of a file; `None` where it cannot be read.
    pub(super) async fn new_side(&self, git: &Git, change: &Change) -> Option<Vec<u8>> {
        match &self.side {
            Some(revision) => {
                let mut name = format!("{revision}:").into_bytes();
                name.extend_from_slice(&change.path);
                git.output(["cat-file".into(), "blob".into(), crate::workflows::git::path_of(name).into_os_string()])
                    .await
                    .ok()
            }
            None => {
                let top = git.line(["rev-parse", "--show-toplevel"]).await.ok()?;
                let path =
                    crate::workflows::git::path_of(top).join(crate::workflows::git::path_of(change.path.clone()));
                tokio::fs::read(path).await.ok()
            }
        }
    }

    /// Whether patches are checked against the index.
    pub(super) fn is_index(&self) -> bool {
        self.side.as_deref() == Some("")
    }
}
