//! Each persona refuses what its vendor refuses, in that vendor's words. The expected bodies stand here as the vendors'
//! documents and published error reports show them; it is long because there are many.

use keywheel::sim::{Lab, Persona};
use serde_json::{Value, json};

use crate::support::Client;

/// One refusal: path, body, status, expected body.
type Row = (&'static str, Value, u16, Value);

fn chat(model: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

async fn check(client: &Client, rows: Vec<Row>) {
    for (path, body, status, expected) in rows {
        let answer = client.post(path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert_eq!(answer.json().await, expected, "{path} {body}");
    }
}

fn openai_error(message: &str, param: Value, code: Value) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}})
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn openai_refuses_as_openai() {
    let lab = Lab::start(Persona::Openai).expect("a lab");
    let client = Client::tcp(lab.addr()).key(&lab.key("k1"));
    let none = Value::Null;
    let instead = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' \
                   instead.";
    let rows = vec![
        (
            CHAT,
            chat("gpt-4o-mini", json!({"thinking": {}})),
            400,
            openai_error("Unrecognized request argument supplied: thinking", none.clone(), none.clone()),
        ),
        (
            "/v1/responses",
            json!({"model": "gpt-4o-mini", "input": "x", "messages": []}),
            400,
            openai_error("Unknown parameter: 'messages'.", json!("messages"), json!("unknown_parameter")),
        ),
        (
            CHAT,
            chat("gpt-5-mini", json!({"max_tokens": 5})),
            400,
            openai_error(instead, json!("max_tokens"), json!("unsupported_parameter")),
        ),
        (
            CHAT,
            chat("o3", json!({"max_tokens": 5})),
            400,
            openai_error(instead, json!("max_tokens"), json!("unsupported_parameter")),
        ),
        (
            CHAT,
            chat("gpt-6.1-sol", json!({"stop": "x"})),
            400,
            openai_error(
                "Unsupported parameter: 'stop' is not supported with this model.",
                json!("stop"),
                json!("unsupported_parameter"),
            ),
        ),
        (
            CHAT,
            chat("gpt-5-mini", json!({"temperature": 0.3})),
            400,
            openai_error(
                "Unsupported value: 'temperature' does not support 0.3 with this model. Only the default (1) value is supported.",
                json!("temperature"),
                json!("unsupported_value"),
            ),
        ),
        (
            CHAT,
            chat("gpt-9", json!({})),
            404,
            openai_error(
                "The model `gpt-9` does not exist or you do not have access to it.",
                none.clone(),
                json!("model_not_found"),
            ),
        ),
        (
            CHAT,
            json!({"messages": []}),
            400,
            openai_error("you must provide a model parameter", none.clone(), none.clone()),
        ),
        (
            CHAT,
            json!({"model": "gpt-4o-mini"}),
            400,
            openai_error(
                "Missing required parameter: 'messages'.",
                json!("messages"),
                json!("missing_required_parameter"),
            ),
        ),
        ("/v1/nothing", json!({}), 404, openai_error("Invalid URL (POST /v1/nothing)", none.clone(), none.clone())),
        (
            "/chat/completions",
            json!({}),
            404,
            openai_error("Invalid URL (POST /chat/completions)", none.clone(), none.clone()),
        ),
        (
            CHAT,
            chat("gpt-4o-mini", json!({"messages": [{"role": "user", "content": "[[context_length]]"}]})),
            400,
            openai_error(
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens. Please reduce the length of the messages.",
                json!("messages"),
                json!("context_length_exceeded"),
            ),
        ),
    ];
    check(&client, rows).await;
    for (model, more) in [
        ("gpt-4o-mini", json!({"max_tokens": 5, "temperature": 0.3})),
        ("gpt-5-mini", json!({"max_completion_tokens": 5, "temperature": 1})),
        ("gpt-5-mini", json!({"temperature": 0.3, "reasoning_effort": "none"})),
    ] {
        assert_eq!(client.post(CHAT, &chat(model, more.clone())).await.status, 200, "{model} {more}");
    }
    let stranger = Client::tcp(lab.addr());
    assert_eq!(stranger.post(CHAT, &chat("echo", json!({}))).await.status, 401);
    assert_eq!(stranger.clone().header("api-key", &lab.key("k1")).post(CHAT, &json!({})).await.status, 401);
    let wrong = stranger.key("sk-wrong-key").post(CHAT, &json!({})).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(
        wrong.json().await,
        openai_error(
            "Incorrect API key provided: sk-wrong***. You can find your API key at https://platform.openai.com/account/api-keys.",
            none,
            json!("invalid_api_key")
        )
    );
}

