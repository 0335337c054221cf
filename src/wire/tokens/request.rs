//! What a request takes of the input, by the recipes that OpenAI publishes for its own models.
//!
//! What is no text is guessed: a picture as one of 1024 × 1024 pixels (85 tokens where `detail` is `low`), sound as ten
//! tokens a second at the usual rates, a file by its size. What an earlier answer left with the provider
//! (`previous_response_id`) cannot be counted here.

use serde_json::Value;

use super::super::{Endpoint, Json};
use super::Vocabulary;
use crate::kit::Usage;

/// Around each message: its begin, its role's end, its end.
const MESSAGE: u64 = 3;
/// What makes the model answer.
const ANSWER: u64 = 3;
/// A picture, large and small. (OpenAI's guide to vision: 85, and 170 for each of four tiles.)
const PICTURE: [u64; 2] = [765, 85];
/// Bytes of base64 that are one token of sound, in wave files and in compressed ones.
const SOUND: [u64; 2] = [6400, 2100];
/// Bytes of base64 that are one token of a file.
const FILE: u64 = 16;

/// The input tokens of a request; `None` for what is no request of this endpoint.
pub(super) fn count(endpoint: &Endpoint, body: &Json, words: &Vocabulary) -> Option<Usage> {
    let member = |name: &str| -> Option<Value> { serde_json::from_slice(body.raw(name)?).ok() };
    let mut count = Count { words, usage: Usage::default() };
    match endpoint {
        Endpoint::Chat => {
            count.messages(&member("messages")?);
            count.tools(member("tools").as_ref());
            count.format(member("response_format").as_ref());
        }
        Endpoint::Responses => {
            if let Some(instructions) = member("instructions").filter(|value| !value.is_null()) {
                count.usage.input += MESSAGE;
                count.part("", &instructions);
            }
            match member("input")? {
                Value::Array(items) => count.messages(&Value::Array(items)),
                text => {
                    count.usage.input += MESSAGE + 1 + ANSWER;
                    count.part("", &text);
                }
            }
            count.tools(member("tools").as_ref());
            count.format(member("text").as_ref().and_then(|text| text.get("format")));
        }
        Endpoint::Completions => count.prompt(&member("prompt")?),
        Endpoint::Embeddings => count.prompt(&member("input")?),
        Endpoint::Other(_) => return None,
    }
    Some(count.usage)
}

struct Count<'a> {
    words: &'a Vocabulary,
    usage: Usage,
}

impl Count<'_> {
    fn text(&mut self, text: &str) {
        self.usage.input += self.words.count(text);
    }

    fn messages(&mut self, messages: &Value) {
        for message in messages.as_array().into_iter().flatten() {
            self.usage.input += MESSAGE + u64::from(message.get("name").is_some() && message.get("role").is_some());
            self.part("", message);
        }
        self.usage.input += ANSWER;
    }

    /// A message, or a part of one: its strings, but for those that only say what the others are.
    fn part(&mut self, key: &str, part: &Value) {
        match part {
            Value::String(text) => match key {
                "type" | "id" | "call_id" | "tool_call_id" | "status" | "detail" | "format" | "media_type"
                | "mime_type" | "file_id" | "filename" | "encrypted_content" | "signature" => {}
                "image_url" | "url" => self.usage.input += PICTURE[0],
                "file_data" | "data" => self.usage.input += (text.len() as u64).div_ceil(FILE),
                _ => self.text(text),
            },
            Value::Array(parts) => parts.iter().for_each(|part| self.part(key, part)),
            Value::Object(members) => {
                let small = members.get("detail").is_some_and(|detail| detail == "low");
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("image_url", _) if small => self.usage.input += PICTURE[1],
                        ("url", _) if small => self.usage.input += PICTURE[1],
                        ("input_audio", sound) => self.sound(sound),
                        _ => self.part(name, value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn sound(&mut self, sound: &Value) {
        let wave = sound.get("format").is_some_and(|format| format == "wav");
        let size = sound.get("data").and_then(Value::as_str).map_or(0, str::len) as u64;
        self.usage.audio_in += size.div_ceil(SOUND[usize::from(!wave)]);
    }

    /// A text, several, or tokens that somebody has counted already.
    fn prompt(&mut self, prompt: &Value) {
        match prompt {
            Value::String(text) => self.text(text),
            Value::Number(_) => self.usage.input += 1,
            Value::Array(prompts) => prompts.iter().for_each(|prompt| self.prompt(prompt)),
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
    }

    /// Tools are shown to the model as the declarations of a programming language, not as JSON. (OpenAI's cookbook,
    /// "How to count tokens with tiktoken", section 7.)
    fn tools(&mut self, tools: Option<&Value>) {
        let tools = tools.and_then(Value::as_array).filter(|tools| !tools.is_empty());
        for tool in tools.into_iter().flatten() {
            let function = tool.get("function").unwrap_or(tool);
            self.usage.input += 7;
            self.text(&format!("{}:{}", word(function, "name"), word(function, "description").trim_end_matches('.')));
            self.properties(function.get("parameters"));
        }
        if tools.is_some() {
            self.usage.input += 12;
        }
    }

    /// The properties of a schema, and those of the objects in it. A parser that gave us the body bounds the depth.
    fn properties(&mut self, schema: Option<&Value>) {
        let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        for (at, (name, property)) in properties.into_iter().flatten().enumerate() {
            self.usage.input += if at == 0 { 3 + 3 } else { 3 };
            let options = property.get("enum").and_then(Value::as_array);
            if let Some(options) = options {
                self.usage.input -= 3;
                for option in options.iter().filter_map(Value::as_str) {
                    self.usage.input += 3;
                    self.text(option);
                }
            }
            let (kind, about) = (word(property, "type"), word(property, "description").trim_end_matches('.'));
            self.text(&format!("{name}:{kind}:{about}"));
            self.properties(Some(property));
            self.properties(property.get("items"));
        }
    }

    /// The schema of an answer.
    fn format(&mut self, format: Option<&Value>) {
        if let Some(schema) = format.filter(|format| format.get("type").is_some_and(|kind| kind == "json_schema")) {
            self.text(&schema.to_string());
        }
    }
}

fn word<'a>(holder: &'a Value, name: &str) -> &'a str {
    holder.get(name).and_then(Value::as_str).unwrap_or_default()
}
