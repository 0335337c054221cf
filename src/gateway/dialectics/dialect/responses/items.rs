//! The input of a request as the messages of chat: instructions, turns with pictures and files, calls of tools and what
//! they gave.

use serde_json::{Value, json};

use super::super::wrong;
use super::tools::function_name;
use crate::kit::Fault;

/// Items that no other model could read, or that say what a provider did by itself; the turns around them say what came
/// of it.
const LEFT_OUT: [&str; 9] = [
    "reasoning",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_list_tools",
    "mcp_call",
    "tool_search_call",
    "tool_search_output",
];

/// The messages of chat, in order.
#[derive(Default)]
pub(super) struct Messages {
    turns: Vec<Value>,
    /// Pictures that tools gave: chat has no place for them in what a tool says, and nothing may stand between that
    /// and the call, so they come as a turn of their own behind.
    pictures: Vec<Value>,
}

/// Reads instructions and input.
pub(super) fn messages(instructions: &Value, input: &Value) -> Result<Vec<Value>, Fault> {
    let mut messages = Messages::default();
    match instructions {
        Value::String(text) if !text.is_empty() => messages.turns.push(json!({"role": "system", "content": text})),
        Value::String(_) | Value::Null => {}
        _ => return Err(wrong("instructions", "`instructions` is a text")),
    }
    match input {
        Value::String(text) => messages.turns.push(json!({"role": "user", "content": text})),
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                messages.take(item).map_err(|words| wrong(format!("input[{at}]"), words))?;
            }
        }
        _ => return Err(wrong("input", "a dialectic needs `input`, a text or an array with at least one item")),
    }
    messages.flush();
    Ok(messages.turns)
}

impl Messages {
    fn take(&mut self, item: &Value) -> Result<(), String> {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let kind = item["type"].as_str().unwrap_or("message");
        if kind.ends_with("call_output") {
            return self.result(item);
        }
        self.flush();
        match kind {
            "message" => self.message(item),
            "function_call" => {
                self.call(item, text("arguments"));
                Ok(())
            }
            "custom_tool_call" => {
                self.call(item, &json!({"input": text("input")}).to_string());
                Ok(())
            }
            "item_reference" => {
                Err("nothing of a dialectic is kept to be referred to; send the items themselves".to_owned())
            }
            left_out if LEFT_OUT.contains(&left_out) => Ok(()),
            other => Err(format!("an item of the type {other} cannot be put before the models of a dialectic")),
        }
    }

    fn message(&mut self, item: &Value) -> Result<(), String> {
        // servers of all ages know `system`; `developer` not all
        let role = match item["role"].as_str() {
            Some("developer" | "system") => "system",
            Some("assistant") => "assistant",
            Some("user") => "user",
            other => return Err(format!("a message has the role user, assistant, system or developer, not {other:?}")),
        };
        let content = match &item["content"] {
            Value::String(text) => Value::from(text.as_str()),
            Value::Array(parts) => content(parts, role == "user")?,
            _ => return Err("a message has `content`, a text or an array".to_owned()),
        };
        // what a turn says stands in chat beside its calls: nothing may come between those and their results
        match self.turns.last_mut().filter(|last| role == "assistant" && last["tool_calls"].is_array()) {
            Some(last) => {
                let said = [last["content"].as_str(), content.as_str()];
                last["content"] =
                    said.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n").into();
            }
            None => self.turns.push(json!({"role": role, "content": content})),
        }
        Ok(())
    }

    /// A call belongs to the turn in which it was made.
    fn call(&mut self, item: &Value, arguments: &str) {
        let name = function_name(item["namespace"].as_str(), item["name"].as_str().unwrap_or_default());
        let call = json!({"id": item["call_id"], "type": "function",
            "function": {"name": name, "arguments": arguments}});
        match self.turns.last_mut().filter(|last| last["role"] == "assistant") {
            Some(last) => match last["tool_calls"].as_array_mut() {
                Some(calls) => calls.push(call),
                None => last["tool_calls"] = json!([call]),
            },
            None => self.turns.push(json!({"role": "assistant", "content": null, "tool_calls": [call]})),
        }
    }

    fn result(&mut self, item: &Value) -> Result<(), String> {
        let content = match &item["output"] {
            Value::Array(parts) => {
                for part in parts.iter().filter(|part| part["type"] != "input_text" && part["type"] != "output_text") {
                    self.pictures.push(self::part(part)?);
                }
                joined(parts)
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.turns.push(json!({"role": "tool", "tool_call_id": item["call_id"], "content": content}));
        Ok(())
    }

    fn flush(&mut self) {
        if !self.pictures.is_empty() {
            let mut content = vec![json!({"type": "text", "text": "This came with the results of the tools:"})];
            content.append(&mut self.pictures);
            self.turns.push(json!({"role": "user", "content": content}));
        }
    }
}

/// What a message says. Only users may say more than text.
fn content(parts: &[Value], rich: bool) -> Result<Value, String> {
    if !rich {
        return Ok(joined(parts).into());
    }
    match parts {
        [only] if only["type"] == "input_text" => Ok(only["text"].clone()),
        _ => parts.iter().map(part).collect::<Result<Vec<_>, _>>().map(Value::from),
    }
}

fn joined(parts: &[Value]) -> String {
    let text = |part: &Value| part["text"].as_str().or_else(|| part["refusal"].as_str()).map(str::to_owned);
    parts.iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

fn part(part: &Value) -> Result<Value, String> {
    let with = |holder: &str, names: &[(&str, &str)]| {
        let mut inner = json!({});
        for (here, there) in names.iter().filter(|(here, _)| !part[*here].is_null()) {
            inner[*there] = part[*here].clone();
        }
        let mut out = json!({"type": holder});
        out[holder] = inner;
        out
    };
    match part["type"].as_str().unwrap_or_default() {
        "input_text" | "output_text" | "text" => Ok(json!({"type": "text", "text": part["text"]})),
        "input_image" if part["image_url"].is_string() => {
            Ok(with("image_url", &[("image_url", "url"), ("detail", "detail")]))
        }
        "input_file" if part["file_data"].is_string() => {
            Ok(with("file", &[("file_data", "file_data"), ("filename", "filename")]))
        }
        "input_audio" => Ok(part.clone()),
        kind @ ("input_image" | "input_file") => Err(format!(
            "{kind} must hold its content (image_url with an address or data:, file_data): a file that one provider keeps \
             is not there for the others"
        )),
        other => Err(format!("a part of the type {other:?} cannot be put before the models of a dialectic")),
    }
}
