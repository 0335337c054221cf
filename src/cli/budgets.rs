//! Budgets as a table and in `status`.

use std::io;

use super::table::Table;
use super::{Format, Lines};
use crate::kit::Money;
use crate::operator::BudgetRow;

/// `cost --budgets`
pub fn show(lines: &mut Lines<'_>, format: Format, rows: &[BudgetRow]) -> io::Result<()> {
    let mut table = Table::new(["budget", "of", "kind", "per", "spent", "reserved", "left", "limit", "resets at"]);
    for row in rows {
        let BudgetRow { budget, of, kind, per, spent_usd, reserved_usd, limit_usd, left_usd, resets_at } = row;
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        let [spent, reserved, left, limit] = [spent_usd, reserved_usd, left_usd, limit_usd].map(|text| amount(text));
        table.row([
            budget.clone(),
            or_dash(of),
            kind.clone(),
            per.clone(),
            spent,
            reserved,
            left,
            limit,
            or_dash(resets_at),
        ]);
    }
    lines.list(
        format,
        rows,
        table,
        "no budgets; set one in keywheel.toml: [budgets.NAME] limit_usd = \"25.00\" per = \"month\"",
    )
}

/// One budget as a line of `status`.
pub(super) fn line(row: &BudgetRow) -> String {
    let BudgetRow { budget, of, kind, per, spent_usd, reserved_usd, limit_usd, resets_at, .. } = row;
    let of = of.as_ref().map_or_else(String::new, |of| format!(" ({of})"));
    let reserved = match amount(reserved_usd) {
        none if none == amount("0") => String::new(),
        some => format!(", {some} set aside"),
    };
    let resets = resets_at.as_ref().map_or_else(String::new, |at| format!(", resets at {at}"));
    format!("budget {budget}{of}: {} of {} a {per}, {kind}{reserved}{resets}", amount(spent_usd), amount(limit_usd))
        .replace(" a total", " in total")
}

fn amount(text: &str) -> String {
    Money::parse(text).map_or_else(|_| text.to_owned(), |amount| amount.to_string())
}
