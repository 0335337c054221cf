//! Where an account's key comes from: a variable or a program, found missing, changed or wrong.

use std::time::Duration;

use futures_util::future::join_all;
use keywheel::sim::Persona;
use keywheel::sim::lab::Setup;

use crate::e2e_home::write_private;
use crate::e2e_rig::{Config, Rig, chat, json_lines, text};

const CHAT: &str = "/v1/chat/completions";

/// An account `p` whose key a program prints.
fn with_program(config: Config, argv: &[&str]) -> Config {
    config.account("models = [\"m\"]").more(&format!(
        "[[accounts]]\nid = \"p\"\nprovider = \"lab\"\nmodels = [\"p\"]\nsecret = {{ command = {argv:?} }}\n"
    ))
}

#[tokio::test]
async fn a_program_gives_the_key_and_what_it_printed_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, count) = (folder.path().join("key"), folder.path().join("count"));
    let script = format!("echo x >> {}; cat {}", count.display(), file.display());
    let rig =
        Rig::with(Setup::new(Persona::Generic), &["a"], |config| with_program(config, &["/bin/sh", "-c", &script]));
    write_private(&file, &(rig.lab.key("first") + "\n"));
    let client = rig.keywheel.client();
    for _ in 0..3 {
        assert_eq!(client.post(CHAT, &chat("lab/p")).await.status, 200);
    }
    let runs = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
    assert_eq!((rig.lab.count("first"), runs()), (3, 1), "what it printed is kept");

    rig.lab.expire("first", Duration::ZERO);
    let response = client.post(CHAT, &chat("lab/p")).await;
    let status = response.status;
    let error = response.json().await["error"].take();
    assert_eq!((status, text(&error["code"])), (403, "account_key_rejected"), "{error}");
    assert!(!error.to_string().contains(&rig.lab.key("first")), "{error}");
    assert_eq!((rig.lab.count("first"), runs()), (4, 2), "asked for anew; the same key is not sent twice");
    assert!(rig.accounts().iter().any(|line| line.starts_with("p: cooling")), "{:?}", rig.accounts());
}

#[tokio::test]
async fn a_refused_key_is_fetched_anew_and_the_call_is_sent_once_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, count) = (folder.path().join("key"), folder.path().join("count"));
    let script = format!("echo x >> {}; cat {}", count.display(), file.display());
    let rig =
        Rig::with(Setup::new(Persona::Generic), &["a"], |config| with_program(config, &["/bin/sh", "-c", &script]));
    let runs = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
    write_private(&file, &rig.lab.key("first"));
    let client = rig.keywheel.client();
    assert_eq!(client.post(CHAT, &chat("lab/p")).await.status, 200);

    rig.lab.expire("first", Duration::ZERO);
    write_private(&file, &rig.lab.key("second"));
    let calls = join_all((0..8).map(async |_| client.post(CHAT, &chat("lab/p")).await)).await;
    for response in &calls {
        assert_eq!((response.status, response.header("x-keywheel-account")), (200, "p"));
    }
    assert!(calls.iter().any(|response| response.header("x-keywheel-attempts") == "2"));
    assert_eq!((rig.lab.count("second"), runs()), (8, 2), "one run for all that were refused");
    rig.assert_untouched("a key that was renewed");

    rig.lab.expire("second", Duration::ZERO);
    write_private(&file, "sk-wrong-too-0123456789");
    let response = client.post(CHAT, &chat("lab/p")).await;
    assert_eq!((response.status, response.header("x-keywheel-attempts")), (403, "2"), "the newer one fails too");
    assert!(rig.accounts().iter().any(|line| line.starts_with("p: cooling")), "{:?}", rig.accounts());
}

