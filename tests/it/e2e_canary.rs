//! A canary: the keys in use are sent where they belong and stand nowhere else, whatever goes wrong.

use std::path::Path;
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keywheel::sim::lab::Setup;
use keywheel::sim::{Persona, Script};
use serde_json::json;

use crate::e2e_rig::{Rig, chat, stream, text, words};
use crate::support::client::Response;
use crate::support::{Client, Keywheel};

const CHAT: &str = "/v1/chat/completions";
const MODEL: &str = "lab/m";

/// Everything that was said to anybody.
#[derive(Default)]
pub struct Heard(pub Vec<(String, Vec<u8>)>);

impl Heard {
    pub async fn answer(&mut self, what: &str, response: Response) -> u16 {
        let status = response.status;
        let headers = format!("{:?}", response.headers).into_bytes();
        let (body, _) = response.read().await;
        self.0.push((format!("{what}: headers"), headers));
        self.0.push((format!("{what}: body"), body.to_vec()));
        status
    }

    pub fn command(&mut self, keywheel: &Keywheel, args: &[&str]) -> Output {
        let output = keywheel.run(args);
        let (out, err) = words(&output);
        self.0.push((args.join(" "), format!("{out}{err}").into_bytes()));
        output
    }

    /// Every file of a home but those that hold keys by intent.
    pub fn files(&mut self, folder: &Path, but: &[&str]) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
            if kind.is_dir() {
                self.files(&path, but);
            } else if kind.is_file() && !but.iter().any(|name| path.ends_with(name)) {
                self.0.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
            }
        }
    }

    /// Fails where a secret stands, in clear or inside base64.
    pub fn holds_no(&self, secret: &str) {
        let encoded = |lead: usize, url: bool| {
            let bytes = [vec![0; lead], secret.as_bytes().to_vec()].concat();
            let text = if url { URL_SAFE_NO_PAD.encode(&bytes) } else { STANDARD_NO_PAD.encode(&bytes) };
            text[(lead * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
        };
        let mut forms = vec![secret.to_owned()];
        for lead in 0..3 {
            forms.extend([encoded(lead, false), encoded(lead, true)]);
        }
        for (what, bytes) in &self.0 {
            for form in &forms {
                let found = bytes.windows(form.len()).position(|window| window == form.as_bytes());
                let around = found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned());
                assert_eq!(around, None, "{what} holds a secret");
            }
        }
    }
}

/// How an upstream might repeat the key that it was sent.
fn echoes(key: &str) -> Vec<(&'static str, Script)> {
    let error = |message: &str| json!({"error": {"message": message, "type": "t", "param": key, "code": key}});
    let basic = STANDARD_NO_PAD.encode(format!("x:{key}"));
    vec![
        ("400", Script::json(400, &error(&format!("Incorrect API key provided: {key}.")))),
        ("401", Script::json(401, &error(&format!("Bearer {key}")))),
        ("403", Script::json(403, &error(key))),
        ("429", Script::json(429, &error(key)).header("retry-after", "1")),
        ("plain text", Script::reply(400, "text/plain", format!("no: {key}"))),
        ("base64", Script::json(400, &error(&format!("Basic {basic}")))),
        ("odd status", Script::json(418, &error(key))),
        ("first event", Script::error_first(&error(key))),
        ("200 with an error", Script::json(200, &error(key))),
        ("header", Script::json(400, &error("see header")).header("x-request-id", key).header("www-authenticate", key)),
        (
            "redirect",
            Script::reply(302, "text/plain", "").header("location", &format!("http://127.0.0.1:9/?key={key}")),
        ),
        // five such failures would keep the provider from being asked
        ("503", Script::reply(503, "text/html", format!("<html>{key}</html>"))),
        ("500", Script::json(500, &error(key))),
    ]
}

fn loud(models: &str) -> Rig {
    let models = format!("models = [\"{models}\"]");
    let again = "[[accounts]]\nid = 'again'\nprovider = 'lab'\nmodels = ['again']\nsecret = { env = 'KEY_A' }\n";
    let settings = |config: crate::e2e_rig::Config| config.account(&models).more(again);
    Rig::with_start(Setup::new(Persona::Generic), &["a"], settings, |start| start.env("KEYWHEEL_LOG", "trace"))
}