#[tokio::test]
async fn openai_pads_its_chunks_and_names_the_tier_it_bills() {
    let lab = Lab::start(Persona::Openai).expect("a lab");
    let client = Client::tcp(lab.addr()).key(&lab.key("k1"));
    let body = chat("o3", json!({"stream": true, "stream_options": {"include_usage": true}}));
    let answer = client.post(CHAT, &body).await;
    assert_eq!((answer.header("openai-organization"), answer.header("x-request-id")), ("org-lab", "req_sim"));
    let (frames, _) = answer.frames().await;
    let chunks: Vec<Value> = frames.iter().map(|frame| frame.json()).filter(|chunk| chunk.is_object()).collect();
    let (usage, spoken) = chunks.split_last().expect("chunks");
    assert!(spoken.iter().all(|chunk| chunk["obfuscation"].is_string() && chunk["service_tier"] == "default"));
    assert_eq!(usage["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);
    assert_eq!(usage["usage"]["completion_tokens"], 6, "reasoning is part of the completion");
    assert!(spoken.iter().all(|chunk| chunk["choices"][0]["delta"].get("reasoning_content").is_none()));
}

#[tokio::test]
async fn azure_refuses_as_azure() {
    let lab = Lab::start(Persona::Azure).expect("a lab");
    let stranger = Client::tcp(lab.addr());
    let client = stranger.clone().header("api-key", &lab.key("k1"));
    let simple = |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
    let denied = simple(
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
    );
    let missing = simple(
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
    );
    let nowhere = simple("404", "Resource not found");
    let classic = "/openai/deployments/gpt-4o-mini/chat/completions";
    let v1 = "/openai/v1/chat/completions";
    let hi = chat("gpt-4o-mini", json!({}));
    check(&client, vec![
        (v1, chat("none", json!({})), 404, missing.clone()),
        ("/openai/deployments/none/chat/completions?api-version=2024-10-21", hi.clone(), 404, missing),
        (classic, hi.clone(), 404, nowhere.clone()),
        ("/openai/deployments/gpt-4o-mini/chat/completions?api-version=old", hi.clone(), 404, nowhere.clone()),
        ("/openai/deployments/gpt-4o-mini/responses?api-version=2024-10-21", json!({"input": "x"}), 404, nowhere.clone()),
        (CHAT, hi.clone(), 404, nowhere),
        ("/openai/v1/chat/completions?api-version=2024-10-21", hi.clone(), 400, simple("BadRequest", "API version not supported")),
        (v1, chat("gpt-5-mini", json!({"max_tokens": 1})), 400,
            openai_error("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", json!("max_tokens"), json!("unsupported_parameter"))),
        (v1, chat("gpt-4o-mini", json!({"nope": 1})), 400,
            openai_error("Unrecognized request argument supplied: nope", Value::Null, Value::Null)),
    ]).await;
    check(&stranger, vec![(v1, hi.clone(), 401, denied.clone())]).await;
    check(&stranger.clone().header("api-key", "wrong"), vec![(v1, hi.clone(), 401, denied)]).await;
    let bearer = stranger.clone().key(&lab.key("k1"));
    check(
        &bearer,
        vec![(
            v1,
            hi.clone(),
            401,
            simple(
                "Unauthorized",
                "Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired.",
            ),
        )],
    )
    .await;
    for path in [
        v1,
        "/openai/v1/chat/completions?api-version=preview",
        "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21",
        "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-04-01-preview",
        "/models/chat/completions?api-version=2024-05-01-preview",
    ] {
        assert_eq!(client.post(path, &hi).await.status, 200, "{path}");
    }
    assert_eq!(stranger.key(&lab.token("t1")).post(v1, &hi).await.status, 200, "a token of Entra is good");
    assert_eq!(lab.count("t1"), 1);
    let other = chat("ignored", json!({"model": null}));
    let answer = client.post("/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", &other).await;
    assert_eq!(answer.json().await["model"], "gpt-4.1", "the deployment in the path counts, not the body");
}

#[tokio::test]
async fn azure_filters_content_and_wraps_its_streams_in_filter_results() {
    let lab = Lab::start(Persona::Azure).expect("a lab");
    let client = Client::tcp(lab.addr()).header("api-key", &lab.key("k1"));
    let path = "/openai/v1/chat/completions";
    let bad = chat("gpt-4o-mini", json!({"messages": [{"role": "user", "content": "[[content_filter]]"}]}));
    let answer = client.post(path, &bad).await;
    assert_eq!(answer.status, 400);
    let error = answer.json().await["error"].take();
    assert_eq!(
        (&error["code"], &error["param"], &error["status"]),
        (&json!("content_filter"), &json!("prompt"), &json!(400))
    );
    assert_eq!(error["innererror"]["code"], "ResponsibleAIPolicyViolation");
    assert_eq!(
        error["innererror"]["content_filter_result"]["violence"],
        json!({"filtered": true, "severity": "medium"})
    );

    let body = chat("gpt-4o-mini", json!({"stream": true, "stream_options": {"include_usage": true}}));
    let (frames, _) = client.post(path, &body).await.frames().await;
    let chunks: Vec<Value> = frames.iter().map(|frame| frame.json()).collect();
    let first = &chunks[0];
    assert_eq!((&first["choices"], &first["id"], &first["object"]), (&json!([]), &json!(""), &json!("")));
    assert_eq!((&first["model"], &first["created"]), (&json!(""), &json!(0)));
    assert!(first["prompt_filter_results"].is_array());
    let finish = chunks.iter().position(|chunk| chunk["choices"][0]["finish_reason"] == "stop").expect("a finish");
    let after = &chunks[finish + 1]["choices"][0];
    assert!(after.get("delta").is_none() && after["content_filter_offsets"]["end_offset"].is_number());
    assert_eq!(chunks[finish + 2]["usage"]["total_tokens"], 2);
    assert_eq!(&frames[finish + 3].bytes[..], b"data: [DONE]\n\n");
}

#[tokio::test]
async fn azure_tells_waits_in_bare_seconds_and_milliseconds() {
    let lab = Lab::start(Persona::Azure).expect("a lab");
    let client = Client::tcp(lab.addr()).header("api-key", &lab.key("k1"));
    let body = chat("limited", json!({}));
    for _ in 0..3 {
        assert_eq!(client.post("/openai/v1/chat/completions", &body).await.status, 200);
    }
    let answer = client.post("/openai/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 429);
    let number = |name: &str| answer.header(name).parse::<u64>().expect("a bare number");
    assert!((1..=10).contains(&number("retry-after")) && (1..=10_000).contains(&number("retry-after-ms")));
    assert!((1..=10).contains(&number("x-ratelimit-reset-requests")));
    assert_eq!(answer.json().await["error"]["code"], "429");
}

#[tokio::test]
async fn xai_refuses_as_xai() {
    let lab = Lab::start(Persona::Xai).expect("a lab");
    let stranger = Client::tcp(lab.addr());
    let client = stranger.clone().key(&lab.key("k1"));
    let flat = |code: &str, error: &str| json!({"code": code, "error": error});
    let invalid = |error: &str| flat("Client specified an invalid argument", error);
    let team = "00000000-0000-0000-0000-000000000000";
    let gone = format!(
        "The model grok-9 does not exist or your team {team} does not have access to it. Please ensure you're using the correct API key. If you believe this is a mistake, please contact support and quote your team ID and the model name."
    );
    let strict = json!([{"type": "function", "function": {"name": "f", "strict": true, "parameters": {}}}]);
    let thought =
        json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "reasoning_content": "y"}]);
    check(
        &client,
        vec![
            (CHAT, chat("grok-9", json!({})), 404, flat("Some requested entity was not found", &gone)),
            (CHAT, chat("grok-4.7", json!({"stop": "x"})), 400, invalid("Argument not supported on this model: stop")),
            (
                CHAT,
                chat("grok-code-fast-1", json!({"presence_penalty": 1})),
                400,
                invalid("Argument not supported on this model: presencePenalty"),
            ),
            (
                CHAT,
                chat("grok-4.20-non-reasoning", json!({"reasoning_effort": "low"})),
                400,
                invalid("Argument not supported on this model: reasoningEffort"),
            ),
            (
                CHAT,
                chat("grok-4.7", json!({"messages": thought})),
                400,
                invalid("Each message must have at least one content element."),
            ),
            (
                CHAT,
                chat("grok-4.7", json!({"messages": [{"role": "user", "content": "x", "name": "bob"}]})),
                400,
                invalid("messages[0].name is not supported."),
            ),
            (
                CHAT,
                chat("grok-4.7", json!({"tools": strict})),
                400,
                invalid("tools[].function.strict is not supported."),
            ),
            (
                CHAT,
                chat("grok-4.7", json!({"search_parameters": {}})),
                410,
                flat("Live search is deprecated", "Live search is deprecated. Please switch to the Agent Tools API."),
            ),
            (
                CHAT,
                json!({"model": "grok-4.7"}),
                422,
                invalid("Failed to deserialize the JSON body into the target type: missing field `messages`"),
            ),
            (
                CHAT,
                chat("grok-4.7", json!({"messages": [{"role": "user", "content": "[[content_filter]]"}]})),
                403,
                flat(
                    "The caller does not have permission to execute the specified operation",
                    &format!("Content violates usage guidelines. Team: {team}, Failed check: SAFETY_CHECK_TYPE_LAB"),
                ),
            ),
        ],
    )
    .await;
    let hi = chat("grok-4.7", json!({"max_tokens": 9, "unknown": 1}));
    check(
        &stranger.clone().key("xai-wrong"),
        vec![(
            CHAT,
            hi.clone(),
            400,
            invalid("Incorrect API key provided: xa***ng. You can obtain an API key from https://console.x.ai."),
        )],
    )
    .await;
    assert_eq!(stranger.post(CHAT, &hi).await.status, 401, "no key at all is not a wrong key");
    assert_eq!(client.post(CHAT, &hi).await.status, 200);
    assert_eq!(client.get("/v1/api-key").await.json().await["team_blocked"], false);
}

