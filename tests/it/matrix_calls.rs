//! Each adapter against its strict persona: chat, stream, a tool turn, and the other endpoints that it speaks. What is
//! sent is compared byte for byte with what the vendor's documents ask for, what comes back with what a second persona
//! answers to the same request.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Request};
use keywheel::sim::{Engine, Seen};
use keywheel::store::Outcome;
use keywheel::wire::Endpoint;
use serde_json::{Value, json};

use crate::matrix::{ALL, AZURE, DEEPSEEK, Got, Labs, OPENAI, OWN, Rig, Vendor, XAI};

const TOOL: &str = r#"{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{"zone":{"type":"string"}},"required":["zone"]}}}"#;

/// A conversation with one account's lab, and two personas that hear the same as it does, one just before and one just
/// after: their answers hold the second of the day.
pub struct Talk {
    pub labs: Labs,
    pub rig: Rig,
    vendor: Vendor,
    before: Engine,
    after: Engine,
}

/// One call and what must become of it on the way up.
pub struct Turn<'a> {
    pub endpoint: Endpoint,
    /// What the client sends.
    pub body: &'a str,
    /// Where it must arrive, with the query.
    pub path: &'a str,
    /// What must arrive.
    pub sent: &'a str,
}

impl Talk {
    pub fn new(vendor: Vendor) -> Self {
        let labs = Labs::start(vendor);
        let rig = Rig::new(&labs);
        Self::over(labs, rig, vendor)
    }

    pub fn over(labs: Labs, rig: Rig, vendor: Vendor) -> Self {
        let persona = || Engine::with(vendor.persona, &[], std::sync::Arc::new(|_| true));
        Self { labs, rig, vendor, before: persona(), after: persona() }
    }

    /// Makes the call and checks everything about it.
    pub async fn turn(&self, turn: Turn<'_>) -> Got {
        let key = self.labs.of("a").key("a");
        let (name, value) = match self.vendor.id {
            "azure" => ("api-key", key),
            _ => ("authorization", format!("Bearer {key}")),
        };
        self.turn_with(turn, name, &value).await
    }

    /// The same with another form of credential.
    pub async fn turn_with(&self, turn: Turn<'_>, name: &'static str, value: &str) -> Got {
        let Turn { endpoint, body, path, sent } = turn;
        let what = format!("{} {path} {body}", self.vendor.id);
        let hear = |engine: &Engine| {
            let request = Request::post(path).header(name, value).body(Bytes::from(sent.to_owned()));
            let answer = engine.answer("a", request.expect("a request")).bytes();
            if body.contains("include_usage") { answer } else { without_usage(&answer) }
        };
        let (count, early) = (self.labs.seen().len(), hear(&self.before));
        let got = self.rig.post(endpoint, body).await;
        let late = hear(&self.after);
        assert_eq!((got.status, got.whole), (200, true), "{what}: {}", got.text());
        assert!(got.body == early || got.body == late, "{what}\n{}\nand not\n{late:?}", got.text());
        let seen = self.labs.seen().split_off(count);
        assert_eq!(seen.len(), 1, "{what}");
        arrived(&seen[0], (name, value), &what);
        assert_eq!((seen[0].path_and_query.as_str(), &seen[0].body[..]), (path, sent.as_bytes()), "{what}");
        returned(&got.headers, &what);
        let entry = self.rig.entry();
        assert_eq!((entry.outcome, entry.account.as_deref(), entry.attempts.len()), (Outcome::Completed, Some("a"), 1));
        assert_eq!((entry.status, entry.bytes_out), (200, got.body.len() as u64), "{what}");
        assert_eq!(self.rig.ailing(), "", "{what}");
        got
    }
}