/// Asks every command what it knows, reads every file, and looks for these secrets.
fn search(rig: &Rig, mut heard: Heard, secrets: &[&str]) {
    let rows = heard.command(&rig.keywheel, &["requests", "--json", "--limit", "1000"]);
    for row in words(&rows).0.lines() {
        let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        heard.command(&rig.keywheel, &["requests", text(&row["id"])]);
    }
    for args in [
        &["account", "list", "--json"][..],
        &["account", "show", "a"],
        &["account", "show", "a", "--json"],
        &["quota", "--json"],
        &["provider", "list"],
        &["model", "list", "--why"],
        &["status", "--json"],
        &["client", "list", "--json"],
        &["requests", "--failed"],
    ] {
        heard.command(&rig.keywheel, args);
    }
    heard.files(rig.keywheel.home(), &["state/client.key"]);
    for pid in family(rig.keywheel.pid()) {
        for name in ["cmdline", "environ"] {
            // the gateway's own environment holds what the test put there, and nothing that it starts may
            if name == "cmdline" || pid != rig.keywheel.pid() {
                let text = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
                heard.0.push((format!("{name} of {pid}"), text));
            }
        }
    }
    assert!(heard.0.iter().any(|(what, _)| what.contains("ledger.sqlite")), "the ledger was read");
    heard.0.push(("the log".to_owned(), rig.keywheel.words().into_bytes()));
    assert!(rig.keywheel.words().contains("TRACE"), "the log is at its loudest");
    secrets.iter().for_each(|secret| heard.holds_no(secret));
}

/// A process and all that it has started.
fn family(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = children
        .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect();
    std::iter::once(pid).chain(children.into_iter().flat_map(family)).collect()
}

/// A key with characters that JSON, URLs and base64 write differently.
const ODD: &str = "sk-odd/\"key\"&<4f1c2a9e7b6d5830>+=";

#[tokio::test]
async fn a_key_from_a_program_is_seen_by_no_process_and_no_file_in_any_of_its_forms() {
    let program = |text: &str| format!("[\"/bin/sh\", \"-c\", \"sleep 1; cat {text}\"]");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    crate::e2e_home::write_private(&file, ODD);
    let command = program(file.to_str().expect("UTF-8"));
    let settings = |config: crate::e2e_rig::Config| {
        config.more(&format!(
            "[[accounts]]\nid = 'p'\nprovider = 'lab'\nmodels = ['program']\nsecret = {{ command = {command} }}\n"
        ))
    };
    let setup = Setup { keys: keywheel::sim::lab::Keys::Any, ..Setup::new(Persona::Generic) };
    let rig = Rig::with_start(
        setup,
        &["a"],
        |config| settings(config.account("models = ['m']")),
        |start| start.env("KEYWHEEL_LOG", "trace"),
    );
    let json = serde_json::to_string(ODD).expect("JSON");
    let url: String = ODD.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped = ODD.replace('"', "%22").replace('/', "%2F").replace('&', "%26").replace('<', "%3C");
    let escaped = escaped.replace('>', "%3E").replace('+', "%2B").replace('=', "%3D");
    let mut heard = Heard::default();
    let client = rig.keywheel.client();
    // while the program runs it can be looked at
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.post(CHAT, &chat("lab/program")).await.status }
    });
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let started = family(rig.keywheel.pid());
    assert!(started.len() > 1, "the program runs");
    for pid in started {
        for name in ["cmdline", "environ"].into_iter().filter(|name| *name == "cmdline" || pid != rig.keywheel.pid()) {
            heard
                .0
                .push((format!("{name} of {pid}"), std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()));
        }
    }
    assert_eq!(asking.await.expect("an answer"), 200);
    for said in [json.clone(), format!("\"{escaped}\""), json.replace('/', "\\/")] {
        rig.lab.on("").then(Script::reply(400, "application/json", format!("{{\"error\":{{\"message\":{said}}}}}")));
        assert_eq!(heard.answer("echo", client.post(CHAT, &chat("lab/program")).await).await, 400);
    }
    let throttled = json!({"error": {"message": ODD, "type": "t", "code": "rate_limit_exceeded"}});
    rig.lab.on("").then(Script::json(429, &throttled).header("retry-after", "600"));
    assert_eq!(heard.answer("rest", client.post(CHAT, &chat("lab/program")).await).await, 429);
    let page = rig.keywheel.home().join("state/accounts.json");
    let kept = async || std::fs::read_to_string(&page).is_ok_and(|text| text.contains("[redacted]"));
    crate::e2e_rig::until("the rest is written down, masked", crate::support::SOON, kept).await;
    search(&rig, heard, &[ODD, &json[1..json.len() - 1], &url, &escaped]);
}