#[tokio::test]
async fn xai_counts_reasoning_apart_bills_in_ticks_and_blanks_the_finish_of_tool_calls() {
    let lab = Lab::start(Persona::Xai).expect("a lab");
    let client = Client::tcp(lab.addr()).key(&lab.key("k1"));
    let said = client.post(CHAT, &chat("grok-4.7", json!({}))).await.json().await;
    let usage = &said["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
        (&json!(1), &json!(1), &json!(7))
    );
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 5);
    assert_eq!(usage["cost_in_usd_ticks"], 20_000 + 6 * 100_000);
    assert_eq!(said["choices"][0]["message"]["reasoning_content"], "The user wants an answer. ");

    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let body = chat("grok-4.7", json!({"tools": tools, "stream": true, "stream_options": {"include_usage": true}}));
    let (frames, _) = client.post(CHAT, &body).await.frames().await;
    let chunks: Vec<Value> = frames.iter().map(|frame| frame.json()).collect();
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == ""));
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["finish_reason"] != "tool_calls"));
    assert!(
        chunks.iter().any(|chunk| chunk["choices"] == json!([]) && chunk["usage"]["cost_in_usd_ticks"].is_number())
    );

    for _ in 0..3 {
        client.post(CHAT, &chat("limited", json!({}))).await;
    }
    let limited = client.post(CHAT, &chat("limited", json!({}))).await;
    assert_eq!(
        (limited.status, limited.header("retry-after"), limited.header("x-ratelimit-reset-requests")),
        (429, "", "")
    );
    assert_eq!(limited.header("x-ratelimit-remaining-requests"), "0");
    assert_eq!(limited.json().await["code"], "Some resource has been exhausted");
}

