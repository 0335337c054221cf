//! `ask`, `commit` and `hook …`: their words.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `ask`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct AskModel {
    /// The question; what comes through stdin is its context, and - waits for it also at a terminal
    #[arg(value_name = "PROMPT")]
    pub words: Vec<String>,
    /// A text file to read as context; may be repeated
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The model: provider/model, or a name of your own; without it [ask] model, else the best at a moderate price
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// What goes before the question
    #[arg(short, long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Write what the model thinks to stderr, where it is shown
    #[arg(long)]
    pub reasoning: bool,
    /// Write one JSON object once the answer is whole: content, model, usage, cost
    #[arg(long)]
    pub json: bool,
    /// Write the text as the model wrote it, also on a terminal
    #[arg(long)]
    pub plain: bool,
}

/// `commit`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Commit {
    /// Commit every change of files that git knows, as git commit --all does
    #[arg(short, long)]
    pub all: bool,
    /// The model; without it [commit] model, else the cheapest that is good enough
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Commit without opening the editor
    #[arg(short, long)]
    pub yes: bool,
    /// Write the message to stdout and commit nothing
    #[arg(short, long, conflicts_with = "yes")]
    pub print: bool,
}

/// `hook …`
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum HookVerb {
    /// Let git ask for commit messages; a hook that is there stays and goes first
    Install {
        /// In every repository, by the global core.hooksPath; repositories' own hooks still run
        #[arg(long)]
        global: bool,
        /// Also search what is staged for secrets before each commit, on this machine alone
        #[arg(long)]
        pre_commit: bool,
    },
    /// Take the hooks out and put back what was there before
    Uninstall {
        /// Those of every repository
        #[arg(long)]
        global: bool,
    },
    /// What git, pre-commit or lefthook runs; it works on what is staged
    Run {
        /// Which hook
        #[arg(value_enum)]
        hook: HookName,
        /// What git hands to it
        #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// A hook of git's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookName {
    /// Writes the message, or leaves it alone; always ends with 0
    PrepareCommitMsg,
    /// Searches what is staged for secrets; ends with 1 where it finds one
    PreCommit,
}
