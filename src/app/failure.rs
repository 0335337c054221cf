//! Why a command ends with something else than 0.

use std::fmt::Display;
use std::io;

use crate::cli::Exit;
use crate::cli::lines::reader_left;

/// A sentence for stderr, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Failure {
    /// It could not be done.
    pub(super) fn new(message: impl Display) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }

    /// The command line makes no sense.
    pub(super) fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// No gateway runs.
    pub(super) fn not_running(message: impl Display) -> Self {
        Self { exit: Exit::NotRunning, message: message.to_string() }
    }

    /// The configuration is not valid.
    pub(super) fn bad_config(message: impl Display) -> Self {
        Self { exit: Exit::BadConfig, message: message.to_string() }
    }
}

/// Writing failed: a reader that left is the end of the command and no failure of it.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if reader_left(&error) {
            return Self { exit: Exit::Done, message: String::new() };
        }
        Self::new(format_args!("cannot write the answer: {error}"))
    }
}
