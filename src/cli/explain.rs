//! Why a call went where it went, as a few sentences and a table for each choice.

use std::io;

use clap::Args;

use super::table::Table;
use super::{Format, Lines};
use crate::operator::explained::{CandidateRow, Explained, PassedRow};

/// `explain`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Explain {
    /// The call: the beginning of its id is enough
    #[arg(value_name = "ID")]
    pub id: String,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// The answer.
pub fn show(lines: &mut Lines<'_>, format: Format, explained: &Explained) -> io::Result<()> {
    if format.json {
        return lines.json(explained);
    }
    lines.data(format_args!("{}  {}", explained.id, explained.sentence))?;
    for choice in &explained.choices {
        lines.data("")?;
        lines.data(&choice.sentence)?;
        let mut table = Table::new(["", "account", "route", "busy", "weight", "priority", "why"]);
        for row in &choice.candidates {
            let CandidateRow { account, route, chosen, busy, weight, priority, why, .. } = row;
            let mark = if *chosen { ">" } else { "" };
            let (busy, weight, priority) = (busy.to_string(), weight.to_string(), priority.to_string());
            table.row([mark.to_owned(), account.clone(), route.clone(), busy, weight, priority, why.clone()]);
        }
        lines.data(table)?;
        passed(lines, &choice.passed_over)?;
    }
    if !explained.attempts.is_empty() {
        lines.data("")?;
        lines.data("attempts:")?;
        explained.attempts.iter().try_for_each(|attempt| lines.data(format_args!("  {attempt}")))?;
    }
    if !explained.passed_over.is_empty() {
        lines.data("")?;
        lines.data("passed over:")?;
        passed(lines, &explained.passed_over)?;
    }
    Ok(())
}

fn passed(lines: &mut Lines<'_>, rows: &[PassedRow]) -> io::Result<()> {
    rows.iter().try_for_each(|PassedRow { route, account, why }| match account.as_str() {
        "" => lines.data(format_args!("  {route}: {why}")),
        account => lines.data(format_args!("  {account} could not: {why}")),
    })
}
