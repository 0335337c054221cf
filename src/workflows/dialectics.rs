//! A question to several models together, and what each of them says as it comes.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::chat::{ChatError, refused, said_no};
use crate::operator::{Given, Operator, Placed};
use crate::wire::sse::{self, Frames};

/// What is asked, and of whom.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The name behind `dialectics/`.
    pub name: String,
    /// What the user says.
    pub prompt: String,
    /// Models instead of the usual legs.
    pub legs: Vec<String>,
    /// The model that judges, instead of the usual one.
    pub synthesis: Option<String>,
    /// How often the sides of a debate speak.
    pub rounds: Option<u32>,
    /// USD; a question that could cost more is not asked.
    pub max_cost: Option<String>,
    /// Whether a report of what was agreed and what disputed is asked for.
    pub report: bool,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A leg says something, or ends.
    Leg {
        /// `thesis`, `part-1`, …
        role: String,
        /// Its model.
        model: String,
        /// From 1 on.
        round: u64,
        /// What is added to its words; may be empty.
        text: String,
        /// `done` or `absent` once it has ended.
        state: Option<String>,
    },
    /// Something to know: the plan of a split, a synthesis that another model takes over.
    Note(String),
    /// This model begins the synthesis.
    Judging(String),
    /// A part of the synthesis.
    Content(String),
    /// The end: the legs, those that are absent, and the report.
    About(Value),
}

/// A dialectic under way. Dropping it ends every leg.
pub struct Hearing {
    /// The call's id, by which `keywheel requests` finds it.
    pub id: String,
    /// The cast, as `role=model` in order.
    pub legs: Vec<(String, String)>,
    given: Given,
    frames: Frames,
    ready: VecDeque<Heard>,
    done: bool,
}

/// Asks. Comes back with the first words.
pub async fn ask(operator: &dyn Operator, question: &Question) -> Result<Hearing, ChatError> {
    let body = json!({"model": format!("dialectics/{}", question.name), "stream": true,
        "messages": [{"role": "user", "content": question.prompt}]});
    let headers = headers(question);
    let placed = Placed { path: "chat/completions".to_owned(), headers, body: Bytes::from(body.to_string()) };
    let given = operator.call(placed).await.map_err(ChatError::Unreachable)?;
    if !given.status.is_success() {
        return Err(refused(given).await);
    }
    let text =
        |name: &str| given.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let legs = text("x-keywheel-legs");
    let legs = legs.split(", ").filter_map(|leg| leg.split_once('='));
    Ok(Hearing {
        id: text("x-keywheel-request-id"),
        legs: legs.map(|(role, model)| (role.to_owned(), model.to_owned())).collect(),
        given,
        frames: Frames::default(),
        ready: VecDeque::new(),
        done: false,
    })
}

impl Hearing {
    /// What is heard next; `None` when the answer is whole.
    pub async fn next(&mut self) -> Result<Option<Heard>, ChatError> {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return Ok(Some(heard));
            }
            if self.done {
                return Ok(None);
            }
            match self.given.body.next().await {
                Some(Ok(bytes)) => self.take(&bytes)?,
                Some(Err(error)) => return Err(ChatError::Broken(format!(": {error}"))),
                None => return Err(ChatError::Broken(String::new())),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ChatError> {
        let mut found = Vec::new();
        self.frames.push(bytes, |frame, _| found.extend(sse::data(frame).map(<[u8]>::to_vec)));
        for data in found {
            if data == b"[DONE]" {
                self.done = true;
                continue;
            }
            let chunk: Value = serde_json::from_slice(&data).unwrap_or_default();
            if chunk.get("error").is_some_and(|error| !error.is_null()) {
                return Err(said_no(200, &data));
            }
            self.ready.extend(heard(&chunk));
        }
        Ok(())
    }
}

/// What a chunk tells.
fn heard(chunk: &Value) -> Vec<Heard> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (choice, tag) = (&chunk["choices"][0], &chunk["keywheel"]);
    let mut all = Vec::new();
    let content = text(&choice["delta"]["content"]);
    if !content.is_empty() {
        all.push(Heard::Content(content));
    }
    if choice["finish_reason"].is_string() {
        all.push(Heard::About(tag.clone()));
    } else if let Some(note) = tag["note"].as_str() {
        all.push(Heard::Note(note.to_owned()));
    } else if tag["leg"] == "synthesis" {
        all.push(Heard::Judging(text(&tag["model"])));
    } else if tag["leg"].is_string() {
        all.push(Heard::Leg {
            role: text(&tag["leg"]),
            model: text(&tag["model"]),
            round: tag["round"].as_u64().unwrap_or(1),
            text: text(&choice["delta"]["reasoning_content"]),
            state: tag["state"].as_str().map(str::to_owned),
        });
    }
    all
}

fn headers(question: &Question) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("x-keywheel-live", "true");
    if question.report {
        put("x-keywheel-report", "true");
    }
    if !question.legs.is_empty() {
        put("x-keywheel-legs", &question.legs.join(","));
    }
    let rounds = question.rounds.map(|rounds| rounds.to_string());
    let rest = [
        ("x-keywheel-synthesis", &question.synthesis),
        ("x-keywheel-rounds", &rounds),
        ("x-keywheel-max-cost", &question.max_cost),
    ];
    rest.into_iter().for_each(|(name, value)| value.iter().for_each(|value| put(name, value)));
    headers
}
