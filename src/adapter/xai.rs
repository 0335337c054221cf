//! xAI: a wrong key is a 400, and 403 means four different things (docs.x.ai/developers/debugging).

use super::{Adapter, Answer, Verdict};
use crate::kit::{Kind, Time};

/// xAI.
pub(super) struct Xai;

impl Adapter for Xai {
    fn verdict(&self, answer: &Answer, _now: Time) -> Option<Verdict> {
        // its error is a flat string, which `Words` has read as the message
        let text = answer.words.message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match answer.status {
            // the sentence begins with it; further on it could be the client's own text, quoted
            400 if text.chars().take(60).collect::<String>().contains("api key") => Some(Kind::KeyRejected.into()),
            400 | 403 if says(&["violates usage guidelines", "safety_check_type"]) => Some(Kind::Filtered.into()),
            403 | 429 if says(&["used all available credits", "run out of credits", "monthly spending limit"]) => {
                Some(Kind::OutOfCredit(None).into())
            }
            403 if says(&["blocked", "disabled"]) => Some(Kind::Blocked.into()),
            _ => None,
        }
    }
}
