//! What a careful reader would find in the price table: old dates, rows that contradict each other, missing rates.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::price::Basis;
use super::price_card::{Card, DEFAULT_TIER};
use super::price_model::Model;
use super::prices::{Prices, Sheet};
use crate::kit::usage::Bucket;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The provider's id.
    pub provider: String,
    /// The model's id; empty for the whole provider.
    pub model: String,
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// One sentence.
    pub message: String,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Nobody has looked at the prices for long, or nobody has written down when.
    Stale,
    /// Two rows claim the same call.
    Overlap,
    /// A rate or a row is missing, so that costs are estimated.
    Missing,
    /// The provider has turned the model off.
    Retired,
    /// A list of holidays has run out.
    Holidays,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.model.is_empty() { "" } else { "/" };
        write!(f, "{}{slash}{}: {}", self.provider, self.model, self.message)
    }
}

/// Looks the table over on a day; prices that were checked more than `stale_days` before it are stale.
pub fn check(prices: &Prices, today: Date, stale_days: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (provider, sheet) in prices.sheets() {
        let mut add = |model: &str, kind, message| {
            findings.push(Finding { provider: provider.clone(), model: model.to_owned(), kind, message });
        };
        holidays(sheet, today, &mut |kind, message| add("", kind, message));
        for model in &sheet.models {
            let mut add = |kind, message| add(&model.prices.id, kind, message);
            age(model, today, stale_days, &mut add);
            overlaps(model, &mut add);
            missing_rates(model, &mut add);
            missing_rows(model, &mut add);
        }
    }
    findings
}

type Add<'a> = &'a mut dyn FnMut(FindingKind, String);

fn holidays(sheet: &Sheet, today: Date, add: Add<'_>) {
    for (name, schedule) in &sheet.schedules {
        if let Some(last) = schedule.last_holiday().filter(|&last| last < today) {
            add(FindingKind::Holidays, format!("the holidays of schedule {name} end on {last}; add those to come"));
        }
    }
}

fn age(model: &Model, today: Date, stale_days: u32, add: Add<'_>) {
    match model.prices.checked {
        // what costs nothing does not grow old
        None if model.cards.iter().all(|card| card.units.iter().all(|(rate, _)| rate.pico() == 0)) => {}
        None => add(FindingKind::Stale, "it does not say when the prices were checked; add checked".to_owned()),
        Some(checked) => {
            let limit = checked.checked_add(i64::from(stale_days).days()).unwrap_or(Date::MAX);
            if limit < today {
                add(FindingKind::Stale, format!("checked on {checked}; compare with {}", source(model)));
            }
        }
    }
    if let Some(retires) = model.prices.retires.filter(|&retires| retires <= today) {
        add(FindingKind::Retired, format!("the provider turned it off on {retires}"));
    }
}

fn source(model: &Model) -> &str {
    model.prices.source.as_deref().unwrap_or("the provider's page")
}

fn overlaps(model: &Model, add: Add<'_>) {
    for (at, card) in model.cards.iter().enumerate() {
        for other in &model.cards[at + 1..] {
            let (first, second) = (
                &card.row.effective_from.min(other.row.effective_from),
                card.row.effective_from.max(other.row.effective_from),
            );
            let earlier = if card.row.effective_from <= other.row.effective_from { card } else { other };
            if card.key() != other.key() {
                continue;
            }
            // an open end is closed by the next row; a stated end beyond it is a contradiction
            let beyond = earlier.row.effective_until.zip(second).is_some_and(|(until, next)| until > next);
            if *first == second || beyond {
                add(FindingKind::Overlap, format!("two rows for {} hold on the same days", named(card)));
            }
        }
    }
}

/// Classes that the base row prices and another one does not.
fn missing_rates(model: &Model, add: Add<'_>) {
    let Some(base) = model.cards.iter().find(|card| card.key() == (DEFAULT_TIER, 0, None)) else {
        add(FindingKind::Missing, "it has no row for the default tier and any context".to_owned());
        return;
    };
    const CLASSES: [(Bucket, &str); 7] = [
        (Bucket::CacheRead, "cache_read"),
        (Bucket::CacheReadAudio, "cache_read_audio"),
        (Bucket::CacheWrite, "cache_write"),
        (Bucket::CacheWrite1h, "cache_write for an hour"),
        (Bucket::CacheWrite12h, "cache_write for twelve hours"),
        (Bucket::AudioIn, "audio_in"),
        (Bucket::AudioOut, "audio_out"),
    ];
    let listed = |card: &Card, bucket: Bucket| card.units[bucket as usize].1 == Basis::Listed;
    for card in model.cards.iter().filter(|card| card.key() != base.key() || card.row.effective_from.is_some()) {
        let lacks = CLASSES.iter().filter(|&&(bucket, _)| listed(base, bucket) && !listed(card, bucket));
        let lacks: Vec<&str> = lacks.map(|&(_, name)| name).collect();
        if !lacks.is_empty() {
            add(FindingKind::Missing, format!("the row for {} has no {}", named(card), lacks.join(", ")));
        }
    }
}

/// Tiers without a context tier that the default one has, and tiers that end where the default one goes on.
fn missing_rows(model: &Model, add: Add<'_>) {
    let base = |card: &&Card| card.over == 0 && card.row.schedule.is_none();
    let changed = model.cards.iter().filter(base).filter(|card| card.tier == DEFAULT_TIER);
    let changed = changed.filter_map(|card| card.row.effective_from).max();
    for card in model.cards.iter().filter(base).filter(|card| card.tier != DEFAULT_TIER) {
        for cliff in model.cards.iter().filter(|cliff| cliff.tier == DEFAULT_TIER && cliff.over > 0) {
            if !model.cards.iter().any(|other| other.tier == card.tier && other.over == cliff.over) {
                add(FindingKind::Missing, format!("{} has no row over {} tokens", named(card), cliff.over));
            }
        }
        let successor = |other: &Card| other.key() == card.key() && other.row.effective_from > card.row.effective_from;
        match (card.row.effective_until, changed) {
            (Some(until), _) if !model.cards.iter().any(successor) => {
                add(FindingKind::Missing, format!("{} has no rates from {until} on", named(card)));
            }
            (None, Some(changed)) if card.row.effective_from < Some(changed) && !model.cards.iter().any(successor) => {
                add(
                    FindingKind::Overlap,
                    format!("{} outlives the default prices that changed on {changed}", named(card)),
                );
            }
            _ => {}
        }
    }
}

fn named(card: &Card) -> String {
    let mut name = format!("tier {}", card.tier);
    if card.over > 0 {
        name += &format!(" over {} tokens", card.over);
    }
    if let Some(schedule) = &card.row.schedule {
        name += &format!(" in {schedule}");
    }
    if let Some(from) = card.row.effective_from {
        name += &format!(" from {from}");
    }
    name
}
