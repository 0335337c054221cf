//! Log lines on stderr: for people or as JSON, never with a body or a secret in them.

use std::fmt;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::env;
use crate::cli::LogFormat;
use crate::kit::Clock;

/// What is logged unless `KEYWHEEL_LOG` says otherwise: our own words, and the troubles of others.
const USUAL: &str = "warn,keywheel=info";

/// Sends log lines to stderr from now on; what `KEYWHEEL_LOG` holds and cannot be understood comes back.
pub(super) fn start(format: LogFormat) -> Option<String> {
    let wanted = env("KEYWHEEL_LOG").filter(|words| !words.is_empty());
    let read = wanted.as_ref().map(EnvFilter::try_new);
    let wrong = read.as_ref().is_some_and(Result::is_err);
    let filter = read.and_then(Result::ok).unwrap_or_else(|| EnvFilter::new(USUAL));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(Clocked(Clock::system()))
        .with_ansi(io::stderr().is_terminal() && env("NO_COLOR").is_none_or(|set| set.is_empty()))
        // a closed stderr must not stop the gateway
        .log_internal_errors(false);
    // somebody who embeds us may have set their own
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    wanted.filter(|_| wrong)
}

/// The same instants in the log as everywhere else.
struct Clocked(Clock);

impl FormatTime for Clocked {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        write!(to, "{}", self.0.now())
    }
}