#[tokio::test]
async fn a_key_that_an_upstream_repeats_in_its_error_is_shown_to_nobody() {
    for number in 0..echoes("").len() {
        let rig = loud("m");
        let key = rig.lab.key("a");
        let (what, script) = echoes(&key).swap_remove(number);
        let mut heard = Heard::default();
        for body in [chat(MODEL), stream("lab/again")] {
            let before = rig.calls().len();
            rig.lab.on("a").always(script.clone());
            let response = rig.keywheel.client().post(CHAT, &body).await;
            heard.answer(what, response).await;
            assert!(rig.calls().len() > before, "{what}: it was sent");
        }
        let masked = |(_, bytes): &(String, Vec<u8>)| String::from_utf8_lossy(bytes).contains("[redacted]");
        assert_eq!(
            heard.0.iter().any(masked),
            !["redirect", "503"].contains(&what),
            "{what}: {:?}",
            String::from_utf8_lossy(&heard.0[1].1)
        );
        search(&rig, heard, &[&key]);
    }
}

#[tokio::test]
async fn the_keys_of_accounts_and_clients_stand_nowhere_but_where_they_belong() {
    let rig = loud("m");
    let (upstream, client_key) = (rig.lab.key("a"), rig.keywheel.key());
    let guest = rig.add_client("guest", &[]);
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let mut heard = Heard::default();
    let port = rig.keywheel.client();
    for client in [port.clone(), port.clone().http2(), Client::unix(rig.keywheel.socket())] {
        assert_eq!(heard.answer("chat", client.post(CHAT, &chat(MODEL)).await).await, 200);
        heard.answer("stream", client.post(CHAT, &stream(MODEL)).await).await;
        heard.answer("models", client.get("/v1/models").await).await;
        heard.answer("wrong", client.post_bytes(CHAT, "{").await).await;
    }
    let bare = Client::tcp(rig.keywheel.addr());
    for (name, key) in [("api-key", guest.clone()), ("x-api-key", format!("{guest}x")), ("cookie", guest.clone())] {
        heard.answer(name, bare.clone().header(name, &key).post(CHAT, &chat(MODEL)).await).await;
    }
    heard.answer("query", port.post(&format!("{CHAT}?key={guest}"), &chat(MODEL)).await).await;
    let half = "data: {\"choices\":[]}\n\n";
    rig.lab.on("a").then(Script::events([half]).cut(1));
    heard.answer("cut", port.post(CHAT, &stream(MODEL)).await).await;
    rig.lab.on("a").then(Script::hang_up()).then(Script::hang_up()).then(Script::hang_up());
    heard.answer("hang up", port.post(CHAT, &stream(MODEL)).await).await;

    let sent: Vec<String> =
        rig.calls().iter().map(|call| format!("{:?}{}", call.headers, call.path_and_query)).collect();
    assert!(sent.iter().all(|call| !call.contains(&client_key) && !call.contains(&guest)), "client keys go no further");
    assert!(rig.calls().iter().all(|call| call.key == "a"));
    search(&rig, heard, &[&upstream, &client_key, &guest]);
}
