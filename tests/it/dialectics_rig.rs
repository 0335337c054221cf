//! The real binary in front of three labs: two for the legs and one for the judge.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use keywheel::sim::lab::{Seen, Setup};
use keywheel::sim::{Lab, Persona, Script};
use serde_json::{Value, json};

use crate::e2e_rig::{json_lines, said};
use crate::support::Keywheel;
use crate::support::client::{End, Frame, Response};

pub const CHAT: &str = "/v1/chat/completions";
pub const RESPONSES: &str = "/v1/responses";

/// How a dialectic is asked: where, and whether the answer streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub path: &'static str,
    pub stream: bool,
}

/// Every way.
pub const WAYS: [Way; 4] = [
    Way { path: CHAT, stream: true },
    Way { path: CHAT, stream: false },
    Way { path: RESPONSES, stream: true },
    Way { path: RESPONSES, stream: false },
];

/// The question of every test.
pub const QUESTION: &str = "Is it going to rain? Should I take an umbrella?";

/// A gateway whose providers `one`, `two` and `judge` are labs.
pub struct Trio {
    pub one: Lab,
    pub two: Lab,
    pub judge: Lab,
    pub keywheel: Keywheel,
}

impl Trio {
    /// With `[dialectics.duel]`, `.parts` and `.jury`, each with these lines.
    pub fn start(lines: &str) -> Self {
        Self::with(lines, "")
    }

    /// The same with more above all tables.
    pub fn with(lines: &str, top: &str) -> Self {
        let lab = || Lab::start_with(Setup::new(Persona::Generic)).expect("a lab");
        let (one, two, judge) = (lab(), lab(), lab());
        let mut text = format!("{top}\n");
        for (id, lab) in [("one", &one), ("two", &two), ("judge", &judge)] {
            text += &format!(
                "[providers.{id}]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"m\"]\nask_usage = true\n\
                 [[accounts]]\nid = \"{id}\"\nprovider = \"{id}\"\nsecret = {{ env = \"KEY_{}\" }}\n",
                lab.base_url(),
                id.to_uppercase()
            );
        }
        for (name, mode) in [("duel", "debate"), ("parts", "split"), ("jury", "panel")] {
            text += &format!(
                "[dialectics.{name}]\nmode = \"{mode}\"\nlegs = [\"one/m\", \"two/m\"]\nsynthesis = \"judge/m\"\n{lines}\n"
            );
        }
        let start = Keywheel::with(&text)
            .env("KEY_ONE", one.key("one"))
            .env("KEY_TWO", two.key("two"))
            .env("KEY_JUDGE", judge.key("judge"));
        let keywheel = start.start();
        let folder = keywheel.home().join("config/pricing");
        fs::create_dir_all(&folder).unwrap();
        for id in ["one", "two", "judge"] {
            let price = "[[models]]\nid = \"m\"\nmax_output = 1000\nrates = [{ input = \"1\", output = \"10\" }]\n";
            fs::write(folder.join(format!("{id}.toml")), format!("provider = \"{id}\"\n{price}")).unwrap();
        }
        said(&keywheel.run(["reload"]));
        Self { one, two, judge, keywheel }
    }

    /// The legs say these texts, with this pause between two words, and the judge says the last one.
    pub fn say(&self, one: &str, two: &str, judge: &str, pause: Duration) {
        self.one.on("one").then(speech(one).every(pause));
        self.two.on("two").then(speech(two).every(pause));
        self.judge.on("judge").then(speech(judge));
    }

    /// Calls a dialectic.
    pub async fn ask(&self, name: &str, way: Way) -> Response {
        self.keywheel.client().post(way.path, &body(name, way)).await
    }

    /// The calls of a lab.
    pub fn calls(lab: &Lab) -> Vec<Seen> {
        lab.seen().into_iter().filter(|seen| seen.method == http::Method::POST).collect()
    }

    /// All calls of all three labs.
    pub fn all_calls(&self) -> usize {
        [&self.one, &self.two, &self.judge].into_iter().map(|lab| Self::calls(lab).len()).sum()
    }

    /// The ledger's record of the newest call to a dialectic.
    pub fn record(&self) -> Value {
        let rows = json_lines(&self.keywheel.run(["requests", "--json"]));
        let parent = rows.iter().find(|row| row["provider"] == "dialectics").expect("a dialectic");
        let id = parent["id"].as_str().expect("an id");
        serde_json::from_str(&said(&self.keywheel.run(["requests", id, "--json"]))).expect("JSON")
    }
}

/// A request to a dialectic.
pub fn body(name: &str, way: Way) -> Value {
    let mut body = json!({"model": format!("dialectics/{name}"), "stream": way.stream});
    if way.path == CHAT {
        body["stream_options"] = json!({"include_usage": true});
        body["messages"] = json!([{"role": "user", "content": QUESTION}]);
    } else {
        body["input"] = QUESTION.into();
    }
    body
}

