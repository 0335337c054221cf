//! `replay`: its words, and a call beside its replay.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::since::{Since, since};
use super::table::Table;
use super::{Format, Lines};
use crate::operator::Tokens;
use crate::workflows::replay::Outcome;

/// `replay`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Replay {
    /// The call: the beginning of its id is enough
    #[arg(value_name = "ID", group = "which")]
    pub id: Option<String>,
    /// Every call that did not complete
    #[arg(long, group = "which")]
    pub failed: bool,
    /// Every call of a HAR file
    #[arg(long, value_name = "FILE", group = "which")]
    pub har: Option<PathBuf>,
    /// With --failed: only calls since then: 1h, 7d, or a day in UTC such as 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = since, requires = "failed")]
    pub since: Option<Since>,
    /// Ask this model instead
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Send what redaction left of a body too
    #[arg(long)]
    pub redacted: bool,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// A call that was not sent again, for scripts.
#[derive(Serialize)]
pub struct Skipped<'a> {
    /// Its id.
    pub id: Option<&'a str>,
    /// Why.
    pub skipped: &'a str,
}

/// Both as a table, and below it how the answers differ.
pub fn show(lines: &mut Lines<'_>, name: &str, then: &Outcome, now: &Outcome) -> io::Result<()> {
    let mut table = Table::new([name, "then", "now"]);
    let mut row = |what: &str, say: &dyn Fn(&Outcome) -> String| table.row([what.to_owned(), say(then), say(now)]);
    let millis = |millis: Option<u64>| millis.map_or_else(|| "–".to_owned(), |millis| format!("{millis} ms"));
    row("model", &|side| side.model.clone());
    row("status", &|side| side.status.to_string());
    row("tokens", &|side| side.usage.map_or_else(|| "–".to_owned(), |of| tokens(&of)));
    row("cost", &|side| side.cost_usd.as_ref().map_or_else(|| "unpriced".to_owned(), |usd| format!("${usd}")));
    row("first byte", &|side| millis(side.first_byte_ms));
    row("total", &|side| millis(Some(side.total_ms)));
    lines.data(table)?;
    match (&then.answer, &now.answer) {
        (Some(then), Some(now)) if then == now => lines.data("the answer is the same"),
        (Some(then), Some(now)) => differences(lines, then, now),
        (None, _) => lines.data("the first answer was not kept, so there is nothing to compare with"),
        (_, None) => lines.data("the answer broke off"),
    }
}

fn differences(lines: &mut Lines<'_>, then: &str, now: &str) -> io::Result<()> {
    lines.data("the answer differs:")?;
    for change in TextDiff::from_lines(then, now).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        lines.data(format_args!("{sign} {}", change.value().trim_end_matches('\n')))?;
    }
    Ok(())
}

fn tokens(of: &Tokens) -> String {
    format!("{} → {}", of.input + of.cache_read + of.cache_write, of.output + of.reasoning)
}