#[tokio::test]
async fn deepseek_refuses_as_deepseek() {
    let lab = Lab::start(Persona::Deepseek).expect("a lab");
    let stranger = Client::tcp(lab.addr());
    let client = stranger.clone().key(&lab.key("k1"));
    let error = |message: &str| openai_error(message, Value::Null, json!("invalid_request_error"));
    let path = "/chat/completions";
    let call = json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let told = |reasoning: Value| {
        json!({"messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": "", "tool_calls": call, "reasoning_content": reasoning},
            {"role": "tool", "tool_call_id": "1", "content": "y"}]})
    };
    let target = "Failed to deserialize the JSON body into the target type";
    check(&client, vec![
        (path, chat("deepseek-flash", told(Value::Null)), 400, error("The reasoning_content in the thinking mode must be passed back to the API.")),
        (path, chat("deepseek-flash", json!({"tools": [{"type": "custom", "name": "x"}]})), 400,
            error(&format!("{target}: tools[0].type: unknown variant `custom`, expected `function`"))),
        (path, chat("deepseek-flash", json!({"messages": [{"role": "developer", "content": "x"}]})), 422,
            error(&format!("{target}: messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`"))),
        (path, chat("deepseek-flash", json!({"temperature": "hot"})), 422, error(&format!("{target}: temperature: invalid type, expected f32"))),
        (path, json!({"model": "deepseek-flash"}), 422, error(&format!("{target}: missing field `messages`"))),
        (path, chat("deepseek-chat", json!({})), 400, error("Model Not Exist")),
        (path, chat("deepseek-flash", json!({"messages": [{"role": "user", "content": "[[content_filter]]"}]})), 400, error("Content Exists Risk")),
    ]).await;
    let hi = chat("deepseek-flash", json!({}));
    for client in [stranger.clone(), stranger.clone().key("not-of-their-form")] {
        let answer = client.post(path, &hi).await;
        assert_eq!((answer.status, answer.header("content-type")), (401, "text/plain"));
        assert_eq!(answer.text().await, "Authentication Fails (governor)");
    }
    let wrong = stranger.key("sk-0000d569").post(path, &hi).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(
        wrong.json().await,
        json!({"error": {"message": "Authentication Fails, Your api key: ****d569 is invalid",
        "type": "authentication_error", "param": null, "code": "invalid_request_error"}})
    );
    for path in [path, "/v1/chat/completions", "/beta/chat/completions"] {
        assert_eq!(client.post(path, &hi).await.status, 200, "{path}");
    }
    assert_eq!(client.post(path, &chat("deepseek-flash", told(json!(" ")))).await.status, 200, "a blank will do");
    assert_eq!(client.post("/embeddings", &json!({"model": "deepseek-flash", "input": "x"})).await.status, 404);
    assert_eq!(client.get("/user/balance").await.json().await["balance_infos"][0]["total_balance"], "110.00");
}

