//! What a call consumed: token counts in buckets that never overlap, since a token is billed once.

use serde::{Deserialize, Serialize};

use super::Money;

/// Counts of one call. Every token stands in exactly one bucket, whatever the provider nests or leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Fresh input: text, and what has no rate of its own.
    pub input: u64,
    /// Input read from the prompt cache, audio excepted.
    pub cache_read: u64,
    /// Audio read from the prompt cache.
    pub cache_read_audio: u64,
    /// Input written to the prompt cache for the provider's default time.
    pub cache_write: u64,
    /// Input written to the prompt cache for an hour or more.
    pub cache_write_1h: u64,
    /// Input written to the prompt cache for twelve hours or more.
    pub cache_write_12h: u64,
    /// Fresh audio input.
    pub audio_in: u64,
    /// Fresh image input.
    pub image_in: u64,
    /// Visible output.
    pub output: u64,
    /// Hidden reasoning.
    pub reasoning: u64,
    /// Audio output.
    pub audio_out: u64,
    /// Image output.
    pub image_out: u64,
    /// Web searches that the provider made for the call.
    pub searches: u64,
    /// Map look-ups that the provider made for the call.
    pub maps: u64,
}

/// The buckets by name, in the order of [`Usage::counts`]; rates are kept in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of `Usage` with the same name")]
pub enum Bucket {
    Input,
    CacheRead,
    CacheReadAudio,
    CacheWrite,
    CacheWrite1h,
    CacheWrite12h,
    AudioIn,
    ImageIn,
    Output,
    Reasoning,
    AudioOut,
    ImageOut,
    Searches,
    Maps,
}

impl Bucket {
    /// How many there are.
    pub const COUNT: usize = 14;

    /// Every kind of token that a prompt is made of.
    pub const INPUT: [Self; 8] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheReadAudio,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::AudioIn,
        Self::ImageIn,
    ];

    /// Every kind of token that an answer is made of.
    pub const OUTPUT: [Self; 4] = [Self::Output, Self::Reasoning, Self::AudioOut, Self::ImageOut];
}

impl Usage {
    /// Every count, in the order of [`Bucket`].
    pub const fn counts(&self) -> [u64; Bucket::COUNT] {
        [
            self.input,
            self.cache_read,
            self.cache_read_audio,
            self.cache_write,
            self.cache_write_1h,
            self.cache_write_12h,
            self.audio_in,
            self.image_in,
            self.output,
            self.reasoning,
            self.audio_out,
            self.image_out,
            self.searches,
            self.maps,
        ]
    }

    /// The usage with these counts, in the order of [`Bucket`].
    pub const fn from_counts(counts: [u64; Bucket::COUNT]) -> Self {
        let [input, cache_read, cache_read_audio, cache_write, cache_write_1h, cache_write_12h, rest @ ..] = counts;
        let [audio_in, image_in, output, reasoning, audio_out, image_out, searches, maps] = rest;
        Self {
            input,
            cache_read,
            cache_read_audio,
            cache_write,
            cache_write_1h,
            cache_write_12h,
            audio_in,
            image_in,
            output,
            reasoning,
            audio_out,
            image_out,
            searches,
            maps,
        }
    }

    /// Input, cache read, cache write, output, reasoning: every token in one of them.
    pub fn sums(&self) -> [u64; 5] {
        let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        [
            sum(&[self.input, self.audio_in, self.image_in]),
            sum(&[self.cache_read, self.cache_read_audio]),
            sum(&[self.cache_write, self.cache_write_1h, self.cache_write_12h]),
            sum(&[self.output, self.audio_out, self.image_out]),
            self.reasoning,
        ]
    }

    /// The same usage with default cache writes moved to where the request asked them to be kept for `hours`: providers
    /// that report one total of writes price it by the time that the request named.
    #[must_use]
    pub const fn kept_for(mut self, hours: u64) -> Self {
        match hours {
            0 => {}
            1..12 => {
                (self.cache_write_1h, self.cache_write) = (self.cache_write_1h.saturating_add(self.cache_write), 0)
            }
            12.. => {
                (self.cache_write_12h, self.cache_write) = (self.cache_write_12h.saturating_add(self.cache_write), 0)
            }
        }
        self
    }

    /// Both together, bucket by bucket.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        let (own, more) = (self.counts(), more.counts());
        Self::from_counts(std::array::from_fn(|bucket| own[bucket].saturating_add(more[bucket])))
    }

    /// All input tokens, cached ones included: what context tiers are measured by.
    pub fn total_input(&self) -> u64 {
        Bucket::INPUT.iter().fold(0, |sum, &bucket| sum.saturating_add(self.counts()[bucket as usize]))
    }

    /// The tokens of both directions.
    pub fn total(&self) -> u64 {
        self.total_input().saturating_add(self.total_output())
    }

    /// All output tokens, reasoning included.
    pub fn total_output(&self) -> u64 {
        Bucket::OUTPUT.iter().fold(0, |sum, &bucket| sum.saturating_add(self.counts()[bucket as usize]))
    }
}

/// How a provider's `usage` object nests its counts. Data names the shape; the code knows no provider by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Cached tokens are part of the prompt's, reasoning part of the completion's.
    #[default]
    Inclusive,
    /// The same, but the completion leaves reasoning out where the total says so.
    ReasoningApart,
    /// The prompt is given as cache hits and cache misses.
    HitMiss,
    /// Cache reads and writes are not part of the input; a stream tells them in pieces.
    CacheApart,
    /// Cached tokens are part of the prompt's, thoughts are not part of the candidates'.
    ThoughtsApart,
}

/// How a provider's answers are metered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metering {
    /// The shape of its usage objects.
    pub shape: Shape,
    /// A JSON pointer to usage in stream frames, besides the usual places: `/choices/0/usage`.
    pub also_at: Option<String>,
    /// The provider's own price for the call, where it tells it.
    pub cost: Option<ReportedCost>,
}

/// Where a provider tells what a call cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedCost {
    /// The member of the usage object.
    pub field: String,
    /// What one unit of it is worth in USD.
    pub unit: Money,
    /// What comes on top of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamCost>,
}

/// USD besides a provider's own price: what the provider behind it charges the caller directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamCost {
    /// A JSON pointer to it in the usage object.
    pub at: String,
    /// A JSON pointer to the member that must be `true` for it to count.
    pub when: String,
}
