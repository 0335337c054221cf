//! Bodies for legs and synthesis, spliced out of the client's own: what is not named here stays as it came, images and
//! array-shaped content too.

use serde_json::{Value, json};

use super::dialect::wrong;
use crate::kit::{Fault, Kind};
use crate::wire::{Edit, Json};

/// What a leg does not get besides tools: the shape of the answer is the synthesis' affair.
const SHAPES: [&str; 8] =
    ["response_format", "logprobs", "top_logprobs", "audio", "modalities", "prediction", "verbosity", "stop"];
const TOOLS: [&str; 5] = ["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"];

/// What a model is told around the client's conversation.
pub(super) struct Told<'a> {
    pub(super) model: &'a str,
    /// Before it.
    pub(super) system: &'a str,
    /// After it, in turns: the model's own words, then the next question.
    pub(super) after: &'a [(Role, String)],
    pub(super) tools: bool,
    /// Whether the answer has the shape that the client asked for.
    pub(super) shaped: bool,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    User,
    Assistant,
}

/// Whether a client's body can be put before several models.
pub(super) fn check(body: &Json) -> Result<(), Fault> {
    match body.raw("messages") {
        Some(list) if list.starts_with(b"[") && !inside(list).trim_ascii().is_empty() => {}
        _ => return Err(wrong("messages", "a dialectic needs `messages`, an array with at least one message")),
    }
    if body.get("n").is_some_and(|n| n != "1" && n != "null") {
        return Err(wrong("n", "a dialectic gives one answer; leave `n` out"));
    }
    Ok(())
}

/// The body of one leg's call; always a stream, since its words are shown as they come.
pub(super) fn told(body: &Json, told: &Told<'_>) -> Result<Json, Fault> {
    let mut edits = vec![
        Edit::Set("model".into(), Value::from(told.model).to_string()),
        Edit::Set("stream".into(), "true".to_owned()),
        Edit::Set("stream_options".into(), json!({"include_usage": true}).to_string()),
        Edit::Set("messages".into(), messages(body.raw("messages").unwrap_or(b"[]"), told)),
        Edit::Drop("n".into()),
    ];
    let tools = TOOLS.iter().filter(|_| !told.tools);
    let shapes = SHAPES.iter().filter(|_| !told.shaped);
    edits.extend(tools.chain(shapes).map(|name| Edit::Drop((*name).into())));
    Json::parse(body.splice(&edits).joined()).map_err(|error| Fault::new(Kind::Internal, error.to_string()))
}

fn messages(list: &[u8], told: &Told<'_>) -> String {
    let mut all = vec![json!({"role": "system", "content": told.system}).to_string()];
    all.push(String::from_utf8_lossy(inside(list).trim_ascii()).into_owned());
    all.extend(told.after.iter().map(|(role, text)| {
        let role = if *role == Role::User { "user" } else { "assistant" };
        json!({"role": role, "content": text}).to_string()
    }));
    format!("[{}]", all.join(","))
}

/// What stands between the brackets.
fn inside(list: &[u8]) -> &[u8] {
    list.strip_prefix(b"[").and_then(|list| list.strip_suffix(b"]")).unwrap_or_default()
}

/// What the user asked last, as text; images are left out.
pub(super) fn question(body: &Json) -> String {
    let messages: Vec<Value> =
        body.get("messages").and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
    let last = messages.iter().rfind(|message| message["role"] == "user");
    match last.map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Json {
        Json::parse(text.into()).expect("an object")
    }

    #[test]
    fn a_leg_gets_the_conversation_as_it_came_and_no_tools() {
        let body = parsed(
            r#"{"model":"dialectics/debate","seed": 1.10,"tools":[1],"tool_choice":"auto","response_format":{},"n":1,
               "messages":[ {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}, "n":1.0}]} ]}"#,
        );
        let after = [(Role::Assistant, "mine".to_owned()), (Role::User, "theirs".to_owned())];
        let plain = Told { model: "lab/a", system: "brief", after: &after, tools: false, shaped: false };
        let leg = told(&body, &plain).expect("a body");
        assert_eq!(
            leg.get("messages"),
            Some(
                r#"[{"role":"system","content":"brief"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}, "n":1.0}]},{"role":"assistant","content":"mine"},{"role":"user","content":"theirs"}]"#
            )
        );
        assert_eq!((leg.get("seed"), leg.get("model")), (Some("1.10"), Some("\"lab/a\"")));
        for gone in ["tools", "tool_choice", "response_format", "n"] {
            assert_eq!(leg.get(gone), None, "{gone}");
        }
        let whole = told(&body, &Told { tools: true, shaped: true, ..plain }).expect("a body");
        assert_eq!((whole.get("tools"), whole.get("response_format")), (Some("[1]"), Some("{}")));
    }

    #[test]
    fn a_body_without_a_conversation_is_refused() {
        for (text, param) in [
            (r#"{"model":"m"}"#, "messages"),
            (r#"{"messages":"hi"}"#, "messages"),
            (r#"{"messages":[ ]}"#, "messages"),
            (r#"{"messages":[{}],"n":2}"#, "n"),
        ] {
            let fault = check(&parsed(text)).expect_err(text);
            assert_eq!((fault.status(), fault.param.as_deref()), (400, Some(param)), "{text}");
        }
    }

    #[test]
    fn the_question_is_the_text_of_the_last_user_message() {
        let body = parsed(
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"one"},{"type":"image_url"},{"type":"text","text":"two"}]},{"role":"assistant","content":"x"}]}"#,
        );
        assert_eq!(question(&body), "one\ntwo");
    }
}
