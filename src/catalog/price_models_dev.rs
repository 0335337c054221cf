//! Reads models.dev's catalogue: providers with models, prices for a million tokens as floating-point numbers.
//!
//! Its traps: the old `context_over_200k` was put on tiers that begin elsewhere, so it counts only where nothing says
//! better; it knows one time for cache writes, no service tiers, and of providers with peak hours only the off-peak price.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::price_file::RateRow;
use super::price_import::{Fineness, Found, ImportError, Imported, Importer, rate};
use super::prices::Prices;

type Members<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Provider<'a> {
    #[serde(borrow, default)]
    models: BTreeMap<String, Model<'a>>,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow, default)]
    cost: Members<'a>,
    #[serde(default)]
    limit: Limit,
}

#[derive(Default, Deserialize)]
struct Limit {
    context: Option<u64>,
    input: Option<u64>,
    output: Option<u64>,
}

#[derive(Deserialize)]
struct Threshold {
    #[serde(rename = "type", default)]
    kind: String,
    size: u64,
}

/// Reads the catalogue and lays what is new over the table.
///
/// # Errors
/// When it is not such a catalogue.
pub fn import(text: &str, prices: &Prices, today: Date) -> Result<Imported, ImportError> {
    let providers: BTreeMap<String, Provider<'_>> =
        serde_json::from_str(text).map_err(|error| ImportError(error.to_string()))?;
    let mut importer = Importer::new(prices, "models.dev", today);
    let mut foreign = 0;
    for (named, provider) in providers {
        let Some(ours) = importer.provider(&named) else {
            foreign += provider.models.len();
            continue;
        };
        for (id, model) in provider.models {
            take(&mut importer, ours, &id, &model);
        }
    }
    if foreign > 0 {
        let words = format!("{foreign} models of providers that have no price file were left out");
        importer.done.warnings.push(words);
    }
    Ok(importer.done)
}

fn take(importer: &mut Importer<'_>, provider: &str, id: &str, model: &Model<'_>) {
    let name = format!("{provider}/{id}");
    let known = importer.prices.model(provider, id).filter(|known| known.prices.id == id);
    let cards = known.map(|known| known.cards.as_slice()).unwrap_or_default();
    if cards.iter().any(|card| card.row.schedule.is_some()) {
        importer.warn(&name, "it has peak hours, of which this catalogue knows nothing; left as it is");
        return;
    }
    let tiers = cards.iter().any(|card| card.row.service_tier.is_some());
    // the time that the provider's caches are kept by default, as the table writes it
    let written = cards.iter().find_map(|card| card.row.cache_write.keys().find(|time| time.ends_with('m')).cloned());
    let written = written.unwrap_or_else(|| "5m".to_owned());
    let Some(base) = row(importer, &name, &model.cost, &written) else { return };
    let free = |price: &Option<String>| price.as_deref() == Some("0");
    if free(&base.input) && free(&base.output) {
        importer.warn(&name, "its price is 0, which may mean that it is not known; left out");
        return;
    }
    let mut rows = vec![base];
    for (over, cost) in thresholds(importer, &name, cards.iter().map(|card| card.over).max(), &model.cost) {
        let row = row(importer, &name, &cost, &written);
        rows.extend(row.map(|row| RateRow { context_over: Some(over), ..row }));
    }
    let warned = importer.done.unchanged;
    let found = Found {
        id: id.to_owned(),
        context: model.limit.input.or(model.limit.context),
        max_output: model.limit.output,
        rows,
        ..Found::default()
    };
    importer.take(provider, found);
    if tiers && importer.done.unchanged == warned {
        importer.warn(&name, "this catalogue knows no service tiers; those of the table stay as they are");
    }
}

/// Where higher prices begin, and those prices.
fn thresholds<'a>(
    importer: &mut Importer<'_>,
    name: &str,
    known: Option<u64>,
    cost: &Members<'a>,
) -> Vec<(u64, Members<'a>)> {
    let tiers: Option<Vec<Members<'a>>> = cost.get("tiers").and_then(|raw| serde_json::from_str(raw.get()).ok());
    let mut found = Vec::new();
    for tier in tiers.unwrap_or_default() {
        match tier.get("tier").and_then(|raw| serde_json::from_str::<Threshold>(raw.get()).ok()) {
            Some(threshold) if threshold.kind == "context" => found.push((threshold.size, tier)),
            _ => importer.warn(name, "a tier that is not one of context was left out"),
        }
    }
    let old = cost.get("context_over_200k").and_then(|raw| serde_json::from_str::<Members<'a>>(raw.get()).ok());
    if let Some(old) = old.filter(|_| found.is_empty()) {
        let over = known.filter(|&over| over > 0).unwrap_or(200_000);
        let words = "context_over_200k is known to stand for other thresholds; taken as over";
        importer.warn(name, format!("{words} {over} tokens"));
        found.push((over, old));
    }
    found
}

fn row(importer: &mut Importer<'_>, name: &str, cost: &Members<'_>, written: &str) -> Option<RateRow> {
    let mut price = |member: &str| {
        let raw = cost.get(member).filter(|raw| raw.get() != "null")?;
        match rate(raw.get(), 6) {
            Ok((text, Fineness::Kept)) => Some(text),
            Ok((text, Fineness::Rounded)) => {
                importer.warn(name, format!("{member} is finer than a picodollar and was rounded to {text}"));
                Some(text)
            }
            Err(error) => {
                importer.warn(name, format!("{member}: {error}"));
                None
            }
        }
    };
    let row = RateRow {
        input: price("input"),
        output: price("output"),
        cache_read: price("cache_read"),
        cache_write: price("cache_write").map(|text| (written.to_owned(), text)).into_iter().collect(),
        reasoning: price("reasoning"),
        audio_in: price("input_audio"),
        audio_out: price("output_audio"),
        ..RateRow::default()
    };
    (row.input.is_some() && row.output.is_some()).then_some(row)
}
