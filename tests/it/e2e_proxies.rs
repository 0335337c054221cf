//! Outbound proxies: every kind at every level carries the calls, and nothing goes past a proxy that is down.

use keywheel::sim::Persona;
use keywheel::sim::lab::Setup;

use crate::e2e_home::write_private;
use crate::e2e_rig::{Config, Rig, chat, stream, text};
use crate::support::proxy::Proxy;
use crate::support::tls::Pems;

const MODEL: &str = "lab/m";

/// Where a proxy is named.
#[derive(Clone, Copy, Debug)]
enum Level {
    Global,
    Provider,
    Account,
}

const LEVELS: [Level; 3] = [Level::Global, Level::Provider, Level::Account];

fn proxies(pems: &Pems) -> [Proxy; 3] {
    [Proxy::http(), Proxy::https(pems.identity()), Proxy::socks5()]
}

fn at(config: Config, level: Level, url: &str) -> Config {
    let line = format!("proxy = \"{url}\"");
    match level {
        Level::Global => config.top(&line),
        Level::Provider => config.provider(&line),
        Level::Account => config.account(&line),
    }
}

#[test]
fn each_kind_of_proxy_carries_the_calls_at_each_level() {
    let pems = Pems::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    write_private(&ca, &pems.ca);
    let trust = format!("ca_file = {ca:?}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for level in LEVELS {
        for tls in [false, true] {
            for proxy in proxies(&pems) {
                let what = format!("{level:?} {} {tls}", proxy.url());
                let setup = Setup { identity: tls.then(|| pems.identity()), ..Setup::new(Persona::Generic) };
                let rig = Rig::with(setup, &["a"], |config| at(config.provider(&trust), level, &proxy.url()));
                for _ in 0..2 {
                    let (status, body) = runtime.block_on(async {
                        let response = rig.keywheel.client().post("/v1/chat/completions", &stream(MODEL)).await;
                        (response.status, response.text().await)
                    });
                    assert!(status == 200 && body.ends_with("data: [DONE]\n\n"), "{what}: {status} {body}");
                }
                assert_eq!(rig.calls().len(), 2, "{what}");
                let carried = proxy.carried();
                let target = rig.lab.addr().to_string();
                assert!(!carried.is_empty() && carried.iter().all(|one| one.target == target), "{what}: {carried:?}");
                assert!(rig.lab.connections() <= carried.len(), "{what}: nothing came past the proxy");
            }
        }
    }
}

#[tokio::test]
async fn the_nearest_proxy_wins() {
    let [global, provider, account] = [Proxy::http(), Proxy::http(), Proxy::http()];
    let urls = [global.url(), provider.url(), account.url()];
    for (levels, carrier) in [(1, &global), (2, &provider), (3, &account)] {
        let before = carrier.carried().len();
        let rig = Rig::with(Setup::new(Persona::Generic), &["a"], |config| {
            LEVELS.iter().zip(&urls).take(levels).fold(config, |config, (level, url)| at(config, *level, url))
        });
        let response = rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
        assert_eq!(response.status, 200);
        assert!(carrier.carried().len() > before, "{levels}");
    }
    // the list of models belongs to the provider, whichever account asks for it
    assert!(global.carried().iter().chain(&provider.carried()).all(|one| one.how == "absolute"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_proxy_down_the_call_fails_and_never_goes_direct() {
    let pems = Pems::new();
    for level in LEVELS {
        for proxy in proxies(&pems) {
            let url = proxy.url();
            drop(proxy);
            let rig = Rig::with(Setup::new(Persona::Generic), &["a", "b"], |config| at(config, level, &url));
            for body in [chat(MODEL), stream(MODEL)] {
                let response = rig.keywheel.client().post("/v1/chat/completions", &body).await;
                let status = response.status;
                let error = response.json().await["error"].take();
                assert_eq!(status, 502, "{level:?} {url}: {error}");
                let sentence = text(&error["message"]);
                assert!(sentence.contains("through its proxy"), "{sentence}");
            }
            assert_eq!(rig.lab.connections(), 0, "{level:?} {url}: the lab was reached directly");
            rig.assert_untouched("a dead way is nobody's fault");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_dies_between_two_calls_is_not_gone_past_either() {
    let proxy = Proxy::socks5();
    let rig = Rig::with(Setup::new(Persona::Generic), &["a"], |config| at(config, Level::Global, &proxy.url()));
    let client = rig.keywheel.client();
    assert_eq!(client.post("/v1/chat/completions", &chat(MODEL)).await.status, 200);
    tokio::task::spawn_blocking(|| drop(proxy)).await.expect("it stops");
    assert_eq!(client.post("/v1/chat/completions", &chat(MODEL)).await.status, 502);
    assert_eq!(rig.calls().len(), 1);
}

#[tokio::test]
async fn a_proxy_gets_its_credentials_and_nobody_else_sees_them() {
    let proxy = Proxy::http();
    let url = proxy.url().replace("http://", "http://user:canary-pass@");
    let rig = Rig::with_start(
        Setup::new(Persona::Generic),
        &["a"],
        |config| at(config, Level::Provider, &url),
        |start| start.env("KEYWHEEL_LOG", "trace"),
    );
    let client = rig.keywheel.client();
    assert_eq!(client.post("/v1/chat/completions", &chat(MODEL)).await.status, 200);
    let sent = proxy.carried().pop().expect("a call").credentials;
    assert_eq!(sent.as_deref(), Some("Basic dXNlcjpjYW5hcnktcGFzcw=="));
    tokio::task::spawn_blocking(|| drop(proxy)).await.expect("it stops");
    let error = client.post("/v1/chat/completions", &chat(MODEL)).await.text().await;
    let file = rig.keywheel.home().join("keywheel.toml");
    let shown = crate::e2e_rig::said(&rig.keywheel.run([
        "--config",
        file.to_str().unwrap(),
        "provider",
        "show",
        "lab",
        "--json",
    ]));
    for (what, text) in [("the error", error), ("the log", rig.keywheel.words()), ("provider show", shown)] {
        assert!(!text.contains("canary-pass") && !text.contains("dXNlcjpjYW5hcnk"), "{what}");
    }
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked_for_this_machine_but_one_in_the_settings_is() {
    let (around, named) = (Proxy::http(), Proxy::http());
    let variables = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    // the last one is no loopback address, and leads to the lab all the same
    for (host, explicit, expected) in [
        ("127.0.0.1", false, (false, false)),
        ("localhost", false, (false, false)),
        ("127.0.0.1", true, (false, true)),
        ("0.0.0.0", false, (true, false)),
    ] {
        let (before, before_named) = (around.carried().len(), named.carried().len());
        let rig = Rig::with_start(
            Setup::new(Persona::Generic),
            &["a"],
            |config| {
                let config = if explicit { at(config, Level::Global, &named.url()) } else { config };
                config.hosted(host)
            },
            |start| {
                let start = variables.iter().fold(start, |start, name| start.env(name, around.url()));
                // it holds for the environment's proxies only
                if explicit { start.env("NO_PROXY", "127.0.0.1") } else { start }
            },
        );
        let response = rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
        let status = response.status;
        assert_eq!(status, 200, "{host}: {}", response.text().await);
        let carried = (around.carried().len() > before, named.carried().len() > before_named);
        assert_eq!(carried, expected, "{host}, {explicit}");
    }
}
