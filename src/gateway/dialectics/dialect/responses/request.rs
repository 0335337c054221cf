//! A request of the dialect as the chat body that the legs are sent. Members that both dialects have stay as they came.

use serde_json::{Map, Value, json};

use super::super::{Request, Title, wrong};
use super::output::Output;
use super::tools::Tools;
use super::{Responses, items};
use crate::kit::{Fault, Kind};
use crate::wire::{Edit, Json};

/// What stands for a conversation, or a part of it, that somebody keeps. Nobody does here.
const KEPT: [(&str, &str); 3] = [
    ("previous_response_id", "no response of a dialectic is kept; send the whole conversation as `input`"),
    ("conversation", "no conversation is kept here; send the whole of it as `input`"),
    ("prompt", "a stored prompt lies at one provider and not at the others; send its text as `input`"),
];

/// What chat does not know or has by another name, and what only chat knows: it would stand beside what is made here.
const OTHERS: [&str; 25] = [
    "background",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "max_tool_calls",
    "messages",
    "metadata",
    "previous_response_id",
    "prompt",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "store",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "truncation",
    "verbosity",
];

/// What a response repeats of its request.
const REPEATED: [&str; 12] = [
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

/// Reads a request.
pub(in super::super) fn read(body: &Json, title: Title) -> Result<Request, Fault> {
    let get = |name: &str| -> Result<Value, Fault> {
        let text = body.raw(name).unwrap_or(b"null");
        serde_json::from_slice(text)
            .map_err(|error| wrong(name.to_owned(), format!("`{name}` cannot be read: {error}")))
    };
    for (name, words) in KEPT {
        if !get(name)?.is_null() {
            return Err(wrong(name, words));
        }
    }
    if body.is_true("background") {
        return Err(wrong("background", "a dialectic answers while its client waits; leave `background` out"));
    }
    let messages = items::messages(&get("instructions")?, &get("input")?)?;
    let mut tools = Tools::read(&get("tools")?)?;
    let choice = match get("tool_choice")? {
        Value::Null => Value::Null,
        choice => tools.choice(&choice)?,
    };
    let mut edits: Vec<Edit> = OTHERS.iter().map(|name| Edit::Drop((*name).into())).collect();
    edits.push(Edit::Set("messages".into(), Value::from(messages).to_string()));
    if tools.functions().is_empty() {
        // without tools there is nothing to choose
        edits.push(Edit::Drop("parallel_tool_calls".into()));
    } else {
        edits.push(Edit::Set("tools".into(), Value::from(tools.functions()).to_string()));
        edits.extend((!choice.is_null()).then(|| Edit::Set("tool_choice".into(), choice.to_string())));
    }
    edits.extend(renamed(&get("max_output_tokens")?, &get("reasoning")?, &get("text")?));
    let chat =
        Json::parse(body.splice(&edits).joined()).map_err(|error| Fault::new(Kind::Invalid(400), error.to_string()))?;
    let mut asked = Map::new();
    for name in REPEATED {
        let value = get(name)?;
        if !value.is_null() {
            asked.insert(name.to_owned(), value);
        }
    }
    let left_out = tools.left_out.clone();
    let output = Output::new(&title.id);
    let dialect = Box::new(Responses { title, asked, tools, number: 0, begun: false, output });
    Ok(Request { body: chat, dialect, left_out })
}

/// What chat has by another name.
fn renamed(longest: &Value, reasoning: &Value, text: &Value) -> Vec<Edit> {
    let format = &text["format"];
    let format = match format["type"].as_str() {
        Some("json_schema") => {
            let mut schema = format.clone();
            schema.as_object_mut().map(|schema| schema.remove("type"));
            json!({"type": "json_schema", "json_schema": schema})
        }
        Some("json_object") => format.clone(),
        _ => Value::Null,
    };
    let all = [
        ("max_completion_tokens", longest.clone()),
        ("reasoning_effort", reasoning["effort"].clone()),
        ("verbosity", text["verbosity"].clone()),
        ("response_format", format),
    ];
    let given = all.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| Edit::Set(name.into(), value.to_string())).collect()
}
