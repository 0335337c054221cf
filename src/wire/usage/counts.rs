//! Usage objects that give a prompt and a completion with parts of them, in four nestings.
//!
//! What the parts leave over is the fresh text. Parts are held inside their whole, so that a provider's slip can make a
//! bucket wrong but never the sum.

use super::fields::Fields;
use crate::kit::Usage;
use crate::kit::usage::Shape;

/// Totals, and parts of them that may overlap.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    prompt: u64,
    cached: u64,
    cached_audio: u64,
    written: u64,
    audio_in: u64,
    image_in: u64,
    /// With the reasoning.
    completion: u64,
    reasoning: u64,
    audio_out: u64,
    image_out: u64,
    searches: u64,
}

impl Tokens {
    /// Reads a usage object; `None` when it counts nothing at all.
    pub(super) fn read(usage: &Fields<'_>, shape: Shape) -> Option<Self> {
        match shape {
            Shape::ThoughtsApart => Self::thoughts_apart(usage),
            Shape::ReasoningApart => Self::inclusive(usage).map(|tokens| tokens.fold_reasoning(usage)),
            Shape::HitMiss => Self::inclusive(usage).map(|tokens| tokens.hit_miss(usage)),
            Shape::Inclusive | Shape::CacheApart => Self::inclusive(usage),
        }
    }

    /// Whether it counts no token.
    pub(super) const fn is_zero(&self) -> bool {
        self.prompt == 0 && self.completion == 0
    }

    /// Chat, completions, embeddings and responses: cached ⊂ prompt, reasoning ⊂ completion.
    fn inclusive(usage: &Fields<'_>) -> Option<Self> {
        let prompt = usage.count_of(&["prompt_tokens", "input_tokens"]);
        let completion = usage.count_of(&["completion_tokens", "output_tokens"]);
        let total = usage.count("total_tokens");
        if prompt.is_none() && completion.is_none() && total.is_none() {
            return None;
        }
        let completion = completion.unwrap_or_default();
        let prompt = prompt.unwrap_or_else(|| total.unwrap_or_default().saturating_sub(completion));
        let input = part(usage, ["prompt_tokens_details", "input_tokens_details"]);
        let output = part(usage, ["completion_tokens_details", "output_tokens_details"]);
        let cached_parts = input.object("cached_tokens_details");
        // gateways and a few providers put the cache beside the prompt, as a copy and not in addition
        let beside = |names: &[&str]| usage.count_of(names).unwrap_or_default();
        Some(Self {
            prompt,
            cached: input.sum("cached_tokens").max(beside(&["cached_tokens", "cache_read_input_tokens"])),
            cached_audio: cached_parts.map_or(0, |parts| parts.sum("audio_tokens")),
            written: input
                .count_of(&["cache_write_tokens", "cache_creation_tokens"])
                .unwrap_or_default()
                .max(beside(&["cache_creation_input_tokens"])),
            audio_in: input.sum("audio_tokens"),
            image_in: input.sum("image_tokens"),
            completion,
            reasoning: output.sum("reasoning_tokens"),
            audio_out: output.sum("audio_tokens"),
            image_out: output.sum("image_tokens"),
            searches: 0,
        })
    }

    /// The completion leaves reasoning out only where the total says so: the same provider includes it elsewhere. What
    /// the total alone knows of is reasoning that was not broken out.
    fn fold_reasoning(mut self, usage: &Fields<'_>) -> Self {
        let told = self.prompt.saturating_add(self.completion);
        let beyond = usage.count("total_tokens").unwrap_or_default().saturating_sub(told);
        if beyond > 0 && (self.reasoning == beyond || self.reasoning == 0) {
            self.reasoning = beyond;
            self.completion = self.completion.saturating_add(beyond);
        }
        self
    }

    fn hit_miss(mut self, usage: &Fields<'_>) -> Self {
        let hit = usage.count("prompt_cache_hit_tokens");
        if let (Some(hit), Some(miss)) = (hit, usage.count("prompt_cache_miss_tokens")) {
            self.prompt = hit.saturating_add(miss);
            self.cached = hit;
        } else if let Some(hit) = hit {
            self.cached = hit;
        }
        self
    }

    /// Candidates leave thoughts out; the prompt of the tools that the provider ran is counted beside the prompt.
    fn thoughts_apart(usage: &Fields<'_>) -> Option<Self> {
        let prompt = usage.count("promptTokenCount");
        let tools = usage.sum("toolUsePromptTokenCount");
        let reasoning = usage.sum("thoughtsTokenCount");
        let total = usage.count("totalTokenCount");
        if prompt.is_none() && total.is_none() {
            return None;
        }
        let prompt = prompt.unwrap_or_default().saturating_add(tools);
        let candidates = usage
            .count_of(&["candidatesTokenCount", "responseTokenCount"])
            .unwrap_or_else(|| total.unwrap_or_default().saturating_sub(prompt).saturating_sub(reasoning));
        let modality = |list: &str, name: &str| {
            let parts = usage.list(list);
            parts
                .iter()
                .filter(|part| part.text("modality").as_deref() == Some(name))
                .map(|part| part.sum("tokenCount"))
                .fold(0, u64::saturating_add)
        };
        Some(Self {
            prompt,
            cached: usage.sum("cachedContentTokenCount"),
            cached_audio: modality("cacheTokensDetails", "AUDIO"),
            written: 0,
            audio_in: modality("promptTokensDetails", "AUDIO"),
            image_in: modality("promptTokensDetails", "IMAGE"),
            completion: candidates.saturating_add(reasoning),
            reasoning,
            audio_out: modality("candidatesTokensDetails", "AUDIO"),
            image_out: modality("candidatesTokensDetails", "IMAGE"),
            searches: 0,
        })
    }

    /// The disjoint buckets. Input sums to the prompt, output to the completion.
    pub(super) fn usage(self) -> Usage {
        let cached = self.cached.min(self.prompt);
        let written = self.written.min(self.prompt - cached);
        // a modality counts its cached tokens too: those that the provider names, then those that the text cannot hold
        let audio = self.audio_in.min(self.prompt);
        let image = self.image_in.min(self.prompt - audio);
        let text = self.prompt - audio - image;
        let cached_audio = self.cached_audio.min(audio).min(cached);
        let beyond_text = (cached + written).saturating_sub(text + cached_audio);
        let gone_image = beyond_text.min(image);
        let gone_audio = cached_audio + (beyond_text - gone_image).min(audio - cached_audio);
        let audio_in = audio - gone_audio;
        let image_in = image - gone_image;

        let reasoning = self.reasoning.min(self.completion);
        let audio_out = self.audio_out.min(self.completion - reasoning);
        let image_out = self.image_out.min(self.completion - reasoning - audio_out);
        Usage {
            input: self.prompt - cached - written - audio_in - image_in,
            cache_read: cached - cached_audio,
            cache_read_audio: cached_audio,
            cache_write: written,
            audio_in,
            image_in,
            output: self.completion - reasoning - audio_out - image_out,
            reasoning,
            audio_out,
            image_out,
            searches: self.searches,
            ..Usage::default()
        }
    }
}

/// The details of one side, under either of their names.
fn part<'a>(usage: &Fields<'a>, names: [&str; 2]) -> Fields<'a> {
    names.iter().find_map(|name| usage.object(name)).unwrap_or_else(Fields::empty)
}
