//! `quota`: the words that it takes, and its answer as bars.

use std::io;

use clap::Args;

use super::table::Table;
use super::{Format, Lines};
use crate::operator::{QuotaRow, QuotaWindow};

/// How many characters a full bar has.
const BAR: u64 = 20;

/// `quota`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Quota {
    /// Their ids; all accounts when none is named
    #[arg(value_name = "ACCOUNT")]
    pub ids: Vec<String>,
    /// Ask the providers that tell balances for them now
    #[arg(long)]
    pub refresh: bool,
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// A line for every limit; an account without one has a line of its own.
pub fn show(lines: &mut Lines<'_>, format: Format, rows: &[QuotaRow]) -> io::Result<()> {
    let mut table = Table::new(["account", "state", "limit", "used", "", "left", "reset"]);
    for row in rows {
        let state = match &row.until {
            Some(until) => format!("{} until {until}", row.state),
            None => row.state.clone(),
        };
        let name = |at: usize| if at == 0 { (row.account.clone(), state.clone()) } else { Default::default() };
        let mut at = 0;
        for window in &row.windows {
            let (account, state) = name(at);
            table.row([account, state, what(window), used(window), bar(window), count(window.left), reset(window)]);
            at += 1;
        }
        let money = row.balance.as_ref().or(row.balance_error.as_ref());
        if at == 0 || money.is_some() {
            let (account, state) = name(at);
            let (limit, left) = match money {
                Some(money) => ("balance".to_owned(), money.clone()),
                None => ("none is known yet".to_owned(), String::new()),
            };
            table.row([account, state, limit, String::new(), String::new(), left, String::new()]);
        }
    }
    lines.list(format, rows, table, "no accounts yet; add one with: keywheel account add")
}

fn what(window: &QuotaWindow) -> String {
    let model = window.model.as_ref().map_or_else(String::new, |model| format!(" ({model})"));
    let set = if window.source == "settings" { ", set by you" } else { "" };
    format!("{}{model}{set}", window.what)
}

fn used(window: &QuotaWindow) -> String {
    match (window.used, window.limit) {
        (Some(used), Some(limit)) => format!("{used} of {limit}"),
        (None, Some(limit)) => format!("of {limit}"),
        _ => String::new(),
    }
}

fn bar(window: &QuotaWindow) -> String {
    let (Some(used), Some(limit)) = (window.used, window.limit.filter(|limit| *limit > 0)) else {
        return String::new();
    };
    let full = used.min(limit).saturating_mul(BAR).div_ceil(limit);
    (0..BAR).map(|at| if at < full { '█' } else { '░' }).collect()
}

fn count(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn reset(window: &QuotaWindow) -> String {
    window.reset.clone().unwrap_or_default()
}
