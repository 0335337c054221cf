//! What a collector is told by the real binary, and that no call notices how the collector feels.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use keywheel::sim::lab::{Hint, Setup};
use keywheel::sim::{Persona, Script};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::e2e_rig::{Rig, chat, json_lines, stream, until};
use crate::metrics_page::read;
use crate::otlp_collector::{Collector, Manners, attributes};
use crate::support::tls::Pems;

const CHAT: &str = "/v1/chat/completions";
const MODEL: &str = "lab/gpt-4o-mini";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// A gateway that tells this collector.
fn telling(endpoint: &str, more: &str) -> Rig {
    let table = format!("[otlp]\nendpoint = \"{endpoint}\"\nevery = \"30ms\"\n{more}\n");
    Rig::with(Setup::new(Persona::Openai), &["a", "b"], |config| {
        config.provider("ask_usage = true\notel_name = \"lab.ai\"").more(&table)
    })
}

fn plain(collector: &Collector) -> String {
    format!("http://{}", collector.addr)
}

fn has(of: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(of.get(*name).map(String::as_str), Some(*value), "{name} of {of:#?}");
    }
}

/// The span of the call, and those of its attempts in order; each lies within the call.
fn sorted(spans: Vec<Span>) -> (Span, Vec<Span>) {
    let (server, clients): (Vec<_>, Vec<_>) = spans.into_iter().partition(|span| span.kind == SERVER);
    let [server] = server.try_into().expect("one server span");
    for client in &clients {
        assert_eq!((client.kind, &client.trace_id), (CLIENT, &server.trace_id));
        assert_eq!(client.parent_span_id, server.span_id, "an attempt hangs below its call");
        assert!(client.start_time_unix_nano >= server.start_time_unix_nano);
        assert!(client.end_time_unix_nano >= client.start_time_unix_nano);
        assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
    }
    (server, clients)
}

async fn counter(rig: &Rig, name: &str) -> f64 {
    let page = rig.keywheel.client().get("/metrics").await.text().await;
    read(&page).sum(name, &[])
}

#[tokio::test]
async fn a_call_that_failed_over_is_one_server_span_and_a_client_span_for_each_attempt() {
    let collector = Collector::start(Manners::Takes).await;
    let rig = telling(&plain(&collector), "");
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(20)));
    let mut body = chat(MODEL);
    body["temperature"] = json!(0.25);
    body["max_tokens"] = json!(77);
    let response = rig.keywheel.client().post(CHAT, &body).await;
    let id = response.headers["x-keywheel-request-id"].to_str().unwrap().to_owned();
    let answer = response.json().await;
    let (server, clients) = sorted(collector.wait(3).await);
    assert_eq!((server.name.as_str(), clients.len()), ("POST /v1/chat/completions", 2));
    assert!(server.parent_span_id.is_empty() && server.status.is_none());
    let hex: String = server.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, id, "the call's id is its trace's");
    has(
        &attributes(&server),
        &[
            ("http.request.method", "POST"),
            ("http.route", "/v1/chat/completions"),
            ("http.response.status_code", "200"),
            ("keywheel.attempts", "2"),
            ("keywheel.request.id", &id),
        ],
    );
    let port = rig.lab.base_url().trim_end_matches("/v1").rsplit(':').next().unwrap().to_owned();
    let both = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "lab.ai"),
        ("gen_ai.request.model", "gpt-4o-mini"),
        ("gen_ai.request.temperature", "0.25"),
        ("gen_ai.request.max_tokens", "77"),
        ("gen_ai.request.stream", "false"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
    ];
    let (first, second) = (attributes(&clients[0]), attributes(&clients[1]));
    has(&first, &both);
    has(
        &first,
        &[("error.type", "rate_limit_exceeded"), ("keywheel.attempt", "1"), ("http.response.status_code", "429")],
    );
    assert!(clients[0].status.as_ref().is_some_and(|status| status.code == 2));
    assert!(!first.contains_key("gen_ai.usage.input_tokens"));
    has(&second, &both);
    has(&second, &[("keywheel.attempt", "2"), ("keywheel.rotation.reason", "rate_limit_exceeded")]);
    let said = |pointer: &str| answer.pointer(pointer).unwrap().to_string().trim_matches('"').to_owned();
    has(
        &second,
        &[
            ("gen_ai.response.id", &said("/id")),
            ("gen_ai.response.finish_reasons", "[stop]"),
            ("gen_ai.usage.input_tokens", &said("/usage/prompt_tokens")),
            ("gen_ai.usage.output_tokens", &said("/usage/completion_tokens")),
        ],
    );
    assert!(clients[1].status.is_none() && !second.contains_key("error.type"));
    assert_ne!(first["keywheel.account.id"], second["keywheel.account.id"]);
    assert_eq!(first["keywheel.account.id"].len(), 16, "a hash, and no name");
}

