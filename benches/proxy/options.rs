//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use super::Outcome;
use super::work::{Pace, Turn, Work};

/// How a run is made.
pub(crate) struct Options {
    pub(crate) json: bool,
    /// Only gateways, in closed loops: builds are compared with each other in many short turns.
    pub(crate) builds: bool,
    /// How often every target has its turn.
    pub(crate) rounds: usize,
    /// How long one turn of one target is.
    pub(crate) window: Duration,
    /// The only kinds of work; empty means all.
    only: Vec<String>,
    /// Other builds of the gateway that take part: the one way to see a change of a few percent.
    pub(crate) against: Vec<PathBuf>,
}

impl Options {
    pub(crate) fn read(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            json: false,
            builds: false,
            rounds: 5,
            window: Duration::from_millis(1200),
            only: Vec::new(),
            against: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                // cargo adds it
                "--bench" => {}
                "--json" => options.json = true,
                "--quick" => (options.rounds, options.window) = (2, Duration::from_millis(600)),
                "--builds" => (options.builds, options.rounds, options.window) = (true, 40, Duration::from_millis(600)),
                "--rounds" => options.rounds = value()?.parse()?,
                "--only" => options.only.push(value()?.clone()),
                "--against" => options.against.push(value()?.into()),
                other => {
                    let known = "--quick, --builds, --json, --rounds N, --only WORK, --against BINARY";
                    return Err(format!("{other:?} is not known; there are {known}").into());
                }
            }
        }
        Ok(options)
    }

    /// The measurements to make.
    pub(crate) fn turns(&self) -> impl Iterator<Item = Turn> {
        let wanted = |work: Work| self.only.is_empty() || self.only.iter().any(|name| name == work.name());
        Turn::ALL.into_iter().filter(move |turn| wanted(turn.work) && (!self.builds || turn.pace == Pace::Closed))
    }
}
