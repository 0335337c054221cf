//! Reads LiteLLM's price map: one flat object for each model, prices for one token as floating-point numbers, and
//! everything that sets a row apart packed into the names of the members.
//!
//! Its traps: suffixes come in any order and several at once (`_above_12hr_above_272k_tokens_priority`); it does not say
//! whether a threshold itself is in the upper tier; 0 may mean free or unknown; it knows no holidays and no price that
//! is to come.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::value::RawValue;

use super::price_card::DEFAULT_TIER;
use super::price_file::RateRow;
use super::price_import::{Fineness, Found, ImportError, Imported, Importer, rate};
use super::price_litellm_hours::off_peak;
use super::price_litellm_name::Part;
use super::prices::Prices;
use crate::kit::decimal;

pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Reads the map and lays what is new over the table.
///
/// # Errors
/// When it is not a JSON object of objects.
pub fn import(text: &str, prices: &Prices, today: Date) -> Result<Imported, ImportError> {
    let map: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| ImportError(error.to_string()))?;
    let mut importer = Importer::new(prices, "LiteLLM's price map", today);
    let mut foreign = 0;
    // the first entry explains the members and prices nothing
    for (key, entry) in map.into_iter().filter(|(key, _)| key != "sample_spec") {
        let Ok(entry) = serde_json::from_str::<Members<'_>>(entry.get()) else { continue };
        let Some(named) = text_of(&entry, "litellm_provider") else { continue };
        match importer.provider(&named) {
            Some(provider) => model(&mut importer, provider, &named, &key, &entry),
            None => foreign += 1,
        }
    }
    if foreign > 0 {
        let words = format!("{foreign} models of providers that have no price file were left out");
        importer.done.warnings.push(words);
    }
    Ok(importer.done)
}

fn model(importer: &mut Importer<'_>, provider: &str, named: &str, key: &str, entry: &Members<'_>) {
    let id = [named, provider].iter().find_map(|name| key.strip_prefix(&format!("{name}/"))).unwrap_or(key);
    let mut rows = Rows::default();
    for (name, value) in entry {
        let Some(part) = Part::read(name) else { continue };
        match rate(value.get(), 12) {
            Ok((text, fineness)) => {
                if fineness == Fineness::Rounded {
                    importer.warn(key, format!("{name} is finer than a picodollar and was rounded to {text}"));
                }
                rows.put(&part, text);
            }
            Err(error) => importer.warn(key, format!("{name}: {error}")),
        }
    }
    rows.tiered(entry);
    let base = rows.base();
    // what is billed by the image, the second or the page has no token price to import
    if base.input.is_none() && base.output.is_none() {
        return;
    }
    let free = |price: &Option<String>| price.as_deref().is_none_or(|price| price == "0");
    if free(&base.input) && free(&base.output) {
        importer.warn(key, "its price is 0, which may mean that it is not known; left out");
        return;
    }
    if let Some((region @ ("us" | "eu" | "apac" | "global" | "global-standard"), rest)) = id.split_once('/') {
        importer.warn(key, format!("the price of region {region} was left out; write it as a region of {rest}"));
        return;
    }
    let hours = off_peak(importer, key, entry, &rows.base()).map(|(hours, row)| {
        rows.scheduled = Some(row);
        hours
    });
    let found = Found {
        id: id.to_owned(),
        context: number(entry, "max_input_tokens"),
        max_output: number(entry, "max_output_tokens"),
        retires: text_of(entry, "deprecation_date").and_then(|date| date.parse().ok()),
        rows: rows.finish(importer, key),
        hours,
    };
    if !found.rows.is_empty() {
        importer.take(provider, found);
    }
}

/// The rows of a model, by tier and context.
#[derive(Default)]
struct Rows {
    plain: BTreeMap<(String, u64), RateRow>,
    scheduled: Option<RateRow>,
}

impl Rows {
    fn base(&self) -> RateRow {
        self.plain.get(&(DEFAULT_TIER.to_owned(), 0)).cloned().unwrap_or_default()
    }

    fn put(&mut self, part: &Part, text: String) {
        let row = self.plain.entry((part.tier.clone(), part.over)).or_default();
        set(row, part.class, part.hours, text);
    }

    /// `tiered_pricing`: `lo < input <= hi`, so the lower end is a threshold like the others.
    fn tiered(&mut self, entry: &Members<'_>) {
        let tiers: Vec<Members<'_>> =
            entry.get("tiered_pricing").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        for tier in tiers {
            let range: Vec<&RawValue> =
                tier.get("range").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
            let low = range.first().and_then(|low| decimal::exact(low.get(), 0).ok());
            let Some(over) = low.and_then(|low| u64::try_from(low).ok()) else { continue };
            for (name, value) in &tier {
                if let Some((part, (text, _))) = Part::read(name).zip(rate(value.get(), 12).ok()) {
                    self.put(&Part { over, ..part }, text);
                }
            }
        }
    }

    /// The rows with both prices; one that names only some takes the other from its tier below the threshold.
    fn finish(self, importer: &mut Importer<'_>, key: &str) -> Vec<RateRow> {
        let mut finished: Vec<RateRow> = Vec::new();
        for ((tier, over), row) in &self.plain {
            let below = self.plain.get(&(tier.clone(), 0)).cloned().unwrap_or_default();
            let (input, output) = (row.input.clone().or(below.input), row.output.clone().or(below.output));
            if input.is_none() || output.is_none() {
                importer
                    .warn(key, format!("tier {tier} over {over} tokens lacks the price of input or output; left out"));
                continue;
            }
            let service_tier = (tier != DEFAULT_TIER).then(|| tier.clone());
            let context_over = (*over > 0).then_some(*over);
            finished.push(RateRow { input, output, service_tier, context_over, ..row.clone() });
        }
        finished.extend(self.scheduled);
        finished
    }
}

/// Puts a price where its class belongs.
pub(super) fn set(row: &mut RateRow, class: &str, hours: u32, text: String) {
    let slot = match class {
        "input" => &mut row.input,
        "output" => &mut row.output,
        "cache_read" => &mut row.cache_read,
        "cache_read_audio" => &mut row.cache_read_audio,
        "reasoning" => &mut row.reasoning,
        "audio_in" => &mut row.audio_in,
        "image_in" => &mut row.image_in,
        "audio_out" => &mut row.audio_out,
        "image_out" => &mut row.image_out,
        _ => {
            let time = if hours == 0 { "5m".to_owned() } else { format!("{hours}h") };
            row.cache_write.insert(time, text);
            return;
        }
    };
    *slot = Some(text);
}

pub(super) fn text_of(entry: &Members<'_>, name: &str) -> Option<String> {
    serde_json::from_str(entry.get(name)?.get()).ok()
}

fn number(entry: &Members<'_>, name: &str) -> Option<u64> {
    entry.get(name)?.get().parse().ok()
}
