//! Off-peak hours as LiteLLM's price map writes them.

use serde_json::value::RawValue;

use super::price_file::{Hours, HoursOfDay, RateRow};
use super::price_import::{Importer, OFF_PEAK, rate};
use super::price_litellm::{Members, set, text_of};
use super::price_litellm_name::Part;

/// The hours, and the row that holds in them: the base row with other prices.
pub(super) fn off_peak(
    importer: &mut Importer<'_>,
    key: &str,
    entry: &Members<'_>,
    base: &RateRow,
) -> Option<(Hours, RateRow)> {
    let block: Members<'_> = serde_json::from_str(entry.get("off_peak_pricing")?.get()).ok()?;
    let mut row = base.clone();
    for (name, value) in &block {
        if let Some((part, (text, _))) = Part::read(name).zip(rate(value.get().trim_matches('"'), 12).ok()) {
            set(&mut row, part.class, part.hours, text);
        }
    }
    row.schedule = Some(OFF_PEAK.to_owned());
    let zone = match text_of(&block, "weekday_timezone").as_deref() {
        None | Some("UTC") => String::new(),
        Some("Asia/Shanghai" | "Asia/Singapore" | "Asia/Hong_Kong") => "+08:00".to_owned(),
        Some(zone) => {
            importer.warn(key, format!("its weekdays are those of {zone}; they were read as UTC"));
            String::new()
        }
    };
    let flat = block.get("hours_utc").map(|_| block.clone());
    let windows: Option<Vec<Members<'_>>> = block.get("windows").and_then(|raw| serde_json::from_str(raw.get()).ok());
    let windows = windows.unwrap_or_default();
    let windows: Option<Vec<HoursOfDay>> = windows.iter().chain(&flat).map(window).collect();
    match windows.filter(|windows| !windows.is_empty()) {
        Some(windows) => Some((Hours { zone, windows, holidays: Vec::new() }, row)),
        None => {
            importer.warn(key, "its off-peak hours could not be read; only the peak price was imported");
            None
        }
    }
}

/// One window: hours as a string or several, days as numbers from Monday = 1 or by name; none means every day.
fn window(block: &Members<'_>) -> Option<HoursOfDay> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours = block.get("hours_utc")?.get();
    let utc = serde_json::from_str::<Vec<String>>(hours)
        .or_else(|_| serde_json::from_str(hours).map(|one| vec![one]))
        .ok()?;
    let day = |raw: &&RawValue| {
        let word = raw.get().trim_matches('"').to_lowercase();
        let numbered = word.parse::<usize>().ok().and_then(|number| DAYS.get(number.checked_sub(1)?));
        numbered.or_else(|| DAYS.iter().find(|day| word.starts_with(**day))).map(|&day| day.to_owned())
    };
    let days = match block.get("weekdays") {
        None => DAYS.map(str::to_owned).to_vec(),
        Some(raw) => serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok()?.iter().map(day).collect::<Option<_>>()?,
    };
    Some(HoursOfDay { days, utc })
}
