//! What is noted of a call for its spans while it is under way: nothing of what was said in it.

use std::borrow::Cow;

use http::HeaderMap;
use serde::Deserialize;

use super::trace::Trace;
use crate::store::Entry;
use crate::wire::{Call, Payload, sse};

/// Request fields that are numbers, by the names that they have in bodies; of several names the first counts.
const NUMBERS: [(Asked, &[&str]); 8] = [
    (Asked::MaxTokens, &["max_completion_tokens", "max_tokens", "max_output_tokens"]),
    (Asked::Temperature, &["temperature"]),
    (Asked::TopP, &["top_p"]),
    (Asked::TopK, &["top_k"]),
    (Asked::FrequencyPenalty, &["frequency_penalty"]),
    (Asked::PresencePenalty, &["presence_penalty"]),
    (Asked::Seed, &["seed"]),
    (Asked::Choices, &["n"]),
];

/// Longer names and ids are no names.
const LONGEST: usize = 200;

/// A number in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the request field of the same name")]
pub enum Asked {
    MaxTokens,
    Temperature,
    TopP,
    TopK,
    FrequencyPenalty,
    PresencePenalty,
    Seed,
    Choices,
}

/// What is told of a call besides its ledger entry.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its trace.
    pub trace: Trace,
    /// The HTTP method.
    pub method: String,
    /// What it asked for.
    pub asked: Vec<(Asked, f64)>,
    /// The encoding of embeddings that it asked for.
    pub encoding: Option<String>,
    /// The id that the provider gave the answer.
    pub answer: Option<String>,
    /// Why the answer ended, for each choice.
    pub finish: Vec<String>,
}

/// A call that is over.
pub struct Ended {
    /// Its ledger entry.
    pub entry: Entry,
    /// The rest.
    pub told: Told,
}

impl Told {
    /// What a call says of itself; `None` where the client wants its trace unrecorded.
    pub fn of(call: &Call, trace: Option<Trace>) -> Option<Box<Self>> {
        let trace = trace.unwrap_or_else(|| Trace::begun(call.id));
        if !trace.is_sampled() {
            return None;
        }
        let mut told = Self {
            trace,
            method: call.method.as_str().to_owned(),
            asked: Vec::new(),
            encoding: None,
            answer: None,
            finish: Vec::new(),
        };
        if let Payload::Json(json) = &call.payload {
            let number = |names: &[&str]| names.iter().find_map(|name| json.get(name)?.parse().ok());
            told.asked = NUMBERS.iter().filter_map(|(asked, names)| Some((*asked, number(names)?))).collect();
            told.encoding = json.str("encoding_format").filter(|text| text.len() < LONGEST);
        }
        Some(Box::new(told))
    }

    /// The headers of an attempt, counted from 1: they name its span, where the provider is told of traces at all.
    pub fn attach(&self, attempt: usize, headers: &mut HeaderMap) {
        headers.remove(super::trace::TRACEPARENT);
        if self.trace.parent.is_none() {
            // it belonged to a trace that could not be read
            headers.remove(super::trace::TRACESTATE);
        }
        if let Some(value) = self.trace.header(attempt) {
            headers.insert(super::trace::TRACEPARENT, value);
        }
    }

    /// Reads a frame of the answer.
    pub fn frame(&mut self, frame: &[u8]) {
        if (self.answer.is_none() || ends(frame))
            && let Some(data) = sse::data(frame)
        {
            self.answer(data);
        }
    }

    /// Reads a whole answer.
    pub fn answer(&mut self, body: &[u8]) {
        let Ok(said) = serde_json::from_slice::<Said<'_>>(body) else { return };
        let named = |text: &Cow<'_, str>| !text.is_empty() && text.len() < LONGEST;
        if self.answer.is_none() {
            self.answer = said.id.filter(named).map(Cow::into_owned);
        }
        let reasons = said.choices.into_iter().filter_map(|choice| choice.finish_reason).filter(named);
        self.finish.extend(reasons.map(Cow::into_owned));
        self.finish.truncate(16);
    }
}

/// Whether a frame names a reason for its end.
fn ends(frame: &[u8]) -> bool {
    const KEY: &[u8] = b"\"finish_reason\"";
    memchr::memmem::find_iter(frame, KEY).any(|at| {
        let value = frame[at + KEY.len()..].trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| value.starts_with(b"\""))
    })
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}
