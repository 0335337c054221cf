//! Tables: rows are kept until the last one is known, then their columns stand below each other.

use unicode_width::UnicodeWidthStr;

/// The lines of a table with its columns aligned, the head first; `None` where the rows are no table, or too wide.
pub(super) fn lines(rows: &[String], width: Option<usize>) -> Option<Vec<String>> {
    let mut cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).collect();
    let rule = cells.get(1).filter(|rule| rule.iter().all(|cell| is_rule(cell)))?.clone();
    cells.remove(1);
    let count = cells.iter().map(Vec::len).max()?;
    let wide = |at: usize| cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(wide).collect();
    let all = widths.iter().sum::<usize>() + 3 * count.saturating_sub(1);
    if width.is_some_and(|width| all > width) {
        return None;
    }
    let right = |at: usize| rule.get(at).is_some_and(|cell| cell.ends_with(':') && !cell.starts_with(':'));
    let line = |row: &Vec<String>| {
        let cell = |(at, wide): (usize, &usize)| {
            let cell = row.get(at).map(String::as_str).unwrap_or_default();
            let room = " ".repeat(wide - cell.width());
            if right(at) { format!("{room}{cell}") } else { format!("{cell}{room}") }
        };
        widths.iter().enumerate().map(cell).collect::<Vec<_>>().join(" │ ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = cells.iter().map(line).collect();
    lines.insert(1, widths.iter().map(|wide| "─".repeat(*wide)).collect::<Vec<_>>().join("─┼─"));
    Some(lines)
}

/// The cells of a row as they are read: without the marks of bold text and code.
fn cells(row: &str) -> Vec<String> {
    const ESCAPED: &str = "\u{1}";
    let row = row.trim().replace("\\|", ESCAPED);
    let row = row.strip_prefix('|').unwrap_or(&row);
    let row = row.strip_suffix('|').unwrap_or(row);
    row.split('|').map(|cell| cell.trim().replace("**", "").replace('`', "").replace(ESCAPED, "|")).collect()
}

fn is_rule(cell: &str) -> bool {
    cell.contains('-') && cell.chars().all(|c| matches!(c, '-' | ':'))
}
