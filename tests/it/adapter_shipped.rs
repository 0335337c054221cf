//! The shipped provider files: each is read, short, cites its source, and says what the design promises.

use keywheel::adapter;
use keywheel::wire::Endpoint;

use crate::adapter::{folder, shipped};

fn ids() -> Vec<String> {
    let mut ids: Vec<String> = std::fs::read_dir(folder())
        .expect("providers/")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn every_shipped_provider_is_read_and_its_file_is_short_and_opens_with_a_comment() {
    let all = [
        "azure",
        "cerebras",
        "deepseek",
        "github-models",
        "groq",
        "llamacpp",
        "lmstudio",
        "mistral",
        "ollama",
        "openai",
        "openrouter",
        "sim",
        "together",
        "vllm",
        "xai",
    ];
    assert_eq!(ids(), all);
    for id in all {
        let text = std::fs::read_to_string(folder().join(format!("{id}.toml"))).expect("a file");
        assert!(text.starts_with("# ") && text.lines().count() <= 60, "{id}");
        assert!(id == "sim" || text.contains("# Source"), "{id} cites no source");
        let provider = shipped(id);
        assert!(provider.endpoints.iter().any(|glob| glob == "chat/completions"), "{id}");
        assert!(provider.models.is_some() == (id == "sim"), "{id}: models are asked of everybody else");
    }
}

#[test]
fn keys_are_taken_only_from_variables_that_were_made_for_the_service() {
    let keys: Vec<String> = ids().iter().flat_map(|id| shipped(id).env_key).collect();
    for key in ["OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "XAI_API_KEY", "DEEPSEEK_API_KEY", "GROQ_API_KEY"] {
        assert!(keys.iter().any(|one| one == key), "{key}");
    }
    assert!(!keys.iter().any(|key| key == "GITHUB_TOKEN"), "it was made for something else");
    assert_eq!(shipped("azure").env_base_url.as_deref(), Some("AZURE_OPENAI_ENDPOINT"));
}

#[test]
fn remote_services_are_asked_over_tls_and_local_ones_only_on_this_machine() {
    for id in ids() {
        let provider = shipped(&id);
        match &provider.discover {
            Some(at) => {
                assert!(at.starts_with("http://127.0.0.1:") && *at == provider.base_url, "{id}");
                assert!(provider.auth.optional, "{id}: a local server works without a key");
            }
            None if id == "sim" => assert_eq!(provider.base_url, "sim:"),
            None if id == "azure" => assert!(provider.base_url.is_empty(), "each resource has its own"),
            None => assert!(provider.base_url.starts_with("https://"), "{id}"),
        }
    }
}

#[test]
fn what_a_client_says_of_its_workspace_reaches_its_own_vendor_only() {
    for id in ids() {
        let drops = shipped(&id).body.drop.iter().any(|key| key == "client_metadata");
        assert_eq!(drops, !["openai", "sim"].contains(&id.as_str()), "{id}");
    }
}

#[test]
fn every_endpoint_that_is_no_glob_has_an_address() {
    for id in ids() {
        let provider = shipped(&id);
        for path in provider.endpoints.iter().filter(|path| !path.contains('*')) {
            let url =
                adapter::of(provider.adapter).url(&provider, "http://h/v1", &Endpoint::from_path(path), None, None);
            assert!(url.starts_with("http://h/") && url.ends_with(path.as_str()), "{id} {path}: {url}");
        }
    }
}