/// Exactly these headers arrive.
fn arrived(seen: &Seen, (name, value): (&'static str, &str), what: &str) {
    let host = seen.headers["host"].to_str().expect("text").to_owned();
    let agent = concat!("keywheel/", env!("CARGO_PKG_VERSION"));
    let length = seen.body.len().to_string();
    let mut expected: BTreeMap<&str, &str> = [
        ("accept", "*/*"),
        ("content-length", length.as_str()),
        ("content-type", "application/json"),
        ("host", host.as_str()),
        ("user-agent", agent),
        (name, value),
    ]
    .into();
    if seen.headers.contains_key("x-title") {
        expected.insert("x-title", "keywheel");
    }
    let got: BTreeMap<&str, &str> =
        seen.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
    assert_eq!(got, expected, "{what}");
}

/// Nothing of the account's comes back with the answer.
fn returned(headers: &HeaderMap, what: &str) {
    let names = headers.keys().map(http::HeaderName::as_str);
    let strange: Vec<&str> = names
        .filter(|name| !matches!(*name, "content-type" | "content-length" | "x-request-id"))
        .filter(|name| !name.starts_with("x-keywheel-"))
        .collect();
    assert!(strange.is_empty(), "{what}: {strange:?}");
}

/// The path of an endpoint at a vendor.
fn path(vendor: Vendor, endpoint: &Endpoint) -> String {
    match (vendor.id, endpoint) {
        ("azure", _) => format!("/openai/v1/{}", endpoint.path()),
        ("deepseek", Endpoint::Completions) => "/beta/completions".to_owned(),
        ("deepseek", _) => format!("/{}", endpoint.path()),
        _ => format!("/v1/{}", endpoint.path()),
    }
}

/// What stands at the end of a stream's request where the client did not ask for usage.
pub const ASKED: &str = r#","stream_options":{"include_usage":true}}"#;

/// A stream without the frame that tells nothing but usage, which a client that did not ask does not see.
fn without_usage(answer: &Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(answer) else { return answer.clone() };
    let tells_usage = |frame: &&str| {
        let data: Value =
            frame.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        data["choices"] == json!([]) && data["usage"].is_object()
    };
    let frames = text.split_inclusive("\n\n").filter(|frame| !tells_usage(frame));
    Bytes::from(frames.collect::<String>())
}

/// Makes one call whose only changes on the way up are the model's name and the question for usage.
async fn ask(talk: &Talk, endpoint: Endpoint, body: &str) -> Got {
    let path = path(talk.vendor, &endpoint);
    let mut sent = body.replace(&format!("\"{}\"", talk.vendor.full()), &format!("\"{}\"", talk.vendor.model));
    let meters = talk.vendor.id != "own" && matches!(endpoint, Endpoint::Chat | Endpoint::Completions);
    if meters && body.contains("\"stream\":true") && !body.contains("stream_options") {
        sent.truncate(sent.trim_end().len() - 1);
        sent += ASKED;
    }
    talk.turn(Turn { endpoint, body, path: &path, sent: &sent }).await
}

#[tokio::test]
async fn a_chat_reaches_every_vendor_with_its_bytes_untouched() {
    for vendor in ALL {
        let talk = Talk::new(vendor);
        let odd = "{ \"temperature\" : 1.0e0 ,\n\t\"model\":\"MODEL\", \"seed\" :123456789012345678901234567890, \
                   \"messages\" : [ {\"role\":\"user\",\"content\":\"h\\u00e9llo  there\"} ] }\n";
        let got = ask(&talk, Endpoint::Chat, &odd.replace("MODEL", &vendor.full())).await;
        assert_eq!(got.json()["choices"][0]["message"]["content"], "héllo  there");
        // the second call of a session, with a long context
        let long = vendor.chat().replace("hello there", &"lorem ipsum ".repeat(17_000));
        ask(&talk, Endpoint::Chat, &long).await;
    }
}

#[tokio::test]
async fn a_stream_comes_back_as_the_vendor_sent_it() {
    for vendor in ALL {
        let talk = Talk::new(vendor);
        let got = ask(&talk, Endpoint::Chat, &vendor.stream()).await;
        assert!(got.text().ends_with("data: [DONE]\n\n") && !got.text().contains("\"usage\":{"));
        let usage =
            vendor.stream().replace("\"stream\":true", "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
        let got = ask(&talk, Endpoint::Chat, &usage).await;
        assert!(got.text().contains("\"usage\":{"), "{}", got.text());
        let own = match vendor.id {
            "azure" => "{\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\",\"choices\":[],",
            "deepseek" => ": keep-alive\n\n: keep-alive\n\n",
            "xai" => "cost_in_usd_ticks",
            "openai" => "\"obfuscation\"",
            _ => "chat.completion.chunk",
        };
        assert!(got.text().contains(own), "{}: {}", vendor.id, got.text());
    }
}

#[tokio::test]
async fn a_tool_turn_goes_both_ways_whole_and_streamed() {
    for vendor in ALL {
        let talk = Talk::new(vendor);
        let first = vendor.chat().replace("}]}", &format!("}}],\"tools\":[{TOOL}]}}"));
        let got = ask(&talk, Endpoint::Chat, &first).await;
        let choice = &got.json()["choices"][0];
        let finish = if vendor.id == "xai" { "" } else { "tool_calls" };
        assert_eq!(choice["finish_reason"], finish, "{}", vendor.id);
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(
            (&call["function"]["name"], &call["function"]["arguments"]),
            (&json!("get_time"), &json!("{\"zone\":\"keywheel\"}"))
        );
        // what the model thought goes back with its call, as DeepSeek demands
        assert_eq!(choice["message"]["reasoning_content"].is_string(), matches!(vendor.id, "xai" | "deepseek"));
        let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "twelve"});
        let second = first.replace("}],\"tools\"", &format!("}},{},{result}],\"tools\"", choice["message"]));
        let got = ask(&talk, Endpoint::Chat, &second).await;
        assert_eq!(got.json()["choices"][0]["message"]["content"], "The tool said: twelve", "{}", vendor.id);

        let streamed = |body: &str| body.replace("\"messages\"", "\"stream\":true,\"messages\"");
        let got = ask(&talk, Endpoint::Chat, &streamed(&first)).await;
        assert!(
            got.text().contains("\"name\":\"get_time\"")
                && got.text().contains(&format!("\"finish_reason\":\"{finish}\""))
        );
        let got = ask(&talk, Endpoint::Chat, &streamed(&second)).await;
        assert!(got.text().contains("\"twelve\"") && got.text().ends_with("data: [DONE]\n\n"), "{}", got.text());
    }
}