#[tokio::test]
async fn deepseek_keeps_clients_waiting_with_comments_and_blank_lines() {
    let lab = Lab::start(Persona::Deepseek).expect("a lab");
    let client = Client::tcp(lab.addr()).key(&lab.key("k1"));
    let (frames, _) =
        client.post("/chat/completions", &chat("deepseek-flash", json!({"stream": true}))).await.frames().await;
    assert_eq!(&frames[0].bytes[..], b": keep-alive\n\n");
    let chunks: Vec<Value> = frames.iter().map(|frame| frame.json()).filter(|chunk| chunk.is_object()).collect();
    let thoughts: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["reasoning_content"].as_str()).collect();
    assert_eq!(thoughts, "The user wants an answer. ");

    let more = json!({"max_completion_tokens": 1, "messages": [{"role": "user", "content": "one two"}]});
    let whole = client.post("/chat/completions", &chat("deepseek-flash", more)).await.text().await;
    assert!(whole.starts_with("\n\n{"));
    let whole: Value = serde_json::from_str(&whole).expect("JSON behind the blank lines");
    assert_eq!(whole["choices"][0]["message"]["content"], "one two", "max_completion_tokens is not known there");
    assert_eq!(
        (&whole["usage"]["prompt_cache_hit_tokens"], &whole["usage"]["prompt_cache_miss_tokens"]),
        (&json!(0), &json!(2))
    );
    let off = chat(
        "deepseek-flash",
        json!({"thinking": {"type": "disabled"}, "max_tokens": 1, "messages": [{"role": "user", "content": "one two"}]}),
    );
    let quiet = client.post("/chat/completions", &off).await.json().await;
    assert!(quiet["choices"][0]["message"].get("reasoning_content").is_none());
    assert_eq!(quiet["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_generic_server_is_easy_going() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let stranger = Client::tcp(lab.addr());
    let odd = chat("any-name", json!({"unknown": 1, "max_tokens": 5, "stop": "x"}));
    for path in [CHAT, "/chat/completions"] {
        let said = stranger.post(path, &odd).await.json().await;
        assert_eq!(said["choices"][0]["message"]["content"], "hi", "{path}");
    }
    check(&stranger.clone().key("wrong"), vec![(CHAT, odd.clone(), 401, json!({"error": "Unauthorized"}))]).await;
    assert_eq!(stranger.clone().key(&lab.key("k1")).post(CHAT, &odd).await.status, 200);
    let receipt =
        stranger.header("content-type", "multipart/form-data; boundary=x").post_bytes("/v1/files", "--x--").await;
    assert_eq!(receipt.json().await, json!({"object": "receipt", "path": "files", "bytes": 5}));
}
