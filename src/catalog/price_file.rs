//! A price file as people write it: one provider, its models, and the rows of their rates.
//!
//! Amounts are decimal strings of USD for a million tokens, fees for a thousand uses. A row holds for one service tier,
//! from a context size on, in a schedule, for a span of days; what it leaves out holds always. Rows are a product: the
//! most specific one that holds decides, and nothing is multiplied.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::kit::usage::{ReportedCost, Shape};

/// One provider's prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceFile {
    /// The provider's id.
    pub provider: String,
    /// Its names in other catalogues, for `price import`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<String>,
    /// How its usage objects nest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Shape>,
    /// A JSON pointer to usage in stream frames, besides the usual places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_also_at: Option<String>,
    /// Where it tells its own price for a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_cost: Option<ReportedCost>,
    /// Other names of service tiers in its answers: `standard` → `default`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tier_names: BTreeMap<String, String>,
    /// Names that every model also answers to; `{id}` is its id, `#` a digit, `*` anything.
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// How its context tiers are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmp: Option<Cmp>,
    /// Where the prices were read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Date>,
    /// Hours at which rows with the schedule's name hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<String, Hours>,
    /// The models.
    pub models: Vec<ModelPrices>,
}

/// How a context tier is compared with the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cmp {
    /// From the first token over the threshold on.
    #[default]
    Gt,
    /// From the threshold itself on.
    Ge,
}

/// The hours of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hours {
    /// The offset from UTC by which days of the week and holidays are told: `+08:00`.
    pub zone: String,
    /// When it holds.
    pub windows: Vec<HoursOfDay>,
    /// Days on which it holds all day, in the schedule's zone.
    pub holidays: Vec<Date>,
}

/// Hours on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursOfDay {
    /// `mon` to `sun`: the days on which a window opens.
    pub days: Vec<String>,
    /// `16:30-00:30`: the start belongs to it, the end does not; past midnight it goes on into the next day.
    pub utc: Vec<String>,
}

/// A model's prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelPrices {
    /// Its id at the provider.
    pub id: String,
    /// Further names it answers to, instead of the file's `match`.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub patterns: Option<Vec<String>>,
    /// The most input tokens it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// The most output tokens it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// When the provider turns it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires: Option<Date>,
    /// What a reader of the prices should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Where its prices were read, if not where the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When, if not when the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Date>,
    /// Whether an override keeps the rows of the file it overrides, so that history and announced changes stay.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_rows: bool,
    /// Whether its rates come on top of those of the model that answered: a router that charges for its choice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adds_to_answer: bool,
    /// Regions that cost more, and how many times as much their tokens cost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, String>,
    /// Speeds that cost more, likewise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub speeds: BTreeMap<String, String>,
    /// Fees besides tokens.
    #[serde(skip_serializing_if = "Fees::is_none")]
    pub fees: Fees,
    /// Its rates.
    pub rates: Vec<RateRow>,
}

/// Fees besides tokens, in USD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fees {
    /// For every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_request: Option<String>,
    /// For a thousand web searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search_per_1k: Option<String>,
    /// For a thousand map look-ups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maps_per_1k: Option<String>,
}

impl Fees {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One row of rates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rates are named like the buckets of `kit::Usage`")]
pub struct RateRow {
    /// The first day it holds, in UTC; always when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<Date>,
    /// The first day it no longer holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_until: Option<Date>,
    /// The service tier it holds for; `default` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The input tokens over which it holds, for the whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_over: Option<u64>,
    /// How that is compared, if not as the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmp: Option<Cmp>,
    /// The schedule it holds in; it replaces the row without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read_audio: Option<String>,
    /// By the time for which the cache is kept: `{ "5m" = "2.5", "1h" = "4" }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cache_write: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_in: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_in: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_out: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_out: Option<String>,
}
