//! One kind of measurement over all targets: round by round, in an order that rotates, so that nobody has the quiet times.

use std::process::{Command, Stdio};

use super::load::{self, Order, Tally};
use super::options::Options;
use super::targets::{Target, Targets};
use super::work::{Turn, Work};
use super::{Outcome, cpu};

/// What one target did in one round.
pub(crate) struct Found {
    pub(crate) target: String,
    pub(crate) round: usize,
    pub(crate) tally: Tally,
    /// CPU time of the target for a request, in microseconds.
    pub(crate) cpu: f64,
}

/// Measures every target as often as there are rounds.
pub(crate) fn run(targets: &Targets, turn: &Turn, options: &Options) -> Outcome<Vec<Found>> {
    let part: Vec<&Target> = targets.all.iter().filter(|target| !options.builds || target.is_gateway()).collect();
    let count = part.len();
    let mut found = Vec::with_capacity(count * options.rounds);
    for round in 0..options.rounds {
        for at in 0..count {
            found.push(measure(part[(at + round) % count], turn, options, round)?);
        }
    }
    Ok(found)
}

fn measure(target: &Target, turn: &Turn, options: &Options, round: usize) -> Outcome<Found> {
    let &Turn { work, pace, connections } = turn;
    // a paced stream takes a second
    let window =
        if work == Work::Paced { options.window.min(std::time::Duration::from_secs(1)) } else { options.window };
    let order = Order { addr: target.addr, key: target.key.clone(), work, pace, connections, window };
    let before = cpu::time(target.pid())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(load::ROLE).arg(serde_json::to_string(&order)?).stdin(Stdio::null()).stderr(Stdio::piped());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{}, {turn}: {}", target.name, String::from_utf8_lossy(&output.stderr)).into());
    }
    let tally: Tally = serde_json::from_slice(&output.stdout)?;
    let used = cpu::time(target.pid())?.saturating_sub(before);
    let cpu = used.as_secs_f64() * 1e6 / tally.requests.max(1) as f64;
    Ok(Found { target: target.name.clone(), round, tally, cpu })
}
