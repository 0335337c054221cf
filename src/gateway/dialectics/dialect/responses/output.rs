//! The items of a response, in order, and the events that tell of each: it begins, grows and ends.

use serde_json::{Value, json};

use super::Words;
use super::object::{self, Item, What};
use super::tools::Tools;

/// The most calls of tools in one answer.
const MOST_CALLS: u64 = 128;

/// What has been said so far. One item of words is open at most; calls stay open to the end, since their arguments may
/// come mixed.
pub(super) struct Output {
    /// Makes ids of items unlike those of other responses.
    id: String,
    items: Vec<Item>,
    /// Calls that have not begun.
    held: Vec<Held>,
}

/// A call of which too little is known to tell of it.
#[derive(Default)]
struct Held {
    index: u64,
    id: Option<String>,
    name: String,
    arguments: String,
}

impl Output {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), items: Vec::new(), held: Vec::new() }
    }

    /// The items as they stand.
    pub(super) fn items(&self) -> Vec<Value> {
        self.items.iter().map(Item::json).collect()
    }

    /// Adds words of a kind. The tag is for programs.
    pub(super) fn write(&mut self, kind: Words, text: &str, tag: Option<&Value>) -> Vec<Value> {
        let mut events = Vec::new();
        let [added, grows, ..] = kind.events();
        let at = match self.open() {
            Some((at, own)) if own == kind => at,
            _ => {
                let prefix = if kind == Words::Reasoning { "rs" } else { "msg" };
                let at = self.begin(prefix, What::Words(kind), &mut events);
                events.push(self.event(at, added, "part", object::part(kind, "")));
                at
            }
        };
        self.items[at].text += text;
        let mut delta = self.event(at, grows, "delta", text.into());
        if let Some(tag) = tag {
            delta["keywheel"] = tag.clone();
        }
        events.push(delta);
        events
    }

    /// Adds what a chunk says of a call. It begins once its name and a piece of its arguments are there: a name may come
    /// late, or in pieces.
    pub(super) fn call(&mut self, chunk: &Value, tools: &Tools) -> Vec<Value> {
        let mut events = Vec::new();
        let number = chunk["index"].as_u64().unwrap_or(0).min(MOST_CALLS - 1);
        let id = chunk["id"].as_str().filter(|id| !id.is_empty());
        let more = chunk["function"]["arguments"].as_str().unwrap_or_default();
        // some servers number every call 0 and tell them apart by their ids
        let known = |item: &Item| match &item.what {
            What::Call { index, call_id, .. } => *index == number && id.is_none_or(|id| id == call_id),
            What::Words(_) => false,
        };
        if let Some(at) = self.items.iter().rposition(known) {
            self.grow(at, more, &mut events);
            return events;
        }
        let same =
            |held: &Held| held.index == number && (id.is_none() || held.id.is_none() || held.id.as_deref() == id);
        let mut held = match self.held.iter().rposition(same) {
            Some(at) => self.held.remove(at),
            None => {
                self.begin_held(tools, &mut events);
                Held { index: number, ..Held::default() }
            }
        };
        held.id = held.id.or_else(|| id.map(str::to_owned));
        // some servers repeat the whole name in every chunk
        let name = chunk["function"]["name"].as_str().unwrap_or_default();
        if held.name != name {
            held.name += name;
        }
        held.arguments += more;
        if held.name.is_empty() || held.arguments.is_empty() {
            self.held.push(held);
        } else {
            self.begin_call(held, tools, &mut events);
        }
        events
    }

    /// Begins the calls that were held; those without a name wait on where there is more to come.
    fn begin_held(&mut self, tools: &Tools, events: &mut Vec<Value>) {
        let (named, nameless) = std::mem::take(&mut self.held).into_iter().partition(|held| !held.name.is_empty());
        self.held = nameless;
        let named: Vec<Held> = named;
        named.into_iter().for_each(|held| self.begin_call(held, tools, events));
    }

    fn begin_call(&mut self, held: Held, tools: &Tools, events: &mut Vec<Value>) {
        let call_id = held.id.unwrap_or_else(|| format!("call_{}_{}", self.id, self.items.len()));
        let callee = tools.callee(&held.name);
        let prefix = if callee.custom { "ctc" } else { "fc" };
        let at = self.begin(prefix, What::Call { index: held.index, call_id, callee }, events);
        self.grow(at, &held.arguments, events);
    }

    fn grow(&mut self, at: usize, more: &str, events: &mut Vec<Value>) {
        let item = &mut self.items[at];
        item.text += more;
        // the input of a custom tool lies inside of its arguments and can be read at their end only
        let custom = matches!(&item.what, What::Call { callee, .. } if callee.custom);
        if !custom && !more.is_empty() {
            events.push(json!({"type": "response.function_call_arguments.delta", "item_id": item.id,
                "output_index": at, "delta": more}));
        }
    }

    /// Ends what is open.
    pub(super) fn close(&mut self, complete: bool, tools: &Tools) -> Vec<Value> {
        let mut events = Vec::new();
        self.begin_held(tools, &mut events);
        events.extend(self.end(if complete { "completed" } else { "incomplete" }));
        events
    }

    fn end(&mut self, status: &'static str) -> Vec<Value> {
        let mut events = Vec::new();
        for at in 0..self.items.len() {
            if self.items[at].status != "in_progress" {
                continue;
            }
            events.extend(match self.items[at].what {
                What::Words(kind) => self.end_words(at, kind, status),
                What::Call { .. } => self.end_call(at, status),
            });
        }
        events
    }

    /// Ends what is open where no more will come. No event tells of a call: an agent would run it.
    pub(super) fn break_off(&mut self) -> Vec<Value> {
        for item in self.items.iter_mut().filter(|item| item.status == "in_progress") {
            if matches!(item.what, What::Call { .. }) {
                item.status = "incomplete";
            }
        }
        self.end("incomplete")
    }

    /// The words that are not yet ended.
    fn open(&self) -> Option<(usize, Words)> {
        self.items.iter().enumerate().rev().find_map(|(at, item)| match item.what {
            What::Words(kind) if item.status == "in_progress" => Some((at, kind)),
            _ => None,
        })
    }

    /// A new item; words that are open end before it.
    fn begin(&mut self, prefix: &str, what: What, events: &mut Vec<Value>) -> usize {
        if let Some((open, kind)) = self.open() {
            events.extend(self.end_words(open, kind, "completed"));
        }
        let at = self.items.len();
        let id = format!("{prefix}_{}_{at}", self.id);
        self.items.push(Item { id, what, text: String::new(), status: "in_progress" });
        events.push(json!({"type": "response.output_item.added", "output_index": at, "item": self.items[at].json()}));
        at
    }

    fn end_words(&mut self, at: usize, kind: Words, status: &'static str) -> Vec<Value> {
        self.items[at].status = status;
        let text = self.items[at].text.clone();
        let member = if kind == Words::Refusal { "refusal" } else { "text" };
        let (part, [.., said, done]) = (object::part(kind, &text), kind.events());
        vec![self.event(at, said, member, text.into()), self.event(at, done, "part", part), self.ended(at)]
    }

    fn end_call(&mut self, at: usize, status: &'static str) -> Vec<Value> {
        let mut events = Vec::new();
        let nothing = matches!(&self.items[at].what, What::Call { callee, .. } if !callee.custom)
            && self.items[at].text.trim().is_empty();
        if nothing && status == "completed" {
            // arguments are JSON, and that of none is an empty object
            self.grow(at, "{}", &mut events);
        }
        let item = &mut self.items[at];
        item.status = status;
        let id = &item.id;
        if let What::Call { callee, .. } = &item.what {
            let said = callee.said(&item.text);
            let event = |step: &str, member: &str| {
                let mut event = json!({"type": step, "item_id": id, "output_index": at});
                event[member] = said.as_str().into();
                event
            };
            if callee.custom {
                events.push(event("response.custom_tool_call_input.delta", "delta"));
                events.push(event("response.custom_tool_call_input.done", "input"));
            } else {
                let mut done = event("response.function_call_arguments.done", "arguments");
                done["name"] = callee.name.as_str().into();
                events.push(done);
            }
        }
        events.push(self.ended(at));
        events
    }

    fn ended(&self, at: usize) -> Value {
        json!({"type": "response.output_item.done", "output_index": at, "item": self.items[at].json()})
    }

    /// An event about the only part of an item of words.
    fn event(&self, at: usize, name: &str, member: &str, value: Value) -> Value {
        let id = &self.items[at].id;
        let index = if name.starts_with("reasoning") { "summary_index" } else { "content_index" };
        let mut event = json!({"type": format!("response.{name}"), "item_id": id, "output_index": at});
        event[index] = 0.into();
        event[member] = value;
        if name.starts_with("output_text") {
            event["logprobs"] = json!([]);
        }
        event
    }
}

impl Words {
    /// What the events are called that tell of a part: that it is added, grows, has its text, is done.
    const fn events(self) -> [&'static str; 4] {
        match self {
            Self::Reasoning => [
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
            ],
            Self::Text => ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"],
            Self::Refusal => ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"],
        }
    }
}