/// A stream in which a model says this text word by word.
pub fn speech(text: &str) -> Script {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": "chatcmpl-speech", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut chunks: Vec<Value> =
        text.split_inclusive(' ').map(|word| chunk(json!({"content": word}), Value::Null)).collect();
    chunks.push(chunk(json!({}), json!("stop")));
    let mut usage = chunk(json!({}), Value::Null);
    usage["choices"] = json!([]);
    usage["usage"] = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110});
    chunks.push(usage);
    let frames = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    Script::events(frames.chain(["data: [DONE]\n\n".to_owned()]))
}

/// What a lab was sent, as text: the last message, and all of them.
pub fn prompt(seen: &Seen) -> (String, String) {
    let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
    let messages = body["messages"].as_array().expect("messages");
    let last = messages.last().expect("a message")["content"].as_str().unwrap_or_default().to_owned();
    (last, body["messages"].to_string())
}

/// What a client reads of an answer, streamed or whole: reasoning, content, how it finished, and what programs are told.
#[derive(Debug, Default)]
pub struct Read {
    pub reasoning: String,
    pub content: String,
    pub finish: String,
    pub about: Value,
    pub usage: Value,
}

/// Reads an answer to its end.
pub async fn read(response: Response, way: Way) -> Read {
    match (way.path, way.stream) {
        (RESPONSES, true) => of_response(&spoken(response).await),
        (RESPONSES, false) => of_response(&response.json().await),
        (_, true) => of_chunks(response).await,
        (_, false) => of_completion(&response.json().await),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn of_completion(whole: &Value) -> Read {
    let message = &whole["choices"][0]["message"];
    Read {
        reasoning: text(&message["reasoning_content"]),
        content: text(&message["content"]),
        finish: text(&whole["choices"][0]["finish_reason"]),
        about: whole["keywheel"].clone(),
        usage: whole["usage"].clone(),
    }
}

async fn of_chunks(response: Response) -> Read {
    let (frames, end) = response.frames().await;
    assert_eq!(end, End::Clean);
    assert!(frames.last().expect("frames").bytes.ends_with(b"data: [DONE]\n\n"));
    let mut read = Read::default();
    for chunk in frames.iter().map(Frame::json) {
        let choice = &chunk["choices"][0];
        read.reasoning += &text(&choice["delta"]["reasoning_content"]);
        read.content += &text(&choice["delta"]["content"]);
        read.finish += &text(&choice["finish_reason"]);
        if choice["finish_reason"].is_string() {
            read.about = chunk["keywheel"].clone();
        }
        if chunk["usage"].is_object() {
            read.usage = chunk["usage"].clone();
        }
    }
    read
}

/// Of the object: its reasoning and its message; `completed` is read as chat's `stop`.
fn of_response(response: &Value) -> Read {
    let items = response["output"].as_array().expect("output");
    let all = |kind: &str, parts: &str| {
        let own = items.iter().filter(|item| item["type"] == kind);
        own.flat_map(|item| item[parts].as_array().expect("parts")).map(|part| text(&part["text"])).collect::<String>()
    };
    let status = text(&response["status"]);
    Read {
        reasoning: all("reasoning", "summary"),
        content: all("message", "content"),
        finish: if status == "completed" { "stop".to_owned() } else { status },
        about: response["keywheel"].clone(),
        usage: response["usage"].clone(),
    }
}

/// The response that a stream of events ends with. On the way every event is held against those before it: they are
/// named and numbered, items begin, grow and end, and the last object has what the pieces said.
pub async fn spoken(response: Response) -> Value {
    let (frames, end) = response.frames().await;
    assert_eq!(end, End::Clean);
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    let (mut said, mut done): (BTreeMap<u64, String>, Vec<Value>) = (BTreeMap::new(), Vec::new());
    for (number, (event, frame)) in events.iter().zip(&frames).enumerate() {
        let kind = text(&event["type"]);
        assert!(frame.bytes.starts_with(format!("event: {kind}\n").as_bytes()), "{event}");
        assert_eq!(event["sequence_number"], number, "{event}");
        let Some(at) = event["output_index"].as_u64() else { continue };
        if kind == "response.output_item.added" {
            assert!(said.insert(at, String::new()).is_none(), "{event}");
        } else if kind.ends_with(".delta") {
            *said.get_mut(&at).expect("an item that has begun") += &text(&event["delta"]);
        } else if kind == "response.output_item.done" {
            done.push(event["item"].clone());
        } else if let Some(all) =
            ["text", "refusal", "arguments", "input"].iter().find_map(|name| event[*name].as_str())
        {
            assert_eq!(said[&at], all, "{event}");
        }
    }
    let kinds: Vec<String> = events.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    let last = events.last().expect("events")["response"].clone();
    assert_eq!(*kinds.last().expect("events"), format!("response.{}", text(&last["status"])));
    assert_eq!(last["id"], events[0]["response"]["id"]);
    let mut items = last["output"].as_array().expect("output").clone();
    items.sort_by_key(|item| text(&item["id"]));
    done.sort_by_key(|item| text(&item["id"]));
    assert_eq!(items, done, "each item of the response has ended as it stands there");
    last
}
