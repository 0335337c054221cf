//! Accounts that nobody wrote down.

use std::time::{Duration, Instant};

use keywheel::config::{self, Overrides, SecretSource, discover};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::config::Home;

const CLOUD: &str =
    "adapter = 'openai'\nbase_url = 'https://cloud.example.com'\nenv = { key = ['CLOUD_A', 'CLOUD_B'] }\n";
const RESOURCE: &str = "adapter = 'azure'\nenv = { key = ['RES_KEY'], base_url = 'RES_ENDPOINT' }\n";

fn home(text: &str) -> Home {
    let home = Home::with(text);
    home.provider("cloud", CLOUD);
    home.provider("resource", RESOURCE);
    home
}

/// `id variable base_url` of the accounts found.
fn found(home: &Home, flags: &Overrides, env: &[(&str, &str)]) -> Vec<String> {
    let loaded = home.load_with(flags, env).unwrap();
    let found = loaded.settings.accounts.iter().filter(|account| account.provider != "sim");
    let line = |account: &std::sync::Arc<config::Account>| {
        let base = account.base_url.as_deref().unwrap_or("-");
        assert!(!account.origin.contains("canary"));
        format!("{} {} {base}", account.id, account.origin)
    };
    found.map(line).collect()
}

#[test]
fn a_key_in_the_environment_becomes_an_account_named_after_its_provider() {
    let home = home("");
    let flags = Overrides::default();
    let env = [("CLOUD_B", "canary"), ("CLOUD_A", " "), ("RES_KEY", "canary")];
    assert_eq!(found(&home, &flags, &env), ["cloud CLOUD_B -"], "an endpoint that is not set makes no account");
    let env = [("RES_KEY", "canary"), ("RES_ENDPOINT", "https://one.example.com/ ")];
    assert_eq!(found(&home, &flags, &env), ["resource RES_KEY https://one.example.com"]);
    let env = [("CLOUD_A", "canary"), ("CLOUD_B", "canary")];
    assert_eq!(found(&home, &flags, &env), ["cloud CLOUD_A -"], "the first of the provider's list");
    let off = Overrides { no_discover: true, ..Overrides::default() };
    assert_eq!(found(&home, &off, &env), Vec::<String>::new());
}

#[test]
fn an_account_of_the_users_own_stands_for_its_variable() {
    let text = "[[accounts]]\nid = 'cloud'\nprovider = 'cloud'\nsecret = { env = 'CLOUD_A' }\n";
    let home = home(text);
    let file = home.paths.file.display();
    let flags = Overrides::default();
    assert_eq!(found(&home, &flags, &[("CLOUD_A", "canary")]), [format!("cloud {file} -")]);
    let both = found(&home, &flags, &[("CLOUD_B", "canary")]);
    assert_eq!(both, [format!("cloud {file} -"), "cloud-env CLOUD_B -".to_owned()]);
}

#[test]
fn a_wrong_endpoint_is_named_and_not_shown() {
    let env = [("RES_KEY", "canary"), ("RES_ENDPOINT", "canary")];
    let loaded = home("").load_with(&Overrides::default(), &env).unwrap();
    assert_eq!(
        loaded.warnings,
        ["RES_KEY is set but not used, because RES_ENDPOINT is wrong: not a URL; \
          write for example \"https://api.example.com/v1\""]
    );
}

/// A server on a free port that answers every request with these bytes.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /v1/models HTTP/1.1\r\n"));
            if answer.is_empty() {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    format!("http://127.0.0.1:{port}/v1")
}

#[tokio::test]
async fn a_server_on_this_machine_that_lists_models_becomes_an_account() {
    let list = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"data\":[]}";
    let servers = [
        ("models", server(list).await),
        ("page", server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<ok>").await),
        ("missing", server("HTTP/1.1 404 Not Found\r\ncontent-length: 11\r\n\r\n{\"data\":[]}").await),
        ("silent", server("").await),
        ("closed", "http://127.0.0.1:1/v1".to_owned()),
        ("taken", server(list).await),
    ];
    let stanza = |(id, url): &(&str, String)| {
        format!(
            "[providers.{id}]\nadapter = 'openai'\nbase_url = '{url}'\ndiscover = '{url}'\nauth = {{ header = '' }}\n"
        )
    };
    let text: String = servers.iter().map(stanza).collect();
    let mut settings = config::parse(&(text + "[[accounts]]\nid = 'mine'\nprovider = 'taken'\n")).unwrap();
    let ours = |candidate: &discover::Candidate| servers.iter().any(|(id, _)| *id == candidate.provider);
    let candidates: Vec<_> = discover::candidates(&settings).into_iter().filter(ours).collect();
    assert_eq!(candidates.len(), 5, "a provider with an account of the user's own is not looked for");

    let began = Instant::now();
    let found = discover::probe(candidates).await;
    assert!(began.elapsed() < Duration::from_secs(3), "probing took {:?}", began.elapsed());
    let [account] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (account.id.as_str(), &account.secret, account.base_url.as_deref()),
        ("models", &SecretSource::None, None)
    );
    assert_eq!(account.origin, servers[0].1["http://".len()..servers[0].1.len() - "/v1".len()]);
    settings.adopt(found);
    assert_eq!(settings.accounts.last().unwrap().id, "models");
}

#[test]
fn only_this_machine_is_looked_at() {
    let text = "[providers.x]\nadapter = 'openai'\nbase_url = 'http://10.0.0.1/v1'\ndiscover = 'http://10.0.0.1/v1'\n";
    let told = config::parse(text).unwrap_err().to_string();
    assert!(told.ends_with("providers.x.discover: only http:// on this machine (127.0.0.1) is looked at"), "{told}");
}
