//! Reads what a call consumed out of answers: whole bodies and the frames of a stream, every provider's nesting, into
//! buckets that do not overlap.
//!
//! In a stream the last usage counts, wherever it stands; usages are never summed, since most are cumulative. A usage
//! object tells by its members which family it is of, because one provider may speak several dialects; the shape that
//! data names settles what the members cannot.

mod counts;
mod fields;
mod pieces;

use serde_json::value::RawValue;

use crate::kit::usage::{Metering, Shape};
use crate::kit::{Money, Usage};
use counts::Tokens;
use fields::{Fields, at};
use pieces::Pieces;

/// What an answer said about itself. What it did not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The tokens.
    pub usage: Option<Usage>,
    /// The model that answered: prices go by it, and not by the one that was asked for.
    pub model: Option<String>,
    /// The service tier that was billed.
    pub service_tier: Option<String>,
    /// The region that was billed.
    pub region: Option<String>,
    /// The speed that was billed.
    pub speed: Option<String>,
    /// The provider's own price for the call.
    pub cost: Option<Money>,
    /// How sure the buckets are.
    pub split: Split,
}

/// How sure the buckets of a report are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// As the provider said.
    #[default]
    Told,
    /// Cache writes were split over their times by inference: the provider gave a total and a smaller breakdown.
    Inferred,
    /// The provider did not say, so that they were counted here.
    Counted,
}

/// Collects what the frames of one answer say. A whole body is an answer of one frame.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    metering: Metering,
    report: Report,
    pieces: Option<Pieces>,
}

/// Reads a whole answer.
pub fn read(body: &[u8], metering: &Metering) -> Report {
    let mut meter = Meter::new(metering.clone());
    meter.json(body);
    meter.report()
}

/// Whether a frame may hold usage, by its bytes alone: `"usage":null`, which stands in every chunk of some providers, is
/// passed over.
pub fn mentions(frame: &[u8]) -> bool {
    const KEY: &[u8] = b"\"usage";
    memchr::memmem::find_iter(frame, KEY).any(|found| {
        let after = &frame[found + KEY.len()..];
        let value = after.strip_prefix(b"\"").map(<[u8]>::trim_ascii_start).and_then(|rest| rest.strip_prefix(b":"));
        !value.is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
    })
}

/// Whether a frame says nothing but usage: its choices are empty. Only a client that asked for usage expects it.
pub fn stands_alone(frame: &[u8]) -> bool {
    const KEY: &[u8] = b"\"choices\"";
    let empty = |at: usize| {
        let value = frame[at + KEY.len()..].trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        let inside = value.and_then(|value| value.strip_prefix(b"["));
        inside.is_some_and(|inside| inside.trim_ascii_start().starts_with(b"]"))
    };
    mentions(frame) && memchr::memmem::find_iter(frame, KEY).any(empty)
}

impl Meter {
    /// A meter for one answer of a provider.
    pub fn new(metering: Metering) -> Self {
        Self { metering, ..Self::default() }
    }

    /// Reads one frame of an event stream, with or without its blank line.
    pub fn frame(&mut self, frame: &[u8]) {
        if mentions(frame)
            && let Some(data) = super::sse::data(frame)
        {
            self.json(data);
        }
    }

    /// What was said so far.
    pub fn report(&self) -> Report {
        let mut report = self.report.clone();
        if let Some(pieces) = &self.pieces {
            let (usage, split) = pieces.usage();
            (report.usage, report.split) = (Some(usage), split);
        }
        report
    }

    /// Reads a body, or the data of a frame: an object, or a stream's objects in one array. Anything else says nothing.
    fn json(&mut self, text: &[u8]) {
        let Some(text) = std::str::from_utf8(text).ok() else { return };
        // blank lines keep a slow answer's connection alive before its body begins
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
        if text.starts_with('[') {
            let chunks: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            chunks.iter().for_each(|chunk| self.document(chunk.get()));
        } else {
            self.document(text);
        }
    }

    fn document(&mut self, text: &str) {
        let Some(top) = Fields::parse(text) else { return };
        let inner = top.object("response").or_else(|| top.object("message"));
        for holder in [Some(&top), inner.as_ref()].into_iter().flatten() {
            keep(&mut self.report.model, holder.text("model").or_else(|| holder.text("modelVersion")));
            keep(&mut self.report.service_tier, holder.text("service_tier"));
            for name in ["usage", "usageMetadata"] {
                if let Some(usage) = holder.object(name) {
                    self.usage(&usage);
                }
            }
        }
        let also = self.metering.also_at.as_deref().and_then(|pointer| at(text, pointer));
        if let Some(usage) = also.and_then(Fields::parse) {
            self.usage(&usage);
        }
    }

    fn usage(&mut self, usage: &Fields<'_>) {
        keep(&mut self.report.service_tier, usage.text("service_tier").or_else(|| usage.text("serviceTier")));
        keep(&mut self.report.region, usage.text("inference_geo"));
        keep(&mut self.report.speed, usage.text("speed"));
        if let Some(cost) = self.cost(usage) {
            self.report.cost = Some(cost);
        }
        let shape = if self.pieces.is_some() { Shape::CacheApart } else { family(usage, self.metering.shape) };
        if shape == Shape::CacheApart {
            self.pieces.get_or_insert_default().take(usage);
            return;
        }
        // an empty or all-zero object after a real one is a filler, not the final count
        if let Some(tokens) = Tokens::read(usage, shape)
            && (self.report.usage.is_none() || !tokens.is_zero())
        {
            self.report.usage = Some(tokens.usage());
        }
    }

    fn cost(&self, usage: &Fields<'_>) -> Option<Money> {
        let told = self.metering.cost.as_ref()?;
        let worth = |raw: &str| {
            let (units, _) = Money::parse_near(raw).ok()?;
            units
                .pico()
                .checked_mul(told.unit.pico())
                .map(|pico| Money::from_pico(crate::kit::decimal::divided(pico, ONE)))
        };
        let own = worth(usage.number(&told.field)?)?;
        let upstream = told.upstream.as_ref().filter(|cost| at(usage.raw(), &cost.when) == Some("true"));
        let upstream = upstream.and_then(|cost| Money::parse_near(at(usage.raw(), &cost.at)?).ok());
        let upstream = upstream.map(|(usd, _)| usd);
        own.checked_add(upstream.unwrap_or_default())
    }
}

/// One USD in picodollars.
const ONE: i128 = 1_000_000_000_000;

/// The last word said; the empty strings of a first chunk say nothing.
fn keep(slot: &mut Option<String>, said: Option<String>) {
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        *slot = Some(said);
    }
}

/// The family that a usage object shows by its members, else the one that data names.
fn family(usage: &Fields<'_>, named: Shape) -> Shape {
    let prompt = usage.has("prompt_tokens");
    let cache = ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"];
    if usage.has("promptTokenCount") || usage.has("totalTokenCount") {
        Shape::ThoughtsApart
    } else if !prompt && !usage.has("input_tokens_details") && cache.iter().any(|name| usage.has(name)) {
        Shape::CacheApart
    } else if prompt && named == Shape::CacheApart {
        Shape::Inclusive
    } else if prompt && named == Shape::ThoughtsApart {
        // the same service behind a compatible endpoint still leaves thoughts out of the completion
        Shape::ReasoningApart
    } else {
        named
    }
}
