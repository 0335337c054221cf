//! Takes a model's reasoning out of an answer while it passes, or shortens it, for clients that shall not see all of it.

use bytes::Bytes;

use super::inline::Inline;
use super::short::Short;
use crate::catalog::reasoning::Show;
use crate::wire::sse::{self, Frames};
use crate::wire::{Edit, Json, edit_items};

/// Where chat answers carry reasoning: as one text, or in parts.
const TEXTS: [&str; 2] = ["reasoning_content", "reasoning"];
const PARTS: &str = "reasoning_details";

/// Rewrites one answer.
pub struct Veil {
    show: Show,
    shape: Shape,
    /// What is said of each choice, by its index.
    choices: Vec<Choice>,
}

enum Shape {
    Events(Frames),
    Whole(Vec<u8>),
}

#[derive(Default)]
struct Choice {
    short: Short,
    inline: Inline,
}

impl Veil {
    /// For a stream of events.
    pub fn events(show: Show) -> Self {
        Self { show, shape: Shape::Events(Frames::default()), choices: Vec::new() }
    }

    /// For a body of JSON.
    pub const fn whole(show: Show) -> Self {
        Self { show, shape: Shape::Whole(Vec::new()), choices: Vec::new() }
    }

    /// Takes a chunk of the answer; gives what can be passed on by now.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        match &mut self.shape {
            Shape::Whole(kept) => {
                kept.extend_from_slice(chunk);
                Vec::new()
            }
            Shape::Events(frames) => {
                let (mut frames, mut out) = (std::mem::take(frames), Vec::new());
                frames.push(chunk, |frame, _| self.frame(frame, &mut out));
                self.shape = Shape::Events(frames);
                out
            }
        }
    }

    /// The rest, when the answer has ended, however it ended.
    pub fn end(&mut self) -> Vec<u8> {
        match &mut self.shape {
            Shape::Whole(kept) => {
                let kept = Bytes::from(std::mem::take(kept));
                self.document(&kept).unwrap_or(Some(kept)).map(|text| text.to_vec()).unwrap_or_default()
            }
            Shape::Events(frames) => {
                let (rest, mut out) = (frames.rest().to_vec(), Vec::new());
                self.frame(&rest, &mut out);
                out
            }
        }
    }

    fn frame(&mut self, frame: &[u8], out: &mut Vec<u8>) {
        let data = sse::data(frame).map(Bytes::copy_from_slice);
        match data.and_then(|data| self.document(&data)) {
            // as it came
            None => out.extend_from_slice(frame),
            Some(None) => {}
            Some(Some(text)) => {
                let event = frame.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"event:"));
                out.extend(event.into_iter().flat_map(|line| [line.trim_ascii_end(), b"\n".as_slice()].concat()));
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&text);
                out.extend_from_slice(b"\n\n");
            }
        }
    }

    /// A document that changes; `Some(None)` where nothing is left that a client needs.
    fn document(&mut self, text: &Bytes) -> Option<Option<Bytes>> {
        let json = Json::parse(text.clone()).ok()?;
        if let Some(kind) = json.str("type") {
            return self.event(&json, &kind);
        }
        if let Some(output) = json.raw("output") {
            let output = edit_items(output, |item| self.item(item))?;
            return Some(Some(spliced(&json, "output", output)));
        }
        let mut empty = true;
        let choices = edit_items(json.raw("choices")?, |choice| self.choice(choice, &mut empty))?;
        let silent = empty && json.get("usage").is_none_or(|usage| usage == "null");
        Some((!silent).then(|| spliced(&json, "choices", choices)))
    }

    /// An event of the responses dialect.
    fn event(&self, json: &Json, kind: &str) -> Option<Option<Bytes>> {
        let summary = kind.starts_with("response.reasoning_summary");
        if kind.starts_with("response.reasoning") && !(summary && self.show == Show::Summary) {
            return Some(None);
        }
        let inner = |key: &str| Json::parse(Bytes::copy_from_slice(json.raw(key)?)).ok();
        if let Some(item) = inner("item") {
            let edits = self.item(&item);
            return (!edits.is_empty()).then(|| Some(spliced(json, "item", joined(&item, &edits))));
        }
        let response = inner("response")?;
        let output = edit_items(response.raw("output")?, |item| self.item(item))?;
        let response = joined(&response, &[Edit::Set("output".into(), output)]);
        Some(Some(spliced(json, "response", response)))
    }

    /// An item of a response: its reasoning keeps its id, which the next turn may need.
    fn item(&self, item: &Json) -> Vec<Edit> {
        if item.str("type").as_deref() != Some("reasoning") {
            return Vec::new();
        }
        let texts = item.get("content").filter(|text| !matches!(*text, "null" | "[]"));
        let summary = item.get("summary").filter(|text| *text != "[]" && self.show == Show::Hide);
        let drop = |key: &'static str| Edit::Set(key.into(), "[]".to_owned());
        texts.map(|_| drop("content")).into_iter().chain(summary.map(|_| drop("summary"))).collect()
    }

    /// A choice of a chat answer, whole or a bit of it. `empty` stays true where all of it was reasoning.
    fn choice(&mut self, choice: &Json, empty: &mut bool) -> Vec<Edit> {
        let index = choice.get("index").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0).min(127);
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, Choice::default);
        }
        let state = &mut self.choices[index];
        *empty &= choice.get("finish_reason").is_none_or(|reason| reason == "null");
        let mut edits = Vec::new();
        for (key, whole) in [("delta", false), ("message", true)] {
            let Some(turn) = choice.raw(key).and_then(|text| Json::parse(Bytes::copy_from_slice(text)).ok()) else {
                continue;
            };
            let changes = state.turn(&turn, self.show, whole);
            *empty &= !whole && !changes.is_empty() && says_nothing(&turn, &changes);
            if !changes.is_empty() {
                edits.push(Edit::Set(key.into(), joined(&turn, &changes)));
            }
        }
        edits
    }
}

impl Choice {
    fn turn(&mut self, turn: &Json, show: Show, whole: bool) -> Vec<Edit> {
        let mut edits = Vec::new();
        for key in TEXTS {
            let Some(text) = turn.str(key) else { continue };
            let kept = if show == Show::Summary { self.short.push(&text) } else { String::new() };
            edits.push(if kept.is_empty() { Edit::Drop(key.into()) } else { Edit::set_str(key, &kept) });
        }
        if turn.get(PARTS).is_some() {
            edits.push(Edit::Drop(PARTS.into()));
        }
        if let Some(text) = turn.str("content") {
            let mut kept = self.inline.push(&text);
            if whole {
                kept.push_str(&self.inline.end());
            }
            if kept != text {
                edits.push(Edit::set_str("content", &kept));
            }
        }
        edits
    }
}

/// Whether a bit of an answer has nothing left once these changes are made.
fn says_nothing(turn: &Json, changes: &[Edit]) -> bool {
    let left = joined(turn, changes);
    Json::parse(left.into()).is_ok_and(|left| {
        ["role", "tool_calls", "function_call", "refusal", "annotations", "audio"]
            .iter()
            .chain(&TEXTS)
            .all(|key| left.get(key).is_none_or(|value| value == "null"))
            && left.get("content").is_none_or(|text| matches!(text, "null" | "\"\""))
    })
}

fn joined(json: &Json, edits: &[Edit]) -> String {
    String::from_utf8_lossy(&json.splice(edits).joined()).into_owned()
}

fn spliced(json: &Json, key: &'static str, value: String) -> Bytes {
    json.splice(&[Edit::Set(key.into(), value)]).joined()
}
