//! Usage whose cache counts stand beside the input, told in pieces over a stream.
//!
//! Each event repeats some members with their newest values, so every member is kept by itself: the last one said wins,
//! zero included. The first event alone breaks cache writes down by their time, and when the provider's own tools make
//! the prompt grow, the later total is the larger of the two and the true one.

use super::Split;
use super::fields::Fields;
use crate::kit::Usage;

/// The members seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pieces {
    input: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    searches: Option<u64>,
}

impl Pieces {
    /// Takes what one event says.
    pub(super) fn take(&mut self, usage: &Fields<'_>) {
        let by_time = usage.object("cache_creation").unwrap_or_else(Fields::empty);
        let output = usage.object("output_tokens_details").unwrap_or_else(Fields::empty);
        let tools = usage.object("server_tool_use").unwrap_or_else(Fields::empty);
        let said = [
            (&mut self.input, usage.count("input_tokens")),
            (&mut self.read, usage.count("cache_read_input_tokens")),
            (&mut self.written, usage.count("cache_creation_input_tokens")),
            (&mut self.written_5m, by_time.count("ephemeral_5m_input_tokens")),
            (&mut self.written_1h, by_time.count("ephemeral_1h_input_tokens")),
            (&mut self.output, usage.count("output_tokens")),
            (&mut self.thinking, output.count_of(&["thinking_tokens", "reasoning_tokens"])),
            (&mut self.searches, tools.count("web_search_requests")),
        ];
        for (slot, said) in said {
            *slot = said.or(*slot);
        }
    }

    /// The disjoint buckets, and whether the cache writes had to be split by inference.
    pub(super) fn usage(&self) -> (Usage, Split) {
        let (short, long, split) = self.writes();
        let output = self.output.unwrap_or_default();
        let reasoning = self.thinking.unwrap_or_default().min(output);
        let usage = Usage {
            input: self.input.unwrap_or_default(),
            cache_read: self.read.unwrap_or_default(),
            cache_write: short,
            cache_write_1h: long,
            output: output - reasoning,
            reasoning,
            searches: self.searches.unwrap_or_default(),
            ..Usage::default()
        };
        (usage, split)
    }

    /// Cache writes for five minutes and for an hour. Their sum is the total, where one was said; what the breakdown
    /// leaves over is of the only time in use, else of the default time.
    fn writes(&self) -> (u64, u64, Split) {
        let (short, long) = (self.written_5m.unwrap_or_default(), self.written_1h.unwrap_or_default());
        let broken_down = self.written_5m.is_some() || self.written_1h.is_some();
        let total = match self.written {
            Some(total) if broken_down => total,
            Some(total) => return (total, 0, Split::Told),
            None => return (short, long, Split::Told),
        };
        match (total.checked_sub(short.saturating_add(long)), short, long) {
            (Some(0), ..) => (short, long, Split::Told),
            (Some(more), 0, 1..) => (0, long + more, Split::Inferred),
            (Some(more), ..) => (short + more, long, Split::Inferred),
            (None, ..) => (total - long.min(total), long.min(total), Split::Inferred),
        }
    }
}
