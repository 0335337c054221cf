//! What is asked of a provider: where, with which headers, with which changes in the body.

use keywheel::adapter;
use keywheel::catalog::{AdapterName, Provider};
use keywheel::wire::{Edit, Endpoint};

use crate::adapter::{call, provider, shipped};

fn url(provider: &Provider, base: &str, path: &str, model: Option<&str>, query: Option<&str>) -> String {
    adapter::of(provider.adapter).url(provider, base, &Endpoint::from_path(path), model, query)
}

#[test]
fn a_plain_provider_is_asked_below_its_base_url() {
    let openai = shipped("openai");
    let base = "https://api.openai.com/v1";
    assert_eq!(url(&openai, base, "chat/completions", Some("m"), None), "https://api.openai.com/v1/chat/completions");
    assert_eq!(url(&openai, "http://h/v1/", "files", None, Some("limit=2")), "http://h/v1/files?limit=2");
    assert_eq!(url(&openai, "http://h/v1", "files", None, Some("")), "http://h/v1/files");
    for path in ["files/../../admin", "files/./%2e%2E/admin", "files//admin", "../files/admin"] {
        assert_eq!(url(&openai, "http://h/v1", path, None, None).replace("/admin", ""), "http://h/v1/files", "{path}");
    }
}

#[test]
fn model_lists_are_asked_where_the_provider_keeps_them() {
    let list = |id: &str, base: &str| {
        let provider = shipped(id);
        adapter::of(provider.adapter).models_url(&provider, base)
    };
    assert_eq!(list("openai", "https://api.openai.com/v1"), "https://api.openai.com/v1/models");
    assert_eq!(list("deepseek", "https://api.deepseek.com"), "https://api.deepseek.com/models");
    assert_eq!(list("azure", "https://r.openai.azure.com"), "https://r.openai.azure.com/openai/v1/models");
    assert_eq!(list("github-models", "https://models.github.ai/inference"), "https://models.github.ai/catalog/models");
    assert_eq!(list("github-models", "http://127.0.0.1:9"), "http://127.0.0.1:9/catalog/models");
    let classic = azure("api_version = \"2024-10-21\"");
    let at = adapter::of(classic.adapter).models_url(&classic, "https://r.openai.azure.com");
    assert_eq!(at, "https://r.openai.azure.com/openai/models?api-version=2024-10-21");
}

