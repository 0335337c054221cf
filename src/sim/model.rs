//! What the models of the offline provider say: `echo`, `tools`, `slow`, `limited`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::ask::{Ask, Tool};
use super::refusal::{Refusal, Throttle};

/// The names that every persona offers beside its vendor's own.
pub(crate) const NAMES: [&str; 4] = ["echo", "tools", "slow", "limited"];

const WINDOW: Duration = Duration::from_secs(10);
const PER_WINDOW: u32 = 3;
const THOUGHT: &str = "The user wants an answer. ";

/// What a model says in one turn.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Its thoughts, where the vendor shows them.
    pub thoughts: Option<String>,
    /// Its words; empty when it calls a tool.
    pub text: String,
    /// The tool it calls.
    pub call: Option<ToolCall>,
    /// Whether it stopped because of the limit that the client set.
    pub cut_short: bool,
    /// What it counts.
    pub usage: Usage,
    /// The wait before the head.
    pub delay: Duration,
    /// The wait between two words.
    pub pace: Duration,
}

/// A call of a client's tool.
#[derive(Clone, Debug)]
pub(crate) struct ToolCall {
    /// Its name.
    pub name: String,
    /// Its arguments as JSON text.
    pub arguments: String,
}

/// Token counts, disjoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// What the client sent.
    pub prompt: usize,
    /// Visible words.
    pub visible: usize,
    /// Thoughts, shown or not.
    pub reasoning: usize,
}

/// Whether a vendor's model thinks before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// Not at all.
    No,
    /// It does, and only the count is shown.
    Hidden,
    /// It does, aloud.
    Shown,
}

/// Lets a model speak. A vendor's own model calls a tool where one is offered, else it echoes.
pub(crate) fn speak(ask: &Ask, thinking: Thinking, limit: Option<usize>) -> Turn {
    let text = match (ask.tool_result(), ask.model.as_str()) {
        (Some(result), model) if model != "echo" => format!("The tool said: {result}"),
        _ => ask.question(),
    };
    let call = if ask.model == "echo" || ask.tool_result().is_some() { None } else { pick(ask) };
    let thoughts = (thinking != Thinking::No).then_some(THOUGHT);
    let mut turn = Turn {
        thoughts: thoughts.filter(|_| thinking == Thinking::Shown).map(str::to_owned),
        text: if call.is_some() { String::new() } else { text },
        usage: Usage { prompt: ask.words(), visible: 0, reasoning: thoughts.map_or(0, |text| words(text).len()) },
        call,
        cut_short: false,
        delay: Duration::ZERO,
        pace: Duration::ZERO,
    };
    if let Some(limit) = limit.filter(|limit| words(&turn.text).len() > *limit) {
        turn.text = words(&turn.text)[..limit].concat();
        turn.cut_short = true;
    }
    let arguments = turn.call.as_ref().map_or(0, |call| words(&call.arguments).len());
    turn.usage.visible = words(&turn.text).len() + arguments;
    if ask.model == "slow" {
        (turn.delay, turn.pace) = (Duration::from_secs(2), Duration::from_millis(300));
    }
    turn
}

/// A text cut after each white space, so that the pieces joined are the text.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

/// The tool to call: the one that the client forces, else a shell, else the first.
fn pick(ask: &Ask) -> Option<ToolCall> {
    let tools = ask.tools();
    let forced = tools.iter().find(|tool| Some(tool.name) == ask.forced_tool());
    let shell = || tools.iter().find(|tool| tool.name.contains("bash") || tool.name.contains("shell"));
    let Tool { name, schema } = forced.or_else(shell).or(tools.first())?;
    Some(ToolCall { name: (*name).to_owned(), arguments: fill(schema, "").to_string() })
}

/// A harmless value for a JSON Schema; of objects only the required members.
fn fill(schema: &Value, name: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(either) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()).and_then(|any| any.first()) {
        return fill(either, name);
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    match kind.unwrap_or(if name.is_empty() { "object" } else { "string" }) {
        "object" => {
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let members = required.iter().filter_map(Value::as_str);
            Value::Object(
                members.map(|key| (key.to_owned(), fill(&schema["properties"][key], key))).collect::<Map<_, _>>(),
            )
        }
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(false),
        "array" if name == "command" => json!(["echo", "keywheel"]),
        "array" if schema["minItems"].as_u64() > Some(0) => json!([fill(&schema["items"], name)]),
        "array" => json!([]),
        "null" => Value::Null,
        _ if name == "command" => json!("echo keywheel"),
        _ => json!("keywheel"),
    }
}

/// Who called how often in the window under way; a window begins with its first call.
pub(crate) struct Limits {
    per_window: u32,
    window: Duration,
    callers: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Default for Limits {
    /// Those of the model `limited`.
    fn default() -> Self {
        Self::new(PER_WINDOW, WINDOW)
    }
}

impl Limits {
    /// So many calls in one window.
    pub(crate) fn new(per_window: u32, window: Duration) -> Self {
        Self { per_window, window, callers: Mutex::default() }
    }

    /// Counts a request; over the limit it is refused.
    pub(crate) fn count(&self, who: &str) -> Result<Throttle, Refusal> {
        let now = Instant::now();
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let window = callers.entry(who.to_owned()).or_insert((now, 0));
        if now.duration_since(window.0) >= self.window {
            *window = (now, 0);
        }
        let reset = self.window.saturating_sub(now.duration_since(window.0));
        let throttle = |used: u32| Throttle { limit: self.per_window, remaining: self.per_window - used, reset };
        if window.1 == self.per_window {
            return Err(Refusal::Throttled(throttle(self.per_window)));
        }
        window.1 += 1;
        Ok(throttle(window.1))
    }
}