#[tokio::test]
async fn a_stream_tells_its_tokens_its_end_and_its_price() {
    let collector = Collector::start(Manners::Takes).await;
    let rig = telling(&plain(&collector), "");
    let frame = |choice: Value| json!({"id": "chatcmpl-7", "model": "gpt-4o-mini-2024-07-18", "choices": [choice]});
    let content = frame(json!({"index": 0, "delta": {"content": "hi"}, "finish_reason": null}));
    let end = frame(json!({"index": 0, "delta": {}, "finish_reason": "length"}));
    let usage = json!({"id": "chatcmpl-7", "model": "gpt-4o-mini-2024-07-18", "choices": [], "service_tier": "default",
        "usage": {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130,
            "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 12},
            "cost": 0.5}});
    let text = format!("data: {content}\n\n|data: {end}\n\n|data: {usage}\n\n|data: [DONE]\n\n");
    let chunks: Vec<String> = text.split('|').map(str::to_owned).collect();
    rig.lab.on("a").then(Script::events(chunks).after(Duration::from_millis(50)));
    drop(rig.keywheel.client().post(CHAT, &stream(MODEL)).await.text().await);
    let (_, clients) = sorted(collector.wait(2).await);
    let of = attributes(&clients[0]);
    has(
        &of,
        &[
            ("gen_ai.request.stream", "true"),
            ("gen_ai.response.id", "chatcmpl-7"),
            ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
            ("gen_ai.response.finish_reasons", "[length]"),
            ("gen_ai.usage.input_tokens", "100"),
            ("gen_ai.usage.cache_read.input_tokens", "60"),
            ("gen_ai.usage.output_tokens", "30"),
            ("gen_ai.usage.reasoning.output_tokens", "12"),
            ("openai.response.service_tier", "default"),
        ],
    );
    assert!(of["gen_ai.response.time_to_first_chunk"].parse::<f64>().unwrap() >= 0.05);
    let row = json_lines(&rig.keywheel.run(["requests", "--json", "--limit", "1"])).remove(0);
    assert_eq!(of.get("keywheel.cost.usd").map(String::as_str), row["cost_usd"].as_str());
}

#[tokio::test]
async fn a_failure_and_a_broken_stream_say_what_kind_and_never_in_which_words() {
    let collector = Collector::start(Manners::Takes).await;
    let rig = telling(&plain(&collector), "");
    let said = json!({"error": {"message": "you wrote CANARY-WORDS", "type": "invalid_request_error", "code": null}});
    rig.lab.on("a").then(Script::json(400, &said));
    assert_eq!(rig.keywheel.client().post(CHAT, &chat(MODEL)).await.status, 400);
    let (server, clients) = sorted(collector.wait(2).await);
    has(&attributes(&server), &[("http.response.status_code", "400"), ("error.type", "invalid_request")]);
    assert!(server.status.is_none(), "the client's mistake is no error of the server");
    assert_eq!(clients[0].status.as_ref().map(|status| status.message.as_str()), Some("invalid_request"));
    rig.lab.on("a").then(Script::chunks(20).cut(10));
    drop(rig.keywheel.client().post(CHAT, &stream(MODEL)).await.read().await);
    let spans = collector.wait(4).await;
    let (server, clients) = sorted(spans[2..].to_vec());
    has(&attributes(&server), &[("error.type", "upstream_disconnected")]);
    assert!(server.status.as_ref().is_some_and(|status| status.code == 2));
    has(&attributes(&clients[0]), &[("error.type", "upstream_disconnected")]);
    assert!(!collector.all().contains("CANARY"));
}