#[test]
fn model_lists_are_read_in_every_shape() {
    let two = Some(vec!["a".to_owned(), "b/c".to_owned()]);
    assert_eq!(adapter::model_ids(br#"{"object":"list","data":[{"id":"a"},{"id":"b/c"},{"name":"x"}]}"#), two);
    assert_eq!(adapter::model_ids(br#"[{"id":"a"},{"id":"b/c"}]"#), two);
    assert_eq!(adapter::model_ids(br#"{"error":{"message":"no"}}"#), None);
    assert_eq!(adapter::model_ids(b"<html>"), None);
}

fn azure(more: &str) -> Provider {
    provider("azure", &format!("adapter = \"azure\"\nbase_url = \"http://127.0.0.1:9\"\n{more}"))
}

#[test]
fn azures_v1_path_is_found_from_whatever_the_portal_shows() {
    let v1 = azure("");
    let table = [
        ("https://r.openai.azure.com", "https://r.openai.azure.com"),
        ("https://r.openai.azure.com/", "https://r.openai.azure.com"),
        ("https://r.openai.azure.com/openai", "https://r.openai.azure.com"),
        ("https://r.openai.azure.com/openai/v1", "https://r.openai.azure.com"),
        ("https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com"),
        (
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01-preview",
            "https://r.openai.azure.com",
        ),
        ("https://r.cognitiveservices.azure.com", "https://r.cognitiveservices.azure.com"),
        ("https://r.services.ai.azure.com", "https://r.services.ai.azure.com"),
        ("https://r.services.ai.azure.com/models", "https://r.services.ai.azure.com"),
        ("https://r.services.ai.azure.com/openai/v1", "https://r.services.ai.azure.com"),
        ("https://r.services.ai.azure.com/api/projects/p", "https://r.services.ai.azure.com"),
        ("https://gw.example.com/openai-team/openai/v1", "https://gw.example.com/openai-team"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
    ];
    for (given, root) in table {
        let asked = url(&v1, given, "chat/completions", Some("m"), None);
        assert_eq!(asked, format!("{root}/openai/v1/chat/completions"), "{given}");
    }
    assert_eq!(url(&v1, "http://h", "responses", Some("m"), Some("a=1")), "http://h/openai/v1/responses?a=1");
}

#[test]
fn azures_classic_path_names_the_deployment_only_where_the_sdk_does() {
    let classic = azure("api_version = \"2024-10-21\"\ndeployments = { \"gpt-4o\" = \"my dep\" }");
    let host = "https://r.openai.azure.com";
    let at = |path: &str, model| url(&classic, host, path, model, None);
    for path in ["chat/completions", "completions", "embeddings", "audio/speech", "images/generations"] {
        let scoped = format!("{host}/openai/deployments/my%20dep/{path}?api-version=2024-10-21");
        assert_eq!(at(path, Some("gpt-4o")), scoped);
    }
    assert_eq!(
        at("chat/completions", Some("o3")),
        format!("{host}/openai/deployments/o3/chat/completions?api-version=2024-10-21"),
        "a model that the map does not name is its own deployment"
    );
    for path in ["responses", "files", "batches/b_1"] {
        assert_eq!(at(path, Some("gpt-4o")), format!("{host}/openai/{path}?api-version=2024-10-21"));
    }
    assert_eq!(at("chat/completions", None), format!("{host}/openai/chat/completions?api-version=2024-10-21"));
    assert_eq!(
        url(&classic, host, "files", None, Some("limit=2")),
        format!("{host}/openai/files?api-version=2024-10-21&limit=2")
    );
}

#[test]
fn foundry_hosts_have_one_path_for_all_models_when_a_version_is_named() {
    let classic = azure("api_version = \"2024-05-01-preview\"");
    for given in ["https://r.services.ai.azure.com", "https://r.services.ai.azure.com/models"] {
        assert_eq!(
            url(&classic, given, "chat/completions", Some("DeepSeek-V4"), None),
            "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview"
        );
    }
}

#[test]
fn deepseeks_completions_are_found_at_beta() {
    let deepseek = shipped("deepseek");
    let at = |base: &str, path: &str| url(&deepseek, base, path, Some("m"), None);
    assert_eq!(at("https://api.deepseek.com", "completions"), "https://api.deepseek.com/beta/completions");
    assert_eq!(at("https://api.deepseek.com/v1", "completions"), "https://api.deepseek.com/beta/completions");
    assert_eq!(at("https://api.deepseek.com/beta/", "completions"), "https://api.deepseek.com/beta/completions");
    assert_eq!(at("https://api.deepseek.com", "chat/completions"), "https://api.deepseek.com/chat/completions");
    assert_eq!(
        at("https://api.deepseek.com/beta", "chat/completions"),
        "https://api.deepseek.com/beta/chat/completions"
    );
}

#[test]
fn the_body_names_the_model_as_the_provider_knows_it_and_nothing_else_changes() {
    const BODY: &str = r#"{ "model":"lab/gpt-4o" , "reasoning_content":"kept", "n":1.10}"#;
    let sent = |provider: &Provider, body| {
        let call = call(Endpoint::Chat, &[], body);
        let edits = adapter::of(provider.adapter).edits(provider, &call, Some("gpt-4o"));
        String::from_utf8(call.splice(&edits).joined().to_vec()).expect("UTF-8")
    };
    for id in ["openai", "xai", "deepseek", "azure"] {
        assert_eq!(sent(&shipped(id), BODY), BODY.replace("lab/gpt-4o", "gpt-4o"), "{id}");
    }
    let mapped = azure("deployments = { \"gpt-4o\" = \"my-dep\" }");
    assert_eq!(sent(&mapped, r#"{"model":null}"#), r#"{"model":"my-dep"}"#);
    assert_eq!(sent(&mapped, r#"{"messages":[]}"#), r#"{"messages":[],"model":"my-dep"}"#);
    assert_eq!(sent(&mapped, "--boundary"), "--boundary", "a body that is no JSON is not touched");
    let call = call(Endpoint::from_path("moderations"), &[], r#"{"input":"x"}"#);
    assert!(adapter::of(AdapterName::Openai).edits(&shipped("openai"), &call, None).is_empty());
}

#[test]
fn rules_from_data_become_edits_in_the_order_drop_rename_default_set() {
    let text = "adapter = \"openai\"\nbase_url = \"http://h\"\n[body]\ndrop = [\"a\", \"gone\"]\n\
                default = { a = 1, b = 2, big = 9007199254740993 }\nset = { c = [true] }";
    let edits = adapter::edits_of(&provider("own", text).body);
    assert_eq!(edits[0], Edit::Drop("a".into()));
    let call = call(Endpoint::Chat, &[], r#"{"a":0,"b":0,"c":0,"gone":0}"#);
    assert_eq!(call.splice(&edits).joined(), r#"{"a":1,"b":0,"c":[true],"big":9007199254740993}"#);
}

#[test]
fn a_renamed_field_keeps_its_value_and_never_replaces_what_the_client_said() {
    for id in ["deepseek", "mistral", "ollama"] {
        let edits = adapter::edits_of(&shipped(id).body);
        for (sent, got) in [
            (r#"{"max_completion_tokens":500,"n":1}"#, r#"{"n":1,"max_tokens":500}"#),
            (r#"{"max_completion_tokens":500,"max_tokens":null}"#, r#"{"max_tokens":500}"#),
            (r#"{"max_tokens":7,"max_completion_tokens":500}"#, r#"{"max_tokens":7}"#),
            (r#"{"max_tokens":7}"#, r#"{"max_tokens":7}"#),
            (r#"{"n":1}"#, r#"{"n":1}"#),
        ] {
            assert_eq!(call(Endpoint::Chat, &[], sent).splice(&edits).joined(), got, "{id}");
        }
    }
    let text = "adapter = \"openai\"\nbase_url = \"http://h\"\n[body]\ndrop = [\"a\"]\nrename = { a = \"x\", b = \"c\" }\n\
                default = { c = 9 }";
    let edits = adapter::edits_of(&provider("own", text).body);
    assert_eq!(call(Endpoint::Chat, &[], r#"{"a":1,"b":2}"#).splice(&edits).joined(), r#"{"c":2}"#);
}

#[test]
fn only_headers_that_mean_something_to_a_provider_are_passed_on() {
    let sent = [
        ("content-type", "application/json; charset=utf-8"),
        ("accept", "text/event-stream"),
        ("openai-beta", "a"),
        ("openai-beta", "b"),
        ("openai-organization", "org"),
        ("openai-project", "proj"),
        ("idempotency-key", "i"),
        ("x-client-request-id", "r"),
        ("traceparent", "t"),
        ("tracestate", "s"),
        ("authorization", "Bearer client"),
        ("api-key", "client"),
        ("cookie", "c"),
        ("host", "h"),
        ("accept-encoding", "gzip"),
        ("user-agent", "u"),
        ("x-codex-turn-metadata", "{}"),
        ("x-keywheel-model", "m"),
        ("aoai-evals", "preview"),
    ];
    let passed = |provider: &Provider| {
        let headers = adapter::of(provider.adapter).headers(provider, &call(Endpoint::Chat, &sent, "{}"));
        let mut names: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().expect("text"))).collect();
        names.sort();
        names
    };
    let plain = [
        "accept=text/event-stream",
        "content-type=application/json; charset=utf-8",
        "idempotency-key=i",
        "openai-beta=a",
        "openai-beta=b",
        "traceparent=t",
        "tracestate=s",
        "x-client-request-id=r",
    ];
    assert_eq!(passed(&shipped("openai")), plain);
    assert!(passed(&shipped("azure")).contains(&"aoai-evals=preview".to_owned()));
    let own = "adapter = \"openai\"\nbase_url = \"http://h\"\ndrop_headers = [\"OpenAI-Beta\", \"tracestate\"]\n\
               headers = { \"Accept\" = \"*/*\", \"X-Title\" = \"keywheel\" }";
    let own = passed(&provider("own", own));
    assert!(own.contains(&"accept=*/*".to_owned()) && own.contains(&"x-title=keywheel".to_owned()), "{own:?}");
    assert!(!own.iter().any(|header| header.starts_with("openai-beta") || header.starts_with("tracestate")), "{own:?}");
}

#[test]
fn a_json_body_without_a_type_gets_one() {
    let openai = shipped("openai");
    let headers = |body| adapter::of(openai.adapter).headers(&openai, &call(Endpoint::Chat, &[], body));
    assert_eq!(headers("{}").get("content-type").expect("a type"), "application/json");
    assert!(headers("raw").get("content-type").is_none());
}
