//! What a model is good for, told to whoever has to choose one.

use serde::{Deserialize, Serialize};

/// What a model is good for, as far as that is known. An alias has the merit of the first of its routes that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Merit {
    /// Whether it holds conversations at chat/completions: not so embeddings, images, speech, nor what answers elsewhere.
    pub chats: bool,
    /// Whether an account could take a call for it this moment.
    pub ready: bool,
    /// How well it reasons, 1 to 100; absent where nobody ranked it.
    pub rank: Option<u8>,
    /// The day on which people last went through the ranks, `YYYY-MM-DD`.
    pub ranked: String,
    /// What 4,000 tokens of question and 500 of answer cost, in USD as a decimal string; absent where that is not known.
    pub sample_usd: Option<String>,
}
