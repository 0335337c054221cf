//! What a model said in an answer, kept for the case that nobody reports how many tokens it was.
//!
//! Usage nearly always comes, so what is done for each frame must be next to nothing: one search for the member that
//! holds the text, whose bytes are copied as they are written. That is a fiftieth of the frames themselves.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Endpoint;
use super::strings::{Met, walk};

/// Of each voice so much is kept; of more than that only the length.
const MOST: usize = 256 << 10;
/// Keys above lists of thoughts.
const THOUGHTS: [&[u8]; 3] = [b"summary", b"thinking", b"reasoning_details"];

/// The text of one answer, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    dialect: Dialect,
    /// What is read: text, the names and arguments of tools.
    pub(super) said: Voice,
    /// Reasoning that was shown.
    pub(super) thought: Voice,
    /// The name under which this answer shows its reasoning; some repeat it under a second one.
    thoughts_at: Option<&'static [u8]>,
}

/// A text as it is written in JSON.
#[derive(Clone, Debug, Default)]
pub(super) struct Voice {
    pub(super) text: Vec<u8>,
    /// Bytes that were not kept.
    pub(super) beyond: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Dialect {
    Chat,
    Completions,
    Responses,
    /// It says nothing that is counted: embeddings, pictures, sound.
    #[default]
    Mute,
}

impl Heard {
    /// For the answer of an endpoint.
    pub const fn new(endpoint: &Endpoint) -> Self {
        let dialect = match endpoint {
            Endpoint::Chat => Dialect::Chat,
            Endpoint::Completions => Dialect::Completions,
            Endpoint::Responses => Dialect::Responses,
            Endpoint::Embeddings | Endpoint::Other(_) => Dialect::Mute,
        };
        Self { dialect, said: Voice::silent(), thought: Voice::silent(), thoughts_at: None }
    }

    /// A frame of a stream.
    pub fn frame(&mut self, frame: &[u8]) {
        // made once: for a frame as short as most, making the searcher costs more than the search
        static DELTA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"delta\":"));
        static TEXT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"text\":"));
        let search = match self.dialect {
            Dialect::Mute => return,
            Dialect::Completions => &TEXT,
            Dialect::Chat | Dialect::Responses => &DELTA,
        };
        let mut rest = frame;
        while let Some(at) = search.find(rest) {
            rest = rest[at + search.needle().len()..].trim_ascii_start();
            if self.dialect == Dialect::Chat {
                self.listen(rest);
            } else if rest.starts_with(b"\"") {
                let event = frame.get(..at).unwrap_or_default();
                let sound = memchr::memmem::find(event, b"audio.delta").is_some();
                let thinking = memchr::memmem::find(event, b"reasoning").is_some();
                let voice = if thinking { &mut self.thought } else { &mut self.said };
                walk(rest, |met| {
                    if let (Met::Value(_, text), false) = (met, sound) {
                        voice.push(text)
                    }
                });
            }
            if self.dialect == Dialect::Responses {
                return;
            }
        }
    }

    /// A whole answer, or what came of it.
    pub fn whole(&mut self, body: &[u8]) {
        let holder: &[u8] = match self.dialect {
            Dialect::Chat | Dialect::Completions => b"\"choices\"",
            Dialect::Responses => b"\"output\"",
            Dialect::Mute => return,
        };
        let Some(at) = memchr::memmem::find(body, holder) else { return };
        let value = body[at + holder.len()..].trim_ascii_start();
        self.listen(value.strip_prefix(b":").unwrap_or(value).trim_ascii_start());
    }

    /// How many bytes were said and thought.
    pub fn size(&self) -> [u64; 2] {
        [&self.said, &self.thought].map(|voice| voice.text.len() as u64 + voice.beyond)
    }

    fn listen(&mut self, value: &[u8]) {
        // how deep the list of thoughts stands in which the walk is; a `text` there is one of them
        let mut thoughts: Option<i64> = None;
        walk(value, |met| match met {
            Met::Key(key, depth) => {
                thoughts = thoughts.filter(|at| depth > *at).or_else(|| THOUGHTS.contains(&key).then_some(depth));
            }
            Met::Value(key, text) => match (key, thoughts) {
                (_, _) if text.is_empty() => {}
                (b"content" | b"refusal" | b"arguments" | b"name" | b"transcript" | b"input", _) => {
                    self.said.push(text)
                }
                (b"reasoning_content", _) => self.think(b"reasoning_content", text),
                (b"reasoning", _) => self.think(b"reasoning", text),
                (b"thinking", _) => self.think(b"thinking", text),
                (b"text", Some(_)) => self.think(b"text", text),
                (b"text", None) => self.said.push(text),
                _ => {}
            },
        });
    }

    fn think(&mut self, at: &'static [u8], text: &[u8]) {
        if *self.thoughts_at.get_or_insert(at) == at {
            self.thought.push(text);
        }
    }
}

