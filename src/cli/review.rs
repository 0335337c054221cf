//! `review`: its words.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::wait;

/// `review`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ReviewDiff {
    /// What git diff takes: main..HEAD, HEAD~3; without it what is not committed, else what this branch adds
    #[arg(value_name = "RANGE", conflicts_with_all = ["staged", "branch"])]
    pub range: Option<String>,
    /// What the next commit will hold
    #[arg(long)]
    pub staged: bool,
    /// What this branch adds to the one it left
    #[arg(long, conflicts_with = "staged")]
    pub branch: bool,
    /// The model: provider/model, or a name of your own; without it [review] model, else the best that can be called
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Exit with 6 when anything is as bad as this
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// How to write
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ReviewFormat,
    /// Stop before the review costs more than so many US dollars; the first part is always read: 0.50
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<String>,
    /// A review that takes longer is given up: 60s, 5m
    #[arg(long, value_name = "TIME", value_parser = wait::parse)]
    pub timeout: Option<Duration>,
}

impl ReviewDiff {
    /// What is staged, within this time.
    pub fn staged(timeout: Duration) -> Self {
        let (fail_on, format) = Default::default();
        Self {
            range: None,
            staged: true,
            branch: false,
            model: None,
            fail_on,
            format,
            max_cost: None,
            timeout: Some(timeout),
        }
    }
}

/// From which severity on a review fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Whatever it finds.
    Low,
    /// Medium and worse.
    Medium,
    /// High and worse.
    #[default]
    High,
    /// The worst alone.
    Critical,
    /// It does not.
    Never,
}

/// How a review is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReviewFormat {
    /// For people.
    #[default]
    Markdown,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
}
