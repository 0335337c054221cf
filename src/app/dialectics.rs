//! `dialectics`: several models answer a question together, and the terminal shows all of them while they speak.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::failure::Failure;
use super::questions;
use crate::cli::Lines;
use crate::cli::dialectics::Dialectics;
use crate::cli::panes::{Panes, harmless};
use crate::config::Paths;
use crate::workflows::bill;
use crate::workflows::dialectics::{Heard, Hearing, Question, ask};

/// A terminal is drawn no oftener.
const FRAME: Duration = Duration::from_millis(50);

/// The longest question from stdin in bytes.
const LONGEST: u64 = 16 << 20;

/// Asks, shows the legs on stderr and the answer on stdout.
pub(super) async fn run(asked: &Dialectics, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let question = question(asked)?;
    let gateway = questions::gateway(paths).await?;
    let mut hearing = ask(&gateway, &question).await.map_err(Failure::new)?;
    let mut table = Table::new(&hearing, asked.format.json);
    while let Some(heard) = hearing.next().await.map_err(Failure::new)? {
        table.take(heard, lines)?;
    }
    let bill = bill(&gateway, &hearing.id).await;
    let cost = bill.and_then(|bill| bill.cost_usd);
    if asked.format.json {
        return Ok(lines.json(&table.record(&hearing.id, cost))?);
    }
    lines.data("")?;
    let cost = cost.map_or_else(|| "its cost is not known".to_owned(), |usd| format!("${usd}"));
    lines.say(format_args!("{cost}; keywheel requests {}", hearing.id));
    Ok(())
}

fn question(asked: &Dialectics) -> Result<Question, Failure> {
    let mut prompt = asked.prompt.clone();
    if prompt == "-" {
        prompt.clear();
        let read = std::io::stdin().take(LONGEST).read_to_string(&mut prompt);
        read.map_err(|error| Failure::new(format_args!("the question cannot be read from stdin: {error}")))?;
    }
    if prompt.trim().is_empty() {
        return Err(Failure::new("the question is empty; write: keywheel dialectics \"QUESTION\""));
    }
    Ok(Question {
        name: asked.mode.trim_start_matches("dialectics/").to_owned(),
        prompt,
        legs: asked.legs.clone(),
        synthesis: asked.synthesis.clone(),
        rounds: asked.rounds,
        max_cost: asked.max_cost.clone(),
        report: asked.format.json,
    })
}

/// What was said so far, and where it is shown.
struct Table {
    legs: Vec<Leg>,
    panes: Panes,
    shown: Shown,
    drawn: Instant,
    answer: String,
    synthesis: String,
    about: Value,
}

struct Leg {
    role: String,
    model: String,
    text: String,
    state: String,
    round: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Panes,
    Lines,
    Nowhere,
}

impl Table {
    fn new(hearing: &Hearing, json: bool) -> Self {
        let leg = |(role, model): &(String, String)| Leg {
            role: role.clone(),
            model: model.clone(),
            text: String::new(),
            state: String::new(),
            round: 1,
        };
        let shown = match (json, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nowhere,
            (false, true) => Shown::Panes,
            (false, false) => Shown::Lines,
        };
        Self {
            legs: hearing.legs.iter().map(leg).collect(),
            panes: Panes::new(hearing.legs.iter().map(|(role, model)| format!("{role} · {model}"))),
            shown,
            drawn: Instant::now(),
            answer: String::new(),
            synthesis: String::new(),
            about: Value::Null,
        }
    }

    fn take(&mut self, heard: Heard, lines: &mut Lines<'_>) -> Result<(), Failure> {
        match heard {
            Heard::Leg { role, round, text, state, .. } => self.leg(&role, round, &text, state.as_deref()),
            Heard::Note(note) if self.shown == Shown::Nowhere => drop(note),
            Heard::Note(note) => {
                self.panes.leave();
                note.lines().for_each(|line| lines.say(line));
            }
            Heard::Judging(model) => {
                self.synthesis.clone_from(&model);
                self.show(true);
                self.panes.leave();
                if self.shown != Shown::Nowhere {
                    lines.say(format_args!("\nsynthesis · {model}\n"));
                }
            }
            Heard::Content(text) => {
                if self.shown != Shown::Nowhere {
                    let out = lines.raw();
                    out.write_all(harmless(&text).as_bytes())?;
                    out.flush()?;
                }
                self.answer += &text;
            }
            Heard::About(about) => self.about = about,
        }
        Ok(())
    }

    fn leg(&mut self, role: &str, round: u64, text: &str, state: Option<&str>) {
        let Some(at) = self.legs.iter().position(|leg| leg.role == role) else { return };
        let leg = &mut self.legs[at];
        if leg.round < round {
            (leg.round, leg.text) = (round, String::new());
            self.panes.say(at, &format!("\n\nround {round}\n"));
            self.panes.end(at, "");
        }
        leg.text += text;
        self.panes.say(at, text);
        if let Some(state) = state {
            leg.state = state.to_owned();
            self.panes.end(at, state);
        }
        self.show(state.is_some());
    }

    /// Brings the screen up to date; not for every word.
    fn show(&mut self, now: bool) {
        if !now && self.drawn.elapsed() < FRAME {
            return;
        }
        self.drawn = Instant::now();
        let mut words = std::io::stderr().lock();
        // who has closed stderr wants no panes
        drop(match self.shown {
            Shown::Nowhere => Ok(()),
            Shown::Lines => self.panes.tell(&mut words, !self.synthesis.is_empty()),
            Shown::Panes => {
                let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
                self.panes.draw(&mut words, (usize::from(width), usize::from(height)))
            }
        });
    }

    /// All of it for scripts.
    fn record(&self, id: &str, cost: Option<String>) -> Value {
        let legs = self.legs.iter().map(|leg| {
            json!({"leg": leg.role, "model": leg.model, "state": leg.state, "rounds": leg.round, "text": leg.text})
        });
        let mut record = Map::new();
        let members = [
            ("id", json!(id)),
            ("answer", json!(self.answer)),
            ("synthesis", json!(self.synthesis)),
            ("legs", legs.collect()),
            ("absent", self.about["absent"].clone()),
            ("report", self.about["report"].clone()),
            ("cost_usd", json!(cost)),
        ];
        record.extend(members.map(|(name, value)| (name.to_owned(), value)));
        record.into()
    }
}
