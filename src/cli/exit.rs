//! Exit codes: part of the contract with scripts.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked. A reader that left early (`| head`) is no error.
    Done,
    /// It could not be done; stderr says why.
    Failed,
    /// The command line was not understood.
    Usage,
    /// No gateway runs on this home.
    NotRunning,
    /// The configuration is not valid.
    BadConfig,
    /// It was done, and there is something to look at.
    Warned,
    /// A review found something as bad as it was told to look for.
    Found,
    /// Only a part of it could be done.
    Partial,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotRunning,
        Self::BadConfig,
        Self::Warned,
        Self::Found,
        Self::Partial,
        Self::Interrupted,
    ];

    /// The number that a shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::BadConfig => 4,
            Self::Warned => 5,
            Self::Found => 6,
            Self::Partial => 7,
            Self::Interrupted => 130,
        }
    }

    /// What it means, for `--help`.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, also when the reader of the output has left",
            Self::Failed => "it could not be done; stderr says why and what to do",
            Self::Usage => "the command line was not understood",
            Self::NotRunning => "no gateway runs on this home",
            Self::BadConfig => "the configuration is not valid",
            Self::Warned => "doctor found nothing broken, and something to look at",
            Self::Found => "a review found something as bad as --fail-on says",
            Self::Partial => "only a part of it could be done; the output names the rest",
            Self::Interrupted => "stopped by Ctrl-C",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