impl Voice {
    const fn silent() -> Self {
        Self { text: Vec::new(), beyond: 0 }
    }

    fn push(&mut self, text: &[u8]) {
        if self.beyond == 0 && self.text.len() + text.len() <= MOST {
            self.text.extend_from_slice(text);
        } else {
            self.beyond += text.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(endpoint: &Endpoint, frames: &[&str]) -> [String; 2] {
        let mut heard = Heard::new(endpoint);
        frames.iter().for_each(|frame| heard.frame(format!("data: {frame}\n\n").as_bytes()));
        [&heard.said, &heard.thought].map(|voice| String::from_utf8(voice.text.clone()).expect("UTF-8"))
    }

    fn whole(endpoint: &Endpoint, body: &str) -> [String; 2] {
        let mut heard = Heard::new(endpoint);
        heard.whole(body.as_bytes());
        [&heard.said, &heard.thought].map(|voice| String::from_utf8(voice.text.clone()).expect("UTF-8"))
    }

    #[test]
    fn text_reasoning_and_tool_calls_of_a_chat_are_kept_apart_and_once() {
        let frames = [
            r#"{"id":"no","model":"no","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning_content":"why ","reasoning":"why "},"logprobs":{"content":[{"token":"no"}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"so \"it\" is"},"finish_reason":null}],"obfuscation":"no"}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"no","type":"function","function":{"name":"look","arguments":"{\"a\":"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}},{"index":1,"delta":{"content":" two"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ];
        assert_eq!(heard(&Endpoint::Chat, &frames), [r#"so \"it\" islook{\"a\":1} two"#, "why "]);
        let details = r#"{"choices":[{"delta":{"content":"","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}}]}"#;
        assert_eq!(heard(&Endpoint::Chat, &[details]), ["", "hm"]);
        let parts = r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]}}]}"#;
        assert_eq!(heard(&Endpoint::Chat, &[parts]), ["a", "hm"]);
    }

    #[test]
    fn responses_and_completions_are_heard_once_though_their_last_events_repeat_all() {
        let frames = [
            r#"{"type":"response.created","response":{"instructions":"no","output":[]}}"#,
            r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
            r#"{"type":"response.output_text.delta","item_id":"no","delta":"Hel"}"#,
            r#"{"type":"response.function_call_arguments.delta","delta":"{}"}"#,
            r#"{"type":"response.output_audio.delta","delta":"AAAA"}"#,
            r#"{"type":"response.output_text.done","text":"Hel"}"#,
            r#"{"type":"response.completed","response":{"output":[{"content":[{"text":"Hel"}]}]}}"#,
        ];
        assert_eq!(heard(&Endpoint::Responses, &frames), ["Hel{}", "hm"]);
        let frames = [r#"{"choices":[{"text":"a b","index":0}]}"#, r#"{"choices":[{"text":" c","logprobs":null}]}"#];
        assert_eq!(heard(&Endpoint::Completions, &frames), ["a b c", ""]);
        assert_eq!(heard(&Endpoint::Embeddings, &frames), ["", ""]);
    }

    #[test]
    fn whole_answers_are_heard_also_where_they_are_cut() {
        let chat = r#"{"model":"no","choices":[{"message":{"role":"no","content":"one","reasoning_content":"hm","tool_calls":[{"id":"no","function":{"name":"f","arguments":"{}"}}]}},{"message":{"content":"two"}}],"service_tier":"no"}"#;
        assert_eq!(whole(&Endpoint::Chat, chat), ["onef{}two", "hm"]);
        assert_eq!(whole(&Endpoint::Chat, &chat[..chat.find("one").unwrap_or_default() + 2]), ["on", ""]);
        let text = r#"{"instructions":"no","output":[{"type":"reasoning","summary":[{"type":"no","text":"hm"}]},{"content":[{"type":"no","text":"yes"}],"role":"no"},{"name":"f","arguments":"{}"}],"tools":[{"name":"no"}]}"#;
        assert_eq!(whole(&Endpoint::Responses, text), ["yesf{}", "hm"]);
        assert_eq!(whole(&Endpoint::Completions, r#"{"choices":[{"text":"abc"}],"x":"no"}"#), ["abc", ""]);
    }

    #[test]
    fn more_than_is_kept_is_measured() {
        let mut heard = Heard::new(&Endpoint::Chat);
        let frame = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "word ".repeat(20_000));
        (0..10).for_each(|_| heard.frame(frame.as_bytes()));
        assert_eq!(heard.size(), [1_000_000, 0]);
        assert!(heard.said.text.len() <= MOST);
    }
}
