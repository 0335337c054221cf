//! Counts tokens here, for answers that do not say how many there were: with the vocabulary of one vendor's newest
//! models, so that what others' models make of the same text is an estimate.
//!
//! Against the figures that OpenAI publishes for its own models chat prompts and tools come out exactly
//! (`tests/it/counts.rs`). Other vendors' vocabularies are their own: the same text has more or fewer tokens there, and in
//! other languages than English the difference is larger. Blocking and slow: count off the async threads.

mod request;

use tiktoken_rs::CoreBPE;

use super::heard::{Heard, Voice};
use super::{Endpoint, Json};
use crate::kit::Usage;

/// Texts are counted in pieces of this many bytes, since a search with a look-ahead is not made for a megabyte in one.
const PIECE: usize = 4096;
/// Of longer texts the beginning stands for the rest.
const MOST: usize = 4 << 20;
/// About how many bytes a token has.
const BYTES: u64 = 4;
/// A request that nobody kept counts at most as this: beyond it there are pictures inside.
const MOST_GUESSED: u64 = 100_000;

/// The tokens that a tokenizer knows. It takes some 50 MB and a fifth of a second to load.
pub struct Vocabulary(CoreBPE);

/// What is left to count of a call whose answer did not say.
pub struct Unsaid {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// How long the request was.
    pub size: u64,
    /// What came of the answer.
    pub answer: Heard,
}

impl Vocabulary {
    /// Reads what is embedded; `None` where it is damaged.
    pub fn load() -> Option<Self> {
        tiktoken_rs::o200k_base().ok().map(Self)
    }

    /// The tokens of a text.
    pub fn count(&self, text: &str) -> u64 {
        let kept = &text[..text.floor_char_boundary(MOST)];
        let (mut rest, mut count) = (kept, 0);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(piece(rest));
            count += self.0.count_ordinary(piece) as u64;
            rest = after;
        }
        if kept.len() == text.len() { count } else { scaled(count, kept.len() as u64, text.len() as u64) }
    }

    fn voice(&self, voice: &Voice) -> u64 {
        if voice.text.is_empty() {
            return voice.beyond / BYTES;
        }
        let kept = voice.text.len() as u64;
        scaled(self.count(&unescaped(&voice.text)), kept, kept + voice.beyond)
    }
}

impl Unsaid {
    /// Whether what an endpoint takes and gives is text, so that it can be counted.
    pub const fn countable(endpoint: &Endpoint) -> bool {
        !matches!(endpoint, Endpoint::Other(_))
    }

    /// What can be said without counting; it stands until somebody has counted.
    pub fn guess(&self) -> Usage {
        let [said, thought] = self.answer.size();
        let input = (self.size / BYTES).min(MOST_GUESSED);
        Usage { input, output: said.div_ceil(BYTES), reasoning: thought.div_ceil(BYTES), ..Usage::default() }
    }

    /// What it was, as far as it can be counted here. `request` is the body, where it was kept.
    pub fn count(&self, request: Option<&Json>, words: &Vocabulary) -> Usage {
        let input = request.and_then(|body| request::count(&self.endpoint, body, words));
        Usage {
            output: words.voice(&self.answer.said),
            reasoning: words.voice(&self.answer.thought),
            ..input.unwrap_or_else(|| Usage { input: self.guess().input, ..Usage::default() })
        }
    }
}

/// Where the next piece ends: at a blank that begins a word, where there is one.
fn piece(text: &str) -> usize {
    if text.len() <= PIECE {
        return text.len();
    }
    let end = text.floor_char_boundary(PIECE);
    let bytes = text.as_bytes();
    let word = |at: &usize| bytes[*at] == b' ' && bytes[at + 1].is_ascii_alphanumeric();
    (end / 2..end).rev().find(word).unwrap_or(end)
}

fn scaled(count: u64, part: u64, whole: u64) -> u64 {
    let count = u128::from(count) * u128::from(whole) / u128::from(part.max(1));
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The text that is meant by what stands in a JSON string; of what is no such text, its bytes.
fn unescaped(raw: &[u8]) -> String {
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(raw).into_owned())
}