#[tokio::test]
async fn an_upload_is_not_sent_twice_for_a_newer_key_and_its_account_stays_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    // its models are asked for at the start, so the key is wanted before it is written
    let script = format!("until test -s {0}; do sleep 0.02; done; cat {0}", file.display());
    let command = format!("secret = {{ command = {:?} }}", ["/bin/sh", "-c", &script]);
    let account = format!("[[accounts]]\nid = \"p\"\nprovider = \"lab\"\n{command}\n");
    let rig = Rig::with(Setup::new(Persona::Openai), &[], |config| config.more(&account));
    write_private(&file, &rig.lab.key("first"));
    let client = rig.keywheel.client().header("x-keywheel-provider", "lab");
    let client = client.header("content-type", "multipart/form-data; boundary=x");
    // more than is held in memory
    let body = format!("--x\r\n\r\n{}\r\n--x--\r\n", "word ".repeat(60_000));
    let upload = async || client.post_bytes("/v1/files", body.clone()).await;
    assert_eq!(upload().await.status, 200);
    rig.lab.expire("first", Duration::ZERO);
    write_private(&file, &rig.lab.key("second"));
    let response = upload().await;
    assert_eq!((response.status, response.header("x-keywheel-attempts")), (503, "1"));
    let error = response.json().await["error"].take();
    assert!(text(&error["message"]).ends_with("send the upload again"), "{error}");
    rig.assert_untouched("an upload with an old key");
    assert_eq!(upload().await.status, 200);
    assert_eq!(rig.keys_seen(), ["first", "first", "second"]);
}

#[tokio::test]
async fn a_key_that_cannot_be_had_is_the_accounts_trouble_and_is_told_without_its_output() {
    let rig = Rig::with(Setup::new(Persona::Generic), &["a"], |config| {
        with_program(config, &["/bin/sh", "-c", "echo canary-out; echo canary-err >&2; exit 3"])
    });
    let response = rig.keywheel.client().post(CHAT, &chat("lab/p")).await;
    let status = response.status;
    let error = response.json().await["error"].take();
    assert!(status >= 400, "{error}");
    assert!(text(&error["message"]).len() > 20 && !error.to_string().contains("canary"), "{error}");
    assert!(!rig.keywheel.words().contains("canary-out"), "{}", rig.keywheel.words());
    assert_eq!(rig.keywheel.client().post(CHAT, &chat("lab/m")).await.status, 200, "the other account goes on");
}

#[tokio::test]
async fn a_variable_that_is_not_set_is_named() {
    let account = "[[accounts]]\nid = \"b\"\nprovider = \"lab\"\nmodels = [\"b\"]\nsecret = { env = \"NOT_SET\" }\n";
    let rig =
        Rig::with(Setup::new(Persona::Generic), &["a"], |config| config.account("models = [\"m\"]").more(account));
    let response = rig.keywheel.client().post(CHAT, &chat("lab/b")).await;
    let status = response.status;
    let error = response.json().await["error"].take();
    assert!(status >= 400 && text(&error["message"]).contains("NOT_SET"), "{status} {error}");
    assert!(rig.calls().is_empty());
}

#[tokio::test]
async fn paths_that_a_provider_serves_besides_are_passed_through_and_recorded() {
    let rig = Rig::start(&["a"]);
    let client = rig.keywheel.client().header("x-keywheel-provider", "lab");
    let listed = client.get("/v1/files?limit=2&after=x&api-version=1").await;
    let status = listed.status;
    assert!(status < 500, "{}", listed.text().await);
    let seen = rig.lab.seen().into_iter().find(|seen| seen.path_and_query.contains("/files")).expect("it came");
    assert_eq!((seen.path_and_query.as_str(), seen.key.as_str()), ("/v1/files?limit=2&after=x", "a"));
    assert!(!seen.headers.contains_key("x-keywheel-provider"), "our own headers stay here");
    let not_served = client.post("/v1/images/generations", &chat("lab/gpt-4o-mini")).await;
    assert_eq!(not_served.status, 404);
    let rows = json_lines(&rig.keywheel.run(["requests", "--json"]));
    assert!(rows.iter().any(|row| row["endpoint"] == "files" && row["account"] == "a"), "{rows:?}");
    rig.assert_untouched("other paths");
}
