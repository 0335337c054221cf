//! What an answer says, for people who compare two: its words and the tools that it calls, whole or as a stream.

use serde_json::Value;

use super::sse::{self, Frames};

/// The words of an answer; empty where it has none, as embeddings do. `kind` is its media type.
pub fn said(kind: &str, body: &[u8]) -> String {
    let mut words = Words::default();
    if kind.starts_with("text/event-stream") {
        let mut frames = Frames::default();
        let mut read = |frame: &[u8]| {
            if let Some(value) = sse::data(frame).and_then(|data| serde_json::from_slice::<Value>(data).ok()) {
                words.event(&value);
            }
        };
        frames.push(body, |frame, _| read(frame));
        read(frames.rest());
    } else if let Ok(value) = serde_json::from_slice::<Value>(body) {
        words.whole(&value);
    }
    words.0
}

#[derive(Default)]
struct Words(String);

impl Words {
    fn add(&mut self, value: &Value) {
        self.0 += value.as_str().unwrap_or_default();
    }

    /// One event of a stream: a chunk of choices, or a named event with a delta.
    fn event(&mut self, event: &Value) {
        for choice in list(&event["choices"]) {
            self.add(&choice["text"]);
            self.add(&choice["delta"]["content"]);
            for call in list(&choice["delta"]["tool_calls"]) {
                self.call(&call["function"]["name"]);
                self.add(&call["function"]["arguments"]);
            }
        }
        match event["type"].as_str() {
            Some("response.output_text.delta" | "response.function_call_arguments.delta") => self.add(&event["delta"]),
            Some("response.output_item.added") => self.call(&event["item"]["name"]),
            _ => {}
        }
    }

    fn whole(&mut self, answer: &Value) {
        for choice in list(&answer["choices"]) {
            self.add(&choice["text"]);
            self.add(&choice["message"]["content"]);
            for call in list(&choice["message"]["tool_calls"]) {
                self.call(&call["function"]["name"]);
                self.add(&call["function"]["arguments"]);
            }
        }
        for item in list(&answer["output"]) {
            list(&item["content"]).iter().for_each(|part| self.add(&part["text"]));
            self.call(&item["name"]);
            self.add(&item["arguments"]);
        }
        self.add(&answer["error"]["message"]);
    }

    /// A tool that is called begins a line.
    fn call(&mut self, name: &Value) {
        if let Some(name) = name.as_str() {
            if !self.0.is_empty() {
                self.0.push('\n');
            }
            self.0 += name;
            self.0.push(' ');
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_says_what_the_whole_answer_says() {
        let whole = r#"{"choices":[{"message":{"content":"Hi there","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}}]}}]}"#;
        let chunks = [
            r#"{"choices":[{"delta":{"content":"Hi "}}]}"#,
            r#"{"choices":[{"delta":{"content":"there"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]}"#,
            "[DONE]",
        ];
        let stream: String = chunks.map(|chunk| format!("data: {chunk}\n\n")).concat();
        assert_eq!(said("application/json", whole.as_bytes()), "Hi there\nf {\"a\":1}");
        assert_eq!(said("text/event-stream", stream.as_bytes()), "Hi there\nf {\"a\":1}");
    }

    #[test]
    fn both_forms_of_responses_say_the_same() {
        let whole = r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}]}"#;
        let stream =
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n";
        assert_eq!(said("application/json", whole.as_bytes()), "Hi");
        assert_eq!(said("text/event-stream; charset=utf-8", stream.as_bytes()), "Hi");
    }
}