#[tokio::test]
async fn responses_are_spoken_with_all_five_whole_streamed_and_with_a_tool() {
    for vendor in ALL {
        let talk = Talk::new(vendor);
        let body = json!({"model": vendor.full(), "input": "hello there", "store": false}).to_string();
        let got = ask(&talk, Endpoint::Responses, &body).await;
        assert_eq!(got.json()["output"][0]["content"][0]["text"], "hello there");
        let streamed = body.replace("\"input\"", "\"stream\":true,\"input\"");
        let got = ask(&talk, Endpoint::Responses, &streamed).await;
        let opening = if vendor.id == "deepseek" { ": keep-alive\n\n: keep-alive\n\n" } else { "" };
        assert!(got.text().starts_with(&format!("{opening}event: response.created\n")), "{}", got.text());
        assert!(got.text().contains("event: response.completed\n") && !got.text().contains("[DONE]"));

        let tool = json!({"type": "function", "name": "get_time", "parameters": {"type": "object"}});
        let user = json!({"role": "user", "content": "what time is it?"});
        let asks = |input: &Value| json!({"model": vendor.full(), "input": input, "tools": [tool]}).to_string();
        let got = ask(&talk, Endpoint::Responses, &asks(&json!([user]))).await;
        let call = got.json()["output"][0].take();
        assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("get_time")));
        let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "twelve"});
        let got = ask(&talk, Endpoint::Responses, &asks(&json!([user, call, result]))).await;
        assert_eq!(got.json()["output"][0]["content"][0]["text"], "The tool said: twelve");
    }
}

