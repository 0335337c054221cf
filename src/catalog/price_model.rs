//! A model with checked rows, and the choice among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::price::{Basis, Rate, Rates};
use super::price_card::{Card, DEFAULT_TIER};
use super::price_file::ModelPrices;
use super::price_schedule::Schedule;
use crate::kit::usage::Bucket;
use crate::kit::{Time, decimal};

/// A model of a price file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// As it was written, with what the file says for all its models filled in.
    pub prices: ModelPrices,
    /// Its rows.
    pub cards: Vec<Card>,
    /// `shipped`, or the file that overrides it.
    pub origin: Arc<str>,
    patterns: Vec<String>,
    per_request: Rate,
    regions: BTreeMap<String, Uplift>,
    speeds: BTreeMap<String, Uplift>,
}

/// When and how a call was billed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Billing<'a> {
    /// When the request started: where a provider does not say, its start decides.
    pub at: Time,
    /// The service tier in the answer; the default one when it names none.
    pub service_tier: Option<&'a str>,
    /// The region: from the answer, else from the address that was called.
    pub region: Option<&'a str>,
    /// The speed in the answer.
    pub speed: Option<&'a str>,
}

/// How many times as much tokens cost, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uplift(u64);

impl Uplift {
    const NONE: Self = Self(1_000_000);

    fn of(self, rate: Rate) -> Option<Rate> {
        let scaled = u128::from(rate.pico()) * u128::from(self.0);
        if !scaled.is_multiple_of(1_000_000) {
            return None;
        }
        Rate::from_pico(u64::try_from(scaled / 1_000_000).ok()?)
    }
}

impl Model {
    /// Checks a model.
    ///
    /// # Errors
    /// One sentence about the first thing that is wrong.
    pub(super) fn new(
        prices: ModelPrices,
        origin: Arc<str>,
        schedules: &BTreeMap<String, Arc<Schedule>>,
    ) -> Result<Self, String> {
        if prices.id.is_empty() || prices.rates.is_empty() {
            return Err("a model needs an id and at least one row of rates".to_owned());
        }
        let fee = |name: &str, text: &Option<String>, zeros| match text {
            None => Ok(None),
            Some(text) => Rate::parse(text, zeros).map(Some).map_err(|error| format!("fees.{name}: {error}")),
        };
        let searches = fee("web_search_per_1k", &prices.fees.web_search_per_1k, 3)?;
        let maps = fee("maps_per_1k", &prices.fees.maps_per_1k, 3)?;
        let cards = prices.rates.iter().map(|row| {
            let mut card = Card::new(row, schedules)?;
            for (bucket, rate) in [(Bucket::Searches, searches), (Bucket::Maps, maps)] {
                if let Some(rate) = rate {
                    card.units[bucket as usize] = (rate, Basis::Listed);
                }
            }
            card.version = version(&prices, &card);
            Ok(card)
        });
        let model = Self {
            cards: cards.collect::<Result<_, String>>()?,
            patterns: prices.patterns.iter().flatten().map(|pattern| pattern.replace("{id}", &prices.id)).collect(),
            per_request: fee("per_request", &prices.fees.per_request, 0)?.unwrap_or_default(),
            regions: uplifts("regions", &prices.regions)?,
            speeds: uplifts("speeds", &prices.speeds)?,
            prices,
            origin,
        };
        model.check_uplifts()?;
        Ok(model)
    }

    /// How well a name fits: the more letters a pattern spells out the better, the id itself best.
    pub(super) fn fits(&self, name: &str) -> Option<usize> {
        if name == self.prices.id {
            return Some(usize::MAX);
        }
        let fitting = self.patterns.iter().filter(|pattern| matches(pattern.as_bytes(), name.as_bytes()));
        fitting.map(|pattern| pattern.bytes().filter(|&byte| byte != b'*').count()).max()
    }

    /// The rates for a call with so many input tokens, cached ones included. `None` when no row holds at that time.
    pub fn rates(&self, billing: &Billing<'_>, input: u64) -> Option<Rates> {
        let tier = billing.service_tier.unwrap_or(DEFAULT_TIER);
        let holding = |tier: &str| {
            let cards = self.cards.iter().filter(|card| card.tier == tier && card.in_force(billing.at));
            cards.filter(|card| card.reaches(input)).max_by_key(|card| card.rank())
        };
        let standard = holding(DEFAULT_TIER);
        let (card, mut basis) = match holding(tier) {
            // this tier is silent about a context tier that the default one has
            Some(card) if standard.is_some_and(|standard| standard.over > card.over) => (card, Basis::Guessed),
            Some(card) => (card, Basis::Listed),
            None => (standard?, Basis::Guessed),
        };
        let region = billing.region.and_then(|region| self.regions.get(region));
        let speed = billing.speed.and_then(|speed| self.speeds.get(speed));
        if speed.is_none() && billing.speed.is_some_and(|speed| speed != "standard") {
            basis = Basis::Guessed;
        }
        let mut version = card.version.clone();
        for (word, _) in [billing.region.zip(region), billing.speed.zip(speed)].into_iter().flatten() {
            version = format!("{version}+{word}").into();
        }
        let none = Uplift::NONE;
        let units = uplifted(card, *region.unwrap_or(&none), *speed.unwrap_or(&none))?;
        Some(Rates { units, per_request: self.per_request, row: basis, version })
    }

