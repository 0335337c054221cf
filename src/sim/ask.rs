//! One request as the models see it, whether it came as chat, completion or response.

use serde_json::Value;

use super::refusal::Refusal;
use crate::wire::Endpoint;

/// A question to a model.
pub(crate) struct Ask {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// The model, or the deployment from the path.
    pub model: String,
    /// Whether events are wanted.
    pub stream: bool,
    /// The whole body, a JSON object.
    pub body: Value,
}

/// A function that a model may call.
pub(crate) struct Tool<'a> {
    /// Its name.
    pub name: &'a str,
    /// The JSON Schema of its arguments.
    pub schema: &'a Value,
}

impl Ask {
    /// Reads a body; the model may stand in the path instead.
    pub(crate) fn read(endpoint: Endpoint, body: &[u8], model: Option<String>) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Refusal::NotJson)?;
        if !body.is_object() {
            return Err(Refusal::NotJson);
        }
        let named = || body["model"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
        let model = model.or_else(named).ok_or(Refusal::Missing("model"))?;
        let needed = match endpoint {
            Endpoint::Chat => "messages",
            Endpoint::Completions => "prompt",
            _ => "input",
        };
        if body.get(needed).is_none() {
            return Err(Refusal::Missing(needed));
        }
        let stream = body["stream"].as_bool().unwrap_or(false);
        Ok(Self { endpoint, model, stream, body })
    }

    /// Whether the client asked for usage in a stream.
    pub(crate) fn usage_wanted(&self) -> bool {
        self.body["stream_options"]["include_usage"] == true
    }

    /// The chat's messages, or the items of a response's input.
    pub(crate) fn turns(&self) -> &[Value] {
        self.body
            .get("messages")
            .or_else(|| self.body.get("input"))
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// What the user said last.
    pub(crate) fn question(&self) -> String {
        match (self.turns(), self.body.get("prompt").or_else(|| self.body.get("input"))) {
            ([], Some(plain)) => text(plain),
            (turns, _) => turns.iter().rfind(|turn| turn["role"] == "user").map_or_else(String::new, content),
        }
    }

    /// What a tool gave back since the user spoke.
    pub(crate) fn tool_result(&self) -> Option<String> {
        let said = self.turns().iter().rev().take_while(|turn| turn["role"] != "user");
        let mut results = said.filter(|turn| turn["role"] == "tool" || turn["type"] == "function_call_output");
        results.next().map(|turn| turn.get("output").map_or_else(|| content(turn), text))
    }

    /// The functions that may be called, nested as in chat or flat as in responses.
    pub(crate) fn tools(&self) -> Vec<Tool<'_>> {
        if self.body["tool_choice"] == "none" {
            return Vec::new();
        }
        let offered = self.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
        let functions = offered.iter().filter(|tool| tool["type"] == "function").filter_map(|tool| {
            let tool = tool.get("function").unwrap_or(tool);
            Some(Tool { name: tool["name"].as_str()?, schema: &tool["parameters"] })
        });
        functions.collect()
    }

    /// The name of the one function that must be called.
    pub(crate) fn forced_tool(&self) -> Option<&str> {
        let choice = &self.body["tool_choice"];
        choice["function"]["name"].as_str().or_else(|| choice["name"].as_str())
    }

    /// How many words were sent in all turns. In here a token is a word.
    pub(crate) fn words(&self) -> usize {
        let count = |text: String| text.split_whitespace().count();
        match self.turns() {
            [] => count(self.question()),
            turns => turns.iter().map(|turn| count(content(turn))).sum(),
        }
    }
}

fn content(turn: &Value) -> String {
    text(&turn["content"])
}

/// The text of a string, of content parts, or of a list of either.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(part) => part.get("text").map(text).unwrap_or_default(),
        _ => String::new(),
    }
}
