//! Runs git: plain arguments, no shell, no pager, nobody's diff program; killed when nobody waits for it any more.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Variables that would change what git prints.
const DISTURBING: [&str; 5] = ["GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_PAGER", "GIT_TRACE", "GIT_TRACE2"];
/// No answer of git that is read whole is longer.
const LONGEST: usize = 64 << 20;

/// Why git did not do it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("git cannot be run: {0}; install it, or set PATH")]
    Missing(#[source] io::Error),
    /// This is no repository.
    #[error("this folder is in no git repository; go into one")]
    NoRepository,
    /// It said no.
    #[error("git {0}: {1}")]
    Failed(String, String),
}

/// Git in one folder. What a hook was told by its environment (`GIT_DIR`, `GIT_INDEX_FILE`) holds here too.
#[derive(Clone, Debug, Default)]
pub struct Git {
    folder: Option<PathBuf>,
}

impl Git {
    /// In the working folder of this process.
    pub const fn here() -> Self {
        Self { folder: None }
    }

    /// In this folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// A command for a person to see: its output goes where ours goes.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new("git");
        if let Some(folder) = &self.folder {
            command.arg("-C").arg(folder);
        }
        command.args(args).kill_on_drop(true);
        command
    }

    /// What a command prints; an error when it fails.
    pub async fn output<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Vec<u8>, GitError> {
        self.fed(args, &[]).await
    }

    /// The first line of what a command prints.
    pub async fn line<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Vec<u8>, GitError> {
        let mut bytes = self.output(args).await?;
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        bytes.truncate(end);
        Ok(bytes)
    }

    /// What a command prints that reads this.
    pub async fn fed<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Result<Vec<u8>, GitError> {
        let (bytes, rest) = self.run(args, input, LONGEST).await?;
        if rest { Err(GitError::Failed("output".to_owned(), "more than 64 MiB".to_owned())) } else { Ok(bytes) }
    }

    /// The first bytes of what a command prints, and whether there is more.
    pub async fn head<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        most: usize,
    ) -> Result<(Vec<u8>, bool), GitError> {
        self.run(args, &[], most).await
    }

    async fn run<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
        most: usize,
    ) -> Result<(Vec<u8>, bool), GitError> {
        let mut command = self.command(["-c", "core.quotePath=false", "-c", "color.ui=never"]);
        command.args(args).env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
        for name in DISTURBING {
            command.env_remove(name);
        }
        let input_from = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.stdin(input_from).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(GitError::Missing)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // who does not read all of it says so by its exit code
                drop(stdin.write_all(input).await);
            }
        };
        let read = async {
            let mut bytes = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(most as u64 + 1).read_to_end(&mut bytes).await.map_err(GitError::Missing)?;
            }
            Ok::<_, GitError>(bytes)
        };
        let hear = async {
            let mut words = Vec::new();
            if let Some(stderr) = stderr {
                drop(stderr.take(1 << 16).read_to_end(&mut words).await);
            }
            words
        };
        let ((), bytes, words) = if most < LONGEST {
            // once enough was read git is stopped, so its words may never end
            let (fed, bytes) = futures_util::future::join(feed, read).await;
            (fed, bytes, Vec::new())
        } else {
            futures_util::future::join3(feed, read, hear).await
        };
        let mut bytes = bytes?;
        if bytes.len() > most {
            bytes.truncate(most);
            return Ok((bytes, true));
        }
        let status = child.wait().await.map_err(GitError::Missing)?;
        if status.success() { Ok((bytes, false)) } else { Err(failed(command.as_std(), &words)) }
    }
}

/// A path as git prints it.
pub fn path_of(bytes: Vec<u8>) -> PathBuf {
    #[cfg(unix)]
    let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(not(unix))]
    let path = String::from_utf8_lossy(&bytes).into_owned();
    PathBuf::from(path)
}

/// The words of git, without its mark.
fn failed(command: &std::process::Command, words: &[u8]) -> GitError {
    let words = String::from_utf8_lossy(words);
    let line = words.lines().find(|line| line.starts_with("fatal") || line.starts_with("error"));
    let line = line.or_else(|| words.lines().next()).unwrap_or("it failed");
    if line.contains("not a git repository") || line.contains("must be run in a work tree") {
        return GitError::NoRepository;
    }
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ").to_owned();
    let settings = |arg: &&OsStr| **arg != *"-c" && !arg.to_string_lossy().contains("core.quotePath");
    let verb = command.get_args().filter(settings).find(|arg| !arg.to_string_lossy().contains("color.ui"));
    GitError::Failed(verb.map(|verb| verb.to_string_lossy().into_owned()).unwrap_or_default(), line)
}
