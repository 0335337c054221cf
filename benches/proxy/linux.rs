//! The order of a run: start the targets, take turns, tell what was found.

mod bodies;
mod cpu;
mod load;
mod options;
mod report;
mod round;
mod targets;
mod upstream;
mod work;

use std::error::Error;
use std::io::{self, Write};

use options::Options;
use report::Report;
use targets::Targets;

/// What may fail in a bench is said once, at the end.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
/// How the run ended.
pub(crate) type Done = Outcome<()>;

/// Runs the bench, or one of the processes that it starts.
pub(crate) fn main() -> Done {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(upstream::ROLE) => upstream::run(),
        Some(load::ROLE) => load::run(args.get(1).ok_or("a load needs its order")?),
        _ => measure(&Options::read(&args)?),
    }
}

fn measure(options: &Options) -> Done {
    let targets = Targets::start(options)?;
    let mut report = Report::default();
    for turn in options.turns() {
        say(&format!("{turn} (request of {} bytes)", bodies::request(turn.work).len()));
        report.add(&turn, round::run(&targets, &turn, options)?);
    }
    drop(targets);
    let text = if options.json { report.json()? } else { report.table() };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Progress, for whoever watches.
fn say(words: &str) {
    // a closed stderr is nobody's loss
    let _ = writeln!(io::stderr(), "{words}");
}