#[tokio::test]
async fn embeddings_and_plain_completions_go_where_they_are_spoken() {
    for vendor in ALL {
        let talk = Talk::new(vendor);
        let body = json!({"model": vendor.full(), "prompt": "hello there", "max_tokens": 9}).to_string();
        let got = ask(&talk, Endpoint::Completions, &body).await;
        assert_eq!(got.json()["choices"][0]["text"], "hello there");
        let got =
            ask(&talk, Endpoint::Completions, &body.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"")).await;
        assert!(got.text().ends_with("data: [DONE]\n\n"));

        let body =
            json!({"model": vendor.full(), "input": ["hello", "there"], "encoding_format": "base64"}).to_string();
        if vendor.id == "deepseek" {
            let (count, got) = (talk.labs.seen().len(), talk.rig.post(Endpoint::Embeddings, &body).await);
            assert_eq!((got.status, talk.labs.seen().len()), (404, count), "it has none, and is not asked");
            assert!(got.text().contains("does not offer /v1/embeddings"), "{}", got.text());
            continue;
        }
        let got = ask(&talk, Endpoint::Embeddings, &body).await;
        assert_eq!(got.json()["data"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_cut_out_where_nobody_needs_it() {
    for (vendor, kept) in [(AZURE, false), (XAI, false), (DEEPSEEK, false), (OWN, true)] {
        let talk = Talk::new(vendor);
        let told = r#""client_metadata":{"cwd":"/home/someone"},"#;
        let body = vendor.chat().replace("\"messages\"", &format!("{told}\"messages\""));
        let sent = body.replace(&vendor.full(), vendor.model);
        let sent = if kept { sent } else { sent.replace(told, "") };
        let path = path(vendor, &Endpoint::Chat);
        talk.turn(Turn { endpoint: Endpoint::Chat, body: &body, path: &path, sent: &sent }).await;
    }
}

#[tokio::test]
async fn a_users_own_rules_change_what_they_name_and_nothing_else() {
    let stanza = "adapter = \"openai\"\nname = \"My server\"\nheaders = { \"X-Title\" = \"keywheel\" }\n\
                  body = { drop = [\"store\"], default = { max_tokens = 64, n = 2 }, set = { user = \"team\" } }";
    let vendor = Vendor { stanza, ..OWN };
    let talk = Talk::new(vendor);
    let body = r#"{"store":true, "n":1, "model":"own/org/model-7b","messages":[{"role":"user","content":"hi"}], "user":"me", "x_new":{"a":[1.50]}}"#;
    let sent = r#"{ "n":1, "model":"org/model-7b","messages":[{"role":"user","content":"hi"}], "user":"team", "x_new":{"a":[1.50]},"max_tokens":64}"#;
    talk.turn(Turn { endpoint: Endpoint::Chat, body, path: "/v1/chat/completions", sent }).await;
    assert_eq!(talk.labs.seen()[0].headers["x-title"], "keywheel");
}

#[tokio::test]
async fn the_longest_answer_has_the_name_that_the_vendor_goes_by() {
    for (vendor, renamed) in [(DEEPSEEK, true), (OWN, false)] {
        let talk = Talk::new(vendor);
        let told = r#""max_completion_tokens":50,"#;
        let body = vendor.chat().replace("\"messages\"", &format!("{told}\"messages\""));
        let sent = body.replace(&vendor.full(), vendor.model);
        let older = || format!("{},\"max_tokens\":50}}", sent.replace(told, "").trim_end_matches('}'));
        let sent = if renamed { older() } else { sent.clone() };
        let path = path(vendor, &Endpoint::Chat);
        talk.turn(Turn { endpoint: Endpoint::Chat, body: &body, path: &path, sent: &sent }).await;
    }
}

#[tokio::test]
async fn a_reasoning_models_own_fields_reach_openai_and_its_refusals_the_client() {
    let vendor = Vendor { model: "gpt-5-mini", ..OPENAI };
    let talk = Talk::new(vendor);
    let good =
        vendor.chat().replace("\"messages\"", "\"max_completion_tokens\":50,\"reasoning_effort\":\"low\",\"messages\"");
    ask(&talk, Endpoint::Chat, &good).await;
    let bad = vendor.chat().replace("\"messages\"", "\"max_tokens\":50,\"messages\"");
    let got = talk.rig.chat(&bad).await;
    let error = &got.json()["error"];
    assert_eq!(
        (got.status, &error["code"], &error["param"]),
        (400, &json!("unsupported_parameter"), &json!("max_tokens"))
    );
    assert_eq!((talk.labs.keys().as_str(), talk.rig.ailing().as_str()), ("a a", ""), "not rotated, nobody punished");
}

#[tokio::test]
async fn names_of_speakers_and_strict_tools_are_taken_out_where_they_are_refused() {
    let talk = Talk::new(XAI);
    let tool = TOOL.replace("\"name\":\"get_time\",", "\"name\":\"get_time\", \"strict\" : true,");
    let body = XAI.chat().replace("\"role\":\"user\",", "\"role\":\"user\", \"name\": \"ann\",");
    let body = body.replace("}]}", &format!("}}],\"tools\":[{tool}]}}"));
    assert!(body.contains("ann") && body.contains("strict"), "{body}");
    let sent =
        body.replace(&XAI.full(), XAI.model).replace(" \"name\": \"ann\",", "").replace(" \"strict\" : true,", "");
    let path = path(XAI, &Endpoint::Chat);
    talk.turn(Turn { endpoint: Endpoint::Chat, body: &body, path: &path, sent: &sent }).await;
}