    /// Whether a later row for the same calls holds on that day.
    pub(super) fn replaced(&self, card: &Card, at: Time) -> bool {
        let later = |other: &&Card| other.key() == card.key() && other.row.effective_from > card.row.effective_from;
        self.cards.iter().filter(later).any(|other| other.on_day(at))
    }

    /// The rows that could be billed for at most so much input on that day, at any hour, each with every uplift that
    /// `billing` leaves open. What `billing` names holds; a named tier may still be served as the default one.
    pub(super) fn possible(&self, billing: &Billing<'_>, input: u64) -> Vec<Rates> {
        let tier = |card: &Card| billing.service_tier.is_none_or(|tier| card.tier == tier || card.tier == DEFAULT_TIER);
        let cards = self.cards.iter().filter(|card| tier(card) && card.on_day(billing.at) && card.reaches(input));
        let cards = cards.filter(|card| !self.replaced(card, billing.at));
        let regions = open(&self.regions, billing.region);
        let speeds = open(&self.speeds, billing.speed);
        let mut possible = Vec::new();
        for card in cards {
            for (&region, &speed) in regions.iter().flat_map(|region| speeds.iter().map(move |speed| (region, speed))) {
                let Some(units) = uplifted(card, region, speed) else { continue };
                let (per_request, version) = (self.per_request, card.version.clone());
                possible.push(Rates { units, per_request, row: Basis::Listed, version });
            }
        }
        possible
    }

    /// Every product of rates and uplifts must be a whole number of picodollars, or sums would need rounding.
    fn check_uplifts(&self) -> Result<(), String> {
        let regions = open(&self.regions, None);
        for (card, region) in self.cards.iter().flat_map(|card| regions.iter().map(move |region| (card, region))) {
            for speed in open(&self.speeds, None) {
                if uplifted(card, *region, speed).is_none() {
                    return Err("a rate times its uplift is finer than a picodollar; write the rows out".to_owned());
                }
            }
        }
        Ok(())
    }
}

/// The uplifts that may apply: the named one, else all of them and none.
fn open(uplifts: &BTreeMap<String, Uplift>, named: Option<&str>) -> Vec<Uplift> {
    match named {
        Some(name) => vec![*uplifts.get(name).unwrap_or(&Uplift::NONE)],
        None => uplifts.values().copied().chain([Uplift::NONE]).collect(),
    }
}

/// The card's rates; uplifts are for tokens, not for fees.
fn uplifted(card: &Card, region: Uplift, speed: Uplift) -> Option<[(Rate, Basis); Bucket::COUNT]> {
    let mut units = card.units;
    for bucket in Bucket::INPUT.into_iter().chain(Bucket::OUTPUT) {
        let unit = &mut units[bucket as usize];
        unit.0 = speed.of(region.of(unit.0)?)?;
    }
    Some(units)
}

fn uplifts(name: &str, texts: &BTreeMap<String, String>) -> Result<BTreeMap<String, Uplift>, String> {
    let uplift = |(word, text): (&String, &String)| {
        let millionths = decimal::exact(text, 6).ok().and_then(|value| u64::try_from(value).ok());
        let millionths = millionths.filter(|value| (1..=100_000_000).contains(value));
        let millionths =
            millionths.ok_or_else(|| format!("{name}.{word}: {text:?} is no factor; write it like \"1.1\""))?;
        Ok((word.clone(), Uplift(millionths)))
    };
    texts.iter().map(uplift).collect()
}

/// `#` is one digit, `*` any run of bytes.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        Some((&first, rest)) => name.split_first().is_some_and(|(&byte, name)| {
            (byte == first || (first == b'#' && byte.is_ascii_digit())) && matches(rest, name)
        }),
    }
}

/// A hash of all that a row says, and the day it came into force: an entry of the ledger names what priced it.
fn version(prices: &ModelPrices, card: &Card) -> Arc<str> {
    let said = format!("{}\n{:?}\n{:?}\n{:?}\n{:?}", prices.id, card.row, card.cmp, card.schedule, prices.fees);
    let hash = Sha256::digest(said.as_bytes());
    let hex: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    match card.row.effective_from {
        Some(from) => format!("{hex}@{from}").into(),
        None => hex.into(),
    }
}
