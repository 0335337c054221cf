//! Asks for thought in words, where a model has no field for it. What the client wrote stays as it is: the words are a
//! part of their own beside it.

use serde_json::{Value, json};

use crate::catalog::reasoning::{Form, Level};
use crate::wire::{Edit, Json, edit_items};

/// The change that asks for thought; `None` where the body has no place for instructions.
pub(super) fn edit(form: Form, body: &Json, level: Level) -> Option<Edit> {
    let words = words(level);
    match form {
        Form::Chat | Form::Native => messages(body, words),
        Form::Responses => Some(Edit::Set("instructions".into(), joined(body.get("instructions"), words)?)),
        Form::Messages => Some(Edit::Set("system".into(), joined(body.get("system"), words)?)),
        Form::Generate => {
            let mut system: Value = serde_json::from_str(body.get("systemInstruction").unwrap_or("{}")).ok()?;
            let parts = system.as_object_mut()?.entry("parts").or_insert_with(|| json!([]));
            parts.as_array_mut()?.push(json!({ "text": words }));
            Some(Edit::Set("systemInstruction".into(), system.to_string()))
        }
    }
}

const fn words(level: Level) -> &'static str {
    match level {
        Level::None | Level::Minimal | Level::Low => "Before you answer, think briefly about what is asked.",
        Level::Medium => "Before you answer, think step by step about what is asked, and check your result.",
        Level::High | Level::Xhigh | Level::Max => {
            "Before you answer, think step by step and at length: consider several ways, look for mistakes in each, and \
             check the result against everything that is asked. Then give the answer."
        }
    }
}

/// In the first instructions of a conversation, or in a message of their own at its head.
fn messages(body: &Json, words: &str) -> Option<Edit> {
    let turns = body.raw("messages")?;
    let mut told = false;
    let tell = |turn: &Json| {
        let instructs = matches!(turn.str("role").as_deref(), Some("system" | "developer"));
        if !instructs || told {
            return Vec::new();
        }
        let content = joined(turn.get("content"), words);
        told = content.is_some();
        content.map(|content| Edit::Set("content".into(), content)).into_iter().collect()
    };
    let turns = edit_items(turns, tell).or_else(|| {
        let rest = std::str::from_utf8(turns).ok()?.trim_start().strip_prefix('[')?;
        let comma = if rest.trim_start().starts_with(']') { "" } else { "," };
        Some(format!("[{}{comma}{rest}", json!({ "role": "system", "content": words })))
    });
    turns.map(|turns| Edit::Set("messages".into(), turns))
}

/// The words behind a text, or as the last of several parts; the parts that are there keep their bytes.
fn joined(content: Option<&str>, words: &str) -> Option<String> {
    let content = content.filter(|text| *text != "null").unwrap_or("\"\"");
    if content.starts_with('[') {
        let head = content.trim_end().strip_suffix(']')?;
        let comma = if head.trim_end().ends_with('[') { "" } else { "," };
        return Some(format!("{head}{comma}{}]", json!({ "type": "text", "text": words })));
    }
    let text: String = serde_json::from_str(content).ok()?;
    let between = if text.is_empty() { "" } else { "\n\n" };
    Some(Value::from(format!("{text}{between}{words}")).to_string())
}
