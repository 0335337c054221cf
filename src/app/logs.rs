//! Log lines on stderr: for people or as JSON, never with a body or a secret in them.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::env;
use crate::cli::LogFormat;
use crate::kit::Clock;
use crate::redact::Known;

/// What is logged unless `KEYWHEEL_LOG` says otherwise: our own words, and the troubles of others.
const USUAL: &str = "warn,keywheel=info";

/// Sends log lines to stderr from now on; what `KEYWHEEL_LOG` holds and cannot be understood comes back.
/// Whatever is written, by whichever part of the process, these secrets and all that looks like one stay out.
pub(super) fn start(format: LogFormat, known: Known) -> Option<String> {
    let wanted = env("KEYWHEEL_LOG").filter(|words| !words.is_empty());
    let read = wanted.as_ref().map(EnvFilter::try_new);
    let wrong = read.as_ref().is_some_and(Result::is_err);
    let filter = read.and_then(Result::ok).unwrap_or_else(|| EnvFilter::new(USUAL));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Clean(known))
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

/// Writes lines without secrets.
struct Clean(Known);

/// The same for one line, which comes in one piece.
struct Line<'a>(&'a Known);

impl<'a> MakeWriter<'a> for Clean {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = self.0.clean(line);
        io::stderr().write_all(&clean)?;
        // a line that is withheld still ends
        if !clean.ends_with(b"\n") {
            io::stderr().write_all(b"\n")?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