#[tokio::test]
async fn a_clients_trace_is_continued_and_the_provider_gets_the_attempts_span() {
    let collector = Collector::start(Manners::Takes).await;
    let rig = telling(&plain(&collector), "");
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(20)));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let client = rig.keywheel.client().header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
    let client = client.header("tracestate", "vendor=1");
    assert_eq!(client.post(CHAT, &chat(MODEL)).await.status, 200);
    let (server, clients) = sorted(collector.wait(3).await);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((hex(&server.trace_id), hex(&server.parent_span_id)), (trace.to_owned(), "00f067aa0ba902b7".to_owned()));
    assert_eq!(server.trace_state, "vendor=1");
    let calls = rig.calls();
    for (span, call) in clients.iter().zip(&calls) {
        assert_eq!(call.headers["traceparent"], format!("00-{trace}-{}-01", hex(&span.span_id)));
        assert_eq!(call.headers["tracestate"], "vendor=1");
    }
    assert_eq!((clients.len(), calls.len()), (2, 2));
    // a client that wants no record gets none, and its header goes on as it is
    let quiet = format!("00-{trace}-00f067aa0ba902b7-00");
    let client = rig.keywheel.client().header("traceparent", &quiet);
    assert_eq!(client.post(CHAT, &chat(MODEL)).await.status, 200);
    assert_eq!(rig.calls()[2].headers["traceparent"], quiet);
    // what is no trace is not passed on as one
    let client = rig.keywheel.client().header("traceparent", "nonsense").header("tracestate", "vendor=1");
    assert_eq!(client.post(CHAT, &chat(MODEL)).await.status, 200);
    let seen = rig.calls()[3].headers.clone();
    assert!(seen["traceparent"].to_str().unwrap().len() == 55 && !seen.contains_key("tracestate"), "{seen:?}");
    assert_eq!(collector.wait(5).await.len(), 5);
}

#[tokio::test]
async fn without_a_collector_a_clients_trace_passes_as_it_is() {
    let rig = Rig::start(&["a"]);
    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let client = rig.keywheel.client().header("traceparent", sent);
    assert_eq!(client.post(CHAT, &chat(MODEL)).await.status, 200);
    assert_eq!(rig.calls()[0].headers["traceparent"], sent);
    assert_eq!(rig.keywheel.client().post(CHAT, &chat(MODEL)).await.status, 200);
    assert!(!rig.calls()[1].headers.contains_key("traceparent"));
}

#[tokio::test]
async fn no_prompt_no_answer_no_key_and_no_accounts_name_is_told() {
    let collector = Collector::start(Manners::Takes).await;
    let rig = telling(&plain(&collector), "");
    let mut body = chat(MODEL);
    body["messages"][0]["content"] = json!("CANARY-PROMPT");
    body["user"] = json!("CANARY-USER");
    body["stop"] = json!(["CANARY-STOP"]);
    rig.lab.on("a").then(Script::bad_key());
    let answered = json!({"id": "x", "choices": [{"message": {"content": "CANARY-ANSWER"}, "finish_reason": "stop"}]});
    rig.lab.on("b").then(Script::json(200, &answered));
    assert_eq!(rig.keywheel.client().post(CHAT, &body).await.status, 200);
    collector.wait(3).await;
    let page = rig.keywheel.client().get("/metrics").await.text().await;
    for (what, told) in [("spans", collector.all()), ("headers", collector.headers().concat()), ("page", page)] {
        for secret in [rig.lab.key("a"), rig.lab.key("b"), "CANARY".to_owned()] {
            assert!(!told.contains(&secret), "{what} hold {secret}");
        }
    }
    assert!(!collector.all().contains("KEY_A"));
}

