//! Accounts taken over from other programs: what is found, what is left and why, and that no key is shown.

use std::path::{Path, PathBuf};

use keywheel::config;
use keywheel::import::{self, Batch};

use crate::home_support::{Home, Ran};

const CANARY: &str = "sk-canary-import-5f2c";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn env(name: &str) -> Option<String> {
    match name {
        "GROQ_API_KEY" => Some(format!(" {CANARY}-groq\n")),
        "AZURE_OPENAI_API_KEY" => Some(CANARY.to_owned()),
        "MY_BASE" => Some("https://ai.example.com/v1".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// `id provider base_url key` of what was found; `what: why` of what was left.
fn told(batch: &Batch) -> (Vec<String>, Vec<String>) {
    let found = batch.found.iter().map(|found| {
        let account = &found.account;
        assert_eq!(account.vault.as_ref(), Some(&account.id));
        assert!(!format!("{account:?} {}", found.from).contains("canary"), "{account:?}");
        let base = account.base_url.as_deref().unwrap_or("-");
        format!("{} {} {base} {}", account.id, account.provider, found.secret.expose())
    });
    let left = batch.skipped.iter().map(|skipped| format!("{}: {}", skipped.what, skipped.why));
    let told: (Vec<_>, Vec<_>) = (found.collect(), left.collect());
    assert!(!format!("{:?}", told.1).contains("canary"), "{told:?}");
    told
}

#[test]
fn variables_that_providers_name_become_accounts() {
    let settings = config::parse("").unwrap();
    let (found, left) = told(&import::environment(&settings, Path::new("keywheel.toml"), &env));
    assert_eq!(found, [format!("groq groq - {CANARY}-groq")]);
    assert_eq!(left, ["AZURE_OPENAI_API_KEY: an account of azure needs its own address, which is not there"]);
}

#[test]
fn a_dotenv_file_is_read_and_unknown_keys_are_named_as_left() {
    let place = Place::new();
    let text = format!(
        "# mine\nexport XAI_API_KEY='{CANARY}-x'\nDEEPSEEK_API_KEY=\"{CANARY}-d\" # no\nOTHER_API_KEY={CANARY}\nPATH=/bin\n\
         AZURE_OPENAI_API_KEY={CANARY}\nAZURE_OPENAI_ENDPOINT=https://r.openai.azure.com\nGROQ_API_KEY=\n"
    );
    let text2 = "[[accounts]]\nid = 'xai'\nprovider = 'openai'\n";
    let settings = config::parse(text2).unwrap();
    let batch = import::dotenv(&settings, Path::new("keywheel.toml"), &place.file(".env", &text)).unwrap();
    let (found, left) = told(&batch);
    assert_eq!(
        found,
        [
            format!("azure azure https://r.openai.azure.com {CANARY}"),
            format!("deepseek deepseek - {CANARY}-d"),
            format!("xai-2 xai - {CANARY}-x"),
        ]
    );
    assert_eq!(left.len(), 1);
    assert!(left[0].starts_with("OTHER_API_KEY: no provider here takes it"), "{left:?}");
    let odd = import::dotenv(&settings, Path::new("x"), &place.file("odd", &format!("a b {CANARY}\n"))).map(drop);
    let odd = odd.unwrap_err().to_string();
    assert!(odd.ends_with("is no dotenv file that can be read") && !odd.contains("canary"), "{odd}");
}

#[test]
fn models_of_a_litellm_configuration_that_share_a_key_become_one_account() {
    let place = Place::new();
    let text = format!(
        "model_list:
  - model_name: fast
    litellm_params: {{ model: groq/llama, api_key: os.environ/GROQ_API_KEY, rpm: 30, tpm: 0 }}
  - model_name: a
    litellm_params: {{ model: gpt-4o, api_key: {CANARY}-1, rpm: 10 }}
  - model_name: b
    litellm_params: {{ model: openai/gpt-4o-mini, api_key: {CANARY}-1 }}
  - model_name: c
    litellm_params: {{ model: openai/own, api_key: {CANARY}-1, api_base: os.environ/MY_BASE }}
  - model_name: d
    litellm_params: {{ model: together_ai/x, api_key: os.environ/NOT_SET }}
  - model_name: e
    litellm_params: {{ model: bedrock/x, api_key: {CANARY} }}
  - model_name: f
    litellm_params: {{ model: xai/grok }}
  - model_name: g
    litellm_params: {{ model: mistral/x, api_key: os.environ/EMPTY }}
  - model_name: h
    litellm_params: {{ model: azure/x, api_key: {CANARY}, api_base: 'ftp://x' }}
  - model_name: i
    litellm_params: {{ model: whatever, custom_llm_provider: hosted_vllm, api_key: {CANARY}-v, api_base: 'http://10.0.0.1:8000/v1/' }}
general_settings: {{ master_key: {CANARY} }}
"
    );
    let settings = config::parse("").unwrap();
    let path = place.file("config.yaml", &text);
    let batch = import::litellm(&settings, Path::new("keywheel.toml"), &path, &env).unwrap();
    let (found, left) = told(&batch);
    assert_eq!(
        found,
        [
            format!("groq groq - {CANARY}-groq"),
            format!("openai openai - {CANARY}-1"),
            format!("openai-2 openai https://ai.example.com/v1 {CANARY}-1"),
            format!("vllm vllm http://10.0.0.1:8000/v1 {CANARY}-v"),
        ]
    );
    assert_eq!(batch.found[0].account.limits.rpm, Some(30));
    assert_eq!(batch.found[0].account.limits.tpm, None);
    assert_eq!(batch.found[1].account.limits.rpm, None, "a model's limit is not the account's");
    assert_eq!(batch.found[1].from, "gpt-4o, openai/gpt-4o-mini");
    let whys = [
        ("bedrock/x", "there is no provider \"bedrock\" here"),
        ("azure/x", "its address is wrong"),
        ("mistral/x", "its api_key is empty"),
        ("together_ai/x", "NOT_SET is not set here"),
        ("xai/grok", "it has no api_key"),
    ];
    assert_eq!(left.len(), whys.len(), "{left:?}");
    for (what, why) in whys {
        assert!(left.iter().any(|left| left.starts_with(&format!("{what}: {why}"))), "{what} in {left:?}");
    }
    for odd in ["model_list: [", "- a\n- b", &format!("model_list: {CANARY}"), "a: &a [*a, *a]"] {
        let read = import::litellm(&settings, Path::new("x"), &place.file("odd", odd), &env).map(drop);
        let words = read.map_or_else(|error| error.to_string(), |()| String::new());
        assert!(!words.contains("canary"), "{words}");
    }
}

#[test]
fn of_cliproxyapi_only_api_keys_are_taken_and_logins_are_left() {
    let place = Place::new();
    let rows = [
        ("a-codex.json", format!(r#"{{"type":"codex","access_token":"{CANARY}","refresh_token":"{CANARY}"}}"#)),
        ("b-groq.json", format!(r#"{{"type":"groq","api_key":"{CANARY}-g"}}"#)),
        ("c-vertex.json", format!(r#"{{"type":"vertex","service_account":{{"private_key":"{CANARY}"}}}}"#)),
        ("d-iflow.json", format!(r#"{{"type":"iflow","api_key":"{CANARY}","cookie":"{CANARY}"}}"#)),
        ("e-other.json", format!(r#"{{"type":"nobody","api_key":"{CANARY}"}}"#)),
        ("f-off.json", format!(r#"{{"type":"groq","api_key":"{CANARY}-2","disabled":true}}"#)),
        ("g-broken.json", format!("{{{CANARY}")),
        ("h-empty.json", r#"{"type":"groq"}"#.to_owned()),
        ("i.txt", CANARY.to_owned()),
        ("j-again.json", format!(r#"{{"type":"groq","api_key":"{CANARY}-g"}}"#)),
        ("k-own.json", format!(r#"{{"type":"openai","api_key":"{CANARY}-o","base-url":"https://ai.example.com/v1"}}"#)),
    ];
    for (name, text) in &rows {
        place.file(name, text);
    }
    let settings = config::parse("").unwrap();
    let (found, left) = told(&import::cliproxyapi(&settings, Path::new("x"), place.0.path()).unwrap());
    assert_eq!(
        found,
        [format!("groq groq - {CANARY}-g"), format!("openai openai https://ai.example.com/v1 {CANARY}-o")]
    );
    let whys = [
        "a-codex.json: codex: a login that was given to another program",
        "c-vertex.json: vertex: a service account",
        "d-iflow.json: iflow: a login that was given to another program",
        "e-other.json: there is no provider \"nobody\" here",
        "f-off.json: groq: it is switched off there",
        "g-broken.json: not a credential in JSON",
        "h-empty.json: groq: there is no API key in it",
        "j-again.json: the same key was found before",
    ];
    assert_eq!(left.len(), whys.len(), "{left:?}");
    for (left, why) in left.iter().zip(whys) {
        assert!(left.starts_with(why), "{left}");
    }
}

#[test]
fn an_import_shows_what_it_would_do_asks_and_can_be_run_again() {
    let home = Home::new();
    home.configure("[vault]\nhome = \"key-file\"\nkey_file = \"credential\"\n");
    crate::e2e_vault::credential(home.path());
    std::fs::write(home.path().join(".env"), format!("XAI_API_KEY={CANARY}-x\nGROQ_API_KEY={CANARY}-g\n")).unwrap();
    let run = |args: &[&str]| {
        let mut command = home.command(&[&["account", "import"][..], args].concat());
        Ran::of(
            command.env("DEEPSEEK_API_KEY", format!("{CANARY}-d")).stdin(std::process::Stdio::null()).output().unwrap(),
        )
    };
    let shown = run(&["dotenv", ".env", "--dry-run"]);
    assert!(shown.out.contains("xai") && shown.out.contains("GROQ_API_KEY"), "{shown:?}");
    assert!(!home.path().join("data/vault.sealed").exists(), "a dry run makes nothing");
    let asked = run(&["dotenv", ".env"]);
    assert!(asked.code == 1 && asked.err.contains("--yes"), "{asked:?}");
    let done = run(&["dotenv", ".env", "--yes", "--tag", "project"]);
    assert!(done.code == 0 && done.err.contains("keywheel account test groq xai"), "{done:?}");
    let again = run(&["dotenv", ".env", "--yes"]);
    assert!(again.code == 0 && again.err.contains("account xai has this key already"), "{again:?}");
    let env = run(&["env", "--yes"]);
    assert!(env.code == 0 && env.err.contains("unset them"), "{env:?}");
    assert!(run(&["dotenv"]).code == 2 && run(&["litellm", "nowhere.yaml"]).code == 1);

    let text = std::fs::read_to_string(home.path().join("config/keywheel.toml")).unwrap();
    let settings = config::parse(&text).unwrap();
    let ids: Vec<_> = settings.accounts.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids, ["groq", "xai", "deepseek", "sim-a", "sim-b"]);
    assert_eq!(settings.accounts[0].tags, ["project"]);
    for said in [&text, &format!("{shown:?}{asked:?}{done:?}{again:?}{env:?}")] {
        assert!(!said.contains("canary"), "{said}");
    }
}
