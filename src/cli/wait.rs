//! Lengths of time on the command line: a number and a unit.

use std::time::Duration;

/// Reads `90s`, `15m`, `12h` or `30d`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err("write a number and a unit, such as 90s, 15m, 12h or 30d".to_owned()),
    };
    let count: u32 = digits.parse().map_err(|_| "write a whole number before the unit, such as 30d".to_owned())?;
    Ok(Duration::from_secs(u64::from(count) * unit))
}