#[tokio::test]
async fn calls_go_on_whether_the_collector_is_down_slow_busy_or_refuses() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let slow = Manners::Slow(Duration::from_secs(30));
    for (what, manners) in [("down", None), ("slow", Some(slow)), ("refuses", Some(Manners::Refuses))] {
        let collector = match &manners {
            Some(manners) => Some(Collector::start(manners.clone()).await),
            None => None,
        };
        let endpoint = collector.as_ref().map_or_else(|| format!("http://{nobody}"), plain);
        let rig = telling(&endpoint, "timeout = \"300ms\"");
        let client = rig.keywheel.client();
        let mut took = Vec::new();
        for _ in 0..30 {
            let began = Instant::now();
            assert_eq!(client.post(CHAT, &chat(MODEL)).await.status, 200, "{what}");
            took.push(began.elapsed());
        }
        took.sort();
        assert!(took[15] < Duration::from_millis(150), "{what}: {took:?}");
        if what == "refuses" {
            until("drops are counted", Duration::from_secs(10), async || {
                counter(&rig, "keywheel_otlp_dropped_total").await > 0.0
            })
            .await;
        }
        let began = Instant::now();
        let stopped = rig.keywheel.run(["stop"]);
        assert!(stopped.status.success() && began.elapsed() < Duration::from_secs(15), "{what}: {stopped:?}");
    }
}

#[tokio::test]
async fn a_collector_that_comes_back_is_told_what_it_missed() {
    let collector = Collector::start(Manners::Busy).await;
    let rig = telling(&plain(&collector), "");
    for _ in 0..3 {
        assert_eq!(rig.keywheel.client().post(CHAT, &chat(MODEL)).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(collector.spans().is_empty());
    collector.behave(Manners::Takes);
    assert_eq!(collector.wait(6).await.len(), 6);
    until("spans are counted", Duration::from_secs(5), async || {
        counter(&rig, "keywheel_otlp_spans_total").await == 6.0
    })
    .await;
    assert_eq!(counter(&rig, "keywheel_otlp_dropped_total").await, 0.0);
}

// the collector answers while the command waits for the gateway's end
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_sent_before_the_gateway_ends() {
    let collector = Collector::start(Manners::Takes).await;
    let rig = Rig::with(Setup::new(Persona::Openai), &["a"], |config| {
        config.more(&format!("[otlp]\nendpoint = \"{}\"\nevery = \"10m\"\n", plain(&collector)))
    });
    assert_eq!(rig.keywheel.client().post(CHAT, &chat(MODEL)).await.status, 200);
    assert!(collector.spans().is_empty());
    assert!(rig.keywheel.run(["stop"]).status.success());
    assert_eq!(collector.wait(2).await.len(), 2);
}

#[tokio::test]
async fn a_collector_behind_tls_is_verified_before_it_is_given_the_secret() {
    let (pems, others) = (Pems::new(), Pems::new());
    let collector = Collector::tls(&pems).await;
    let endpoint = format!("https://{}", collector.addr);
    let secret = "Bearer otlp-secret-4f9a01";
    for (ca, is_told) in [(&others.ca, false), (&pems.ca, true)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, ca).unwrap();
        let table = format!(
            "[otlp]\nendpoint = \"{endpoint}\"\nevery = \"30ms\"\nca_file = {:?}\nheaders = {{ \"x-tenant\" = \"research\" }}\n\
             secrets = {{ authorization = {{ env = \"OTLP_AUTH\" }} }}\n",
            file.display().to_string()
        );
        let rig = Rig::with_start(
            Setup::new(Persona::Openai),
            &["a"],
            |config| config.more(&table),
            |start| start.env("OTLP_AUTH", secret),
        );
        assert_eq!(rig.keywheel.client().post(CHAT, &chat(MODEL)).await.status, 200);
        if is_told {
            collector.wait(2).await;
            let headers = collector.headers().concat();
            assert!(headers.contains("research") && headers.contains(secret), "{headers}");
        } else {
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert!(collector.spans().is_empty() && collector.headers().is_empty());
        }
        let log = rig.keywheel.words();
        assert!(!log.contains("otlp-secret"), "{log}");
    }
}
