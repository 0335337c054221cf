//! Other people's price catalogues as price files of our own, to be laid over the shipped ones.
//!
//! Only what differs from the table is written, as rows from the day of the import on: history and announced changes
//! stay. Everything that a catalogue cannot say is kept from the table, and named in a warning.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::price_card::Card;
use super::price_file::{Hours, ModelPrices, PriceFile, RateRow};
use super::price_model::Model;
use super::prices::Prices;
use crate::kit::Time;
use crate::kit::decimal::{self, DecimalError};

/// What an import gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// A file for each provider with something new, by its id.
    pub files: BTreeMap<String, PriceFile>,
    /// What to know before using them: one sentence each.
    pub warnings: Vec<String>,
    /// How many models cost what the table says already.
    pub unchanged: usize,
}

/// Why a catalogue cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the catalogue that it should be: {0}")]
pub struct ImportError(pub String);

impl Imported {
    /// The files as TOML texts, by the provider's id.
    ///
    /// # Errors
    /// Never for what this module makes; the serializer's words otherwise.
    pub fn texts(&self) -> Result<BTreeMap<String, String>, ImportError> {
        let text = |file: &PriceFile| toml::to_string(file).map_err(|error| ImportError(error.to_string()));
        self.files.iter().map(|(provider, file)| Ok((provider.clone(), text(file)?))).collect()
    }
}

/// A model as a catalogue has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) context: Option<u64>,
    pub(super) max_output: Option<u64>,
    pub(super) retires: Option<Date>,
    pub(super) rows: Vec<RateRow>,
    /// The hours of the rows with a schedule.
    pub(super) hours: Option<Hours>,
}

/// The name of imported schedules.
pub(super) const OFF_PEAK: &str = "off_peak";

/// Puts what is found over the table.
pub(super) struct Importer<'a> {
    pub(super) prices: &'a Prices,
    pub(super) catalogue: &'static str,
    pub(super) today: Date,
    pub(super) done: Imported,
}

impl<'a> Importer<'a> {
    pub(super) fn new(prices: &'a Prices, catalogue: &'static str, today: Date) -> Self {
        Self { prices, catalogue, today, done: Imported::default() }
    }

    /// Our id for a provider that another catalogue names.
    pub(super) fn provider(&self, name: &str) -> Option<&'a str> {
        let sheets = self.prices.sheets();
        let known = |id: &&String| *id == name || sheets[*id].file.known_as.iter().any(|other| other == name);
        sheets.keys().find(known).map(String::as_str)
    }

    pub(super) fn warn(&mut self, model: &str, words: impl std::fmt::Display) {
        self.done.warnings.push(format!("{model}: {words}"));
    }

    /// Takes a model, if it says anything new.
    pub(super) fn take(&mut self, provider: &str, found: Found) {
        let name = format!("{provider}/{}", found.id);
        let known = self.prices.model(provider, &found.id).filter(|model| model.prices.id == found.id);
        let mut rows = found.rows;
        if let Some(model) = known {
            self.keep_announced(&name, model);
            rows.retain(|row| !self.says(model, row));
            if rows.is_empty() {
                self.done.unchanged += 1;
                return;
            }
        }
        for row in &mut rows {
            row.effective_from = known.map(|_| self.today);
        }
        let hours = found.hours.filter(|_| rows.iter().any(|row| row.schedule.is_some()));
        if let Some(hours) = hours {
            self.schedule(provider, &name, hours, &mut rows);
        }
        let (catalogue, today) = (self.catalogue, self.today);
        let file = self.done.files.entry(provider.to_owned()).or_insert_with(|| PriceFile {
            provider: provider.to_owned(),
            source: catalogue.to_owned(),
            checked: Some(today),
            ..PriceFile::default()
        });
        file.models.push(ModelPrices {
            id: found.id,
            context: found.context,
            max_output: found.max_output,
            retires: found.retires,
            keeps_rows: known.is_some(),
            rates: rows,
            ..ModelPrices::default()
        });
    }

    /// Announced changes are in no catalogue; they come into force over the imported rows.
    fn keep_announced(&mut self, name: &str, model: &Model) {
        let announced = model.cards.iter().filter_map(|card| card.row.effective_from).filter(|&from| from > self.today);
        if let Some(from) = announced.min() {
            self.warn(name, format!("the change of {from} is not in this catalogue and stays in the table"));
        }
    }

    /// Whether the table says on that day what the row says.
    fn says(&self, model: &Model, row: &RateRow) -> bool {
        let plain = RateRow { schedule: None, ..row.clone() };
        let Ok(card) = Card::new(&plain, &BTreeMap::new()) else { return false };
        let day = self.today.to_zoned(jiff::tz::TimeZone::UTC).map(|day| day.timestamp().as_microsecond());
        let at = Time::from_micros(day.unwrap_or_default());
        let same = |other: &&Card| {
            let known = (&card.tier, card.over, row.schedule.as_deref());
            (&other.tier, other.over, other.row.schedule.as_deref()) == known && other.on_day(at)
        };
        let other = model.cards.iter().filter(same).max_by_key(|other| other.row.effective_from);
        other.is_some_and(|other| super::price::agrees(&card.units, &other.units))
    }

    /// Gives the file its schedule: one set of hours for a provider, with the holidays that the table knows.
    fn schedule(&mut self, provider: &str, name: &str, mut hours: Hours, rows: &mut Vec<RateRow>) {
        let known = self.prices.sheets().get(provider).and_then(|sheet| sheet.file.schedules.get(OFF_PEAK));
        match known {
            Some(known) => hours.holidays.clone_from(&known.holidays),
            None => self.warn(name, "its hours know no public holidays; add them by hand if the provider keeps them"),
        }
        let file = self.done.files.get(provider).and_then(|file| file.schedules.get(OFF_PEAK));
        if file.is_some_and(|other| *other != hours) {
            self.warn(name, "its hours differ from those of another model of the provider and were left out");
            rows.retain(|row| row.schedule.is_none());
            return;
        }
        let (catalogue, today) = (self.catalogue, self.today);
        let file = self.done.files.entry(provider.to_owned()).or_insert_with(|| PriceFile {
            provider: provider.to_owned(),
            source: catalogue.to_owned(),
            checked: Some(today),
            ..PriceFile::default()
        });
        file.schedules.insert(OFF_PEAK.to_owned(), hours);
    }
}

/// A price that went through floating point, as our decimal string; `scale` is 12 for the price of one token and 6 for
/// that of a million.
pub(super) fn rate(raw: &str, scale: u32) -> Result<(String, Fineness), DecimalError> {
    let (pico, _) = decimal::near(raw, scale)?;
    if pico < 0 {
        return Err(DecimalError::Syntax(raw.to_owned()));
    }
    // noise of floating point is some 17 digits down; a price that is really finer than a picodollar is not
    let (finer, _) = decimal::near(raw, scale + 12)?;
    let noise = (finer - pico * 1_000_000_000_000).unsigned_abs();
    let fineness =
        if noise.saturating_mul(1_000_000_000) > finer.unsigned_abs() { Fineness::Rounded } else { Fineness::Kept };
    Ok((decimal::text(pico, 6), fineness))
}

/// Whether a price fits in whole picodollars for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fineness {
    /// It does.
    Kept,
    /// It had to be rounded.
    Rounded,
}
