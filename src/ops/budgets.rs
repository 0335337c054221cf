//! How budgets stand, as rows and as warnings.

use crate::config::BudgetKind;
use crate::gateway::budgets::Line;
use crate::kit::Money;
use crate::operator::BudgetRow;

/// Of a budget that is counted apart, so many parts are told, the dearest first.
const PARTS: usize = 50;

/// Every budget.
pub(super) fn rows(lines: &[Line]) -> Vec<BudgetRow> {
    let same = lines.chunk_by(|one, next| one.name == next.name);
    same.flat_map(|parts| parts.iter().take(PARTS)).map(row).collect()
}

/// What `status` shows: those that stand for all their calls, and parts that are spent.
pub(super) fn notable(lines: &[Line]) -> Vec<BudgetRow> {
    lines.iter().filter(|line| line.of.is_empty() || is_spent(line)).take(PARTS).map(row).collect()
}

/// What `status` warns of.
pub(super) fn warnings(lines: &[Line]) -> Vec<String> {
    let uncounted = lines.iter().filter(|line| !line.counted).map(|line| {
        format!("what the budget {} has spent is not counted yet; a hard one refuses calls until then", line.name)
    });
    let spent = lines.iter().filter(|line| is_spent(line)).take(PARTS).map(|line| {
        let Line { name, of, spent, limit, resets, .. } = line;
        let of = if of.is_empty() { String::new() } else { format!(" ({of})") };
        let resets = resets.map_or_else(|| "it does not reset by itself".to_owned(), |at| format!("it resets at {at}"));
        let what = match line.kind {
            BudgetKind::Hard => "and refuses calls",
            BudgetKind::Soft => "and calls go on",
        };
        format!("the budget {name}{of} is spent, {spent} of {limit}, {what}; {resets}")
    });
    uncounted.chain(spent).collect()
}

fn is_spent(line: &Line) -> bool {
    line.spent >= line.limit
}

fn row(line: &Line) -> BudgetRow {
    let Line { name, of, kind, per, spent, reserved, limit, resets, .. } = line;
    BudgetRow {
        budget: name.to_string(),
        of: Some(of.clone()).filter(|of| !of.is_empty()),
        kind: kind.word().to_owned(),
        per: per.word().to_owned(),
        spent_usd: spent.exact(),
        reserved_usd: reserved.exact(),
        limit_usd: limit.exact(),
        left_usd: Money::saturating_sub(*limit, *spent).saturating_sub(*reserved).exact(),
        resets_at: resets.map(|at| at.to_string()),
    }
}
