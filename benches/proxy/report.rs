//! What was found, as a table for people or as JSON: medians over the rounds.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Outcome;
use super::round::Found;
use super::work::{CHUNKS, Pace, Turn};

/// The gateway as it was built for the bench.
const GATEWAY: &str = "keywheel";

/// All measurements of a run.
#[derive(Default)]
pub(crate) struct Report(Vec<(Turn, Vec<Found>)>);

/// One target in one kind of measurement; times in milliseconds, CPU times in microseconds.
struct Line<'a> {
    target: &'a str,
    rate: f64,
    cpu: f64,
    first: (f64, f64),
    whole: (f64, f64),
    /// What the target adds to the times without a proxy, to the whole answer or to a stream's first byte.
    added: (f64, f64),
}

impl Report {
    pub(crate) fn add(&mut self, turn: &Turn, found: Vec<Found>) {
        self.0.push((*turn, found));
    }

    /// One table for each measurement.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        for (turn, found) in &self.0 {
            // writing to a string cannot fail
            let _ = writeln!(out, "\n{turn}\n");
            let lines = lines(turn, found);
            let nginx = lines.iter().find(|line| line.target == "nginx").map(|line| line.cpu);
            let _ = match (turn.pace, turn.work.streams()) {
                (Pace::Closed, false) => writeln!(out, "| target | req/s | CPU µs/req | × nginx |\n|---|--:|--:|--:|"),
                (Pace::Closed, true) => writeln!(
                    out,
                    "| target | chunks/s | CPU µs/chunk | × nginx | first byte p50 / p99 ms | added ms |\n\
                     |---|--:|--:|--:|--:|--:|"
                ),
                (Pace::Rate(_), _) => writeln!(out, "| target | p50 / p99 ms | added ms |\n|---|--:|--:|"),
            };
            for line in lines {
                let _ = writeln!(out, "{}", line.row(turn, nginx));
            }
            for (target, rate, cpu) in beside(found) {
                let _ = writeln!(out, "\n{GATEWAY} beside {target}, round by round: throughput {rate}, CPU {cpu}");
            }
        }
        out
    }

    /// The same as one object.
    pub(crate) fn json(&self) -> Outcome<String> {
        let measured = |(turn, found): &(Turn, Vec<Found>)| -> Value {
            let rows: Vec<Value> = lines(turn, found).iter().map(Line::json).collect();
            json!({ "work": turn.work, "pace": turn.pace, "connections": turn.connections, "targets": rows })
        };
        let all: Vec<Value> = self.0.iter().map(measured).collect();
        Ok(serde_json::to_string_pretty(&all)? + "\n")
    }
}

impl Line<'_> {
    fn row(&self, turn: &Turn, nginx: Option<f64>) -> String {
        let Self { target, rate, cpu, first, whole, added } = self;
        let direct = *target == "direct";
        let times = nginx.filter(|_| !direct).map_or("–".to_owned(), |nginx| format!("{:.1}", cpu / nginx));
        let plus = if direct { "–".to_owned() } else { format!("{:+.2} / {:+.2}", added.0, added.1) };
        let used = |cpu: f64| if direct { "–".to_owned() } else { format!("{cpu:.1}") };
        match (turn.pace, turn.work.streams()) {
            (Pace::Closed, false) => format!("| {target} | {rate:.0} | {} | {times} |", used(*cpu)),
            (Pace::Closed, true) => {
                let chunks = CHUNKS as f64;
                let (rate, used) = (rate * chunks, used(cpu / chunks));
                format!("| {target} | {rate:.0} | {used} | {times} | {:.2} / {:.2} | {plus} |", first.0, first.1)
            }
            (Pace::Rate(_), _) => format!("| {target} | {:.2} / {:.2} | {plus} |", whole.0, whole.1),
        }
    }

    fn json(&self) -> Value {
        let Self { target, rate, cpu, first, whole, added } = self;
        let spread = |(p50, p99): &(f64, f64)| json!({ "p50": p50, "p99": p99 });
        json!({
            "target": target, "requests_per_second": rate, "cpu_us_per_request": cpu, "first_byte_ms": spread(first),
            "whole_ms": spread(whole), "added_ms": spread(added)
        })
    }
}

/// The targets in the order of the first round.
fn lines<'a>(turn: &Turn, found: &'a [Found]) -> Vec<Line<'a>> {
    let time = |found: &Found| {
        let spread = if turn.work.streams() { found.tally.first } else { found.tally.whole };
        (spread.p50, spread.p99)
    };
    let direct =
        |round: usize| found.iter().find(|it| it.round == round && it.target == "direct").map_or((0.0, 0.0), time);
    let first_round = found.iter().filter(|it| it.round == 0);
    let line = |first: &'a Found| {
        let own: Vec<&Found> = found.iter().filter(|it| it.target == first.target).collect();
        let of = |read: &dyn Fn(&Found) -> f64| median(own.iter().map(|it| read(it)).collect());
        Line {
            target: &first.target,
            rate: of(&|it| it.tally.rate),
            cpu: of(&|it| it.cpu),
            first: (of(&|it| it.tally.first.p50), of(&|it| it.tally.first.p99)),
            whole: (of(&|it| it.tally.whole.p50), of(&|it| it.tally.whole.p99)),
            added: (of(&|it| time(it).0 - direct(it.round).0), of(&|it| time(it).1 - direct(it.round).1)),
        }
    };
    first_round.map(line).collect()
}

/// What each other build is to the gateway: middle and quarters of the ratios of single rounds, in percent. Foreign load
/// that lasts longer than a round is in both of its sides.
fn beside(found: &[Found]) -> Vec<(&str, String, String)> {
    let of = |round: usize, target: &str| found.iter().find(|it| it.round == round && it.target == target);
    let rounds = found.iter().map(|it| it.round).max().map_or(0, |last| last + 1);
    let ratios = |target: &str, read: &dyn Fn(&Found) -> f64| {
        let ratio = |round| Some((read(of(round, GATEWAY)?) / read(of(round, target)?) - 1.0) * 100.0);
        let mut ratios: Vec<f64> = (0..rounds).filter_map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let quarter = |at: usize| ratios.get(ratios.len() * at / 4).copied().unwrap_or_default();
        format!("{:+.1} % ({:+.1} to {:+.1})", median(ratios.clone()), quarter(1), quarter(3))
    };
    let others = found.iter().filter(|it| it.round == 0 && !["direct", "nginx", GATEWAY].contains(&it.target.as_str()));
    others.map(|it| (&*it.target, ratios(&it.target, &|it| it.tally.rate), ratios(&it.target, &|it| it.cpu))).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
