//! Which session a call belongs to, so that its calls meet the same prompt cache.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::{Call, Payload};

/// Headers by which agents name their session (opencode, Codex, Claude Code).
const HEADERS: [&str; 4] = ["x-session-affinity", "x-session-id", "session-id", "x-claude-code-session-id"];
/// The first user message stands within so many messages, after system and developer ones.
const OPENING: usize = 4;
/// The bytes that are read at either end of a long text.
const ENDS: usize = 1024;

/// The session's name, where the client gives one.
pub(super) fn name(call: &Call) -> Option<String> {
    let header = HEADERS.iter().find_map(|name| call.headers.get(*name)?.to_str().ok());
    header.map(str::to_owned)
}

/// A number that is the same for all calls of one session: its cache key, its id, or how its conversation opens.
pub(super) fn affinity(call: &Call) -> Option<u64> {
    let Payload::Json(body) = &call.payload else { return None };
    let mut hasher = DefaultHasher::new();
    (&call.caller.name, &call.model).hash(&mut hasher);
    if let Some(key) = body.raw("prompt_cache_key").filter(|key| *key != b"null") {
        key.hash(&mut hasher);
    } else if let Some(name) = name(call) {
        name.hash(&mut hasher);
    } else {
        let conversation = body.raw("messages").or_else(|| body.raw("input"))?;
        body.raw("instructions").map(ends).hash(&mut hasher);
        open(conversation, &mut hasher);
    }
    Some(hasher.finish())
}

/// Hashes a conversation up to its first user message, which stays however long the conversation grows. The rest of
/// it is not read.
fn open(conversation: &[u8], hasher: &mut DefaultHasher) {
    if !conversation.starts_with(b"[") {
        return ends(conversation).hash(hasher);
    }
    let mut reader = serde_json::Deserializer::from_slice(conversation);
    // the visitor stops the reader with an error once it has seen enough
    let _stopped = reader.deserialize_seq(Opening(hasher));
}

/// How long a text is, how it begins and how it ends: enough to tell system prompts of many pages apart.
fn ends(text: &[u8]) -> (usize, &[u8], &[u8]) {
    let most = text.len().min(ENDS);
    (text.len(), &text[..most], &text[text.len() - most..])
}

struct Opening<'h>(&'h mut DefaultHasher);

impl<'de> Visitor<'de> for Opening<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<(), A::Error> {
        #[derive(serde::Deserialize)]
        struct Message<'a> {
            role: Option<&'a str>,
        }
        for _ in 0..OPENING {
            let Some(message) = messages.next_element::<&RawValue>()? else { return Ok(()) };
            ends(message.get().as_bytes()).hash(self.0);
            let role = Message::deserialize(&mut serde_json::Deserializer::from_str(message.get()));
            if role.is_ok_and(|message| message.role == Some("user")) {
                break;
            }
        }
        Err(A::Error::custom("seen enough"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(conversation: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        open(conversation.as_bytes(), &mut hasher);
        hasher.finish()
    }

    #[test]
    fn a_conversation_keeps_its_number_while_it_grows() {
        let first = hashed(r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#);
        let later = hashed(
            r#"[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"v"}]"#,
        );
        let other = hashed(r#"[{"role":"system","content":"s"},{"role":"user","content":"w"}]"#);
        assert_eq!(first, later);
        assert_ne!(first, other);
        assert_ne!(hashed("\"a\""), hashed("\"b\""));
    }
}
