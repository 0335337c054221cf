//! `account login` and `account refresh` as a person runs them, in front of a strict identity provider.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use keywheel::sim::idp::Setup;
use keywheel::vault::Vault;
use tempfile::TempDir;

use crate::e2e_rig::words;
use crate::support::Keywheel;
use crate::tokens_rig::{Town, call, state, wait};

const HOUR: Duration = Duration::from_secs(3600);

/// A home with settings, in which commands are run.
struct Desk(TempDir);

impl Desk {
    fn new(config: &str) -> Self {
        let home = tempfile::Builder::new().prefix("kw-desk-").tempdir().unwrap();
        keywheel::kit::file::replace(&home.path().join("keywheel.toml"), config.as_bytes()).unwrap();
        Self(home)
    }

    fn start(&self, args: &[&str]) -> Typing {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
        command.env_clear().env("KEYWHEEL_HOME", self.0.path());
        command.env("KEYWHEEL_CONFIG", self.0.path().join("keywheel.toml")).current_dir(self.0.path()).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Typing { child, said, heard: String::new() }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut typing = self.start(args);
        drop(typing.child.stdin.take());
        typing.end()
    }
}

/// A command that waits for its person.
struct Typing {
    child: Child,
    said: BufReader<ChildStderr>,
    heard: String,
}

impl Typing {
    /// The word behind these words, once they are said.
    fn word_after(&mut self, mark: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {mark:?}:\n{}", self.heard);
            self.heard += &line;
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.split_whitespace().next().unwrap_or_default().to_owned();
            }
        }
    }

    fn type_line(&mut self, line: &str) {
        let mut stdin = self.child.stdin.take().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    fn end(mut self) -> Output {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = (self.heard + &rest).into_bytes();
        output
    }
}

fn done(output: &Output) -> String {
    let (out, err) = words(output);
    assert!(output.status.success(), "{out}{err}");
    out + &err
}

fn refused(output: &Output) -> String {
    let (out, err) = words(output);
    assert!(!output.status.success(), "{out}{err}");
    out + &err
}

fn grant(town: &Town, grant: &str) -> String {
    let origin = town.idp.origin();
    format!(
        "grant = \"{grant}\"\nclient_id = \"keywheel-test\"\ntoken_url = \"{origin}/token\"\n\
         device_url = \"{origin}/device\"\nauthorize_url = \"{origin}/authorize\"\n"
    )
}

/// A browser that follows redirects, or stops at the first.
async fn browse(url: &str, follow: bool) -> (u16, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let policy = if follow { reqwest::redirect::Policy::limited(3) } else { reqwest::redirect::Policy::none() };
    let client = reqwest::Client::builder().redirect(policy).build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), to)
}

#[tokio::test]
async fn a_login_by_device_heals_a_running_gateway_without_a_restart() {
    let town = Town::new(Setup::default());
    let config = town.config_with(&["a"], &grant(&town, "device_code"));
    let gateway = Keywheel::start(&config);
    wait("nobody has logged in", || state(&gateway, "a").starts_with("needs_login"));
    let (status, body) = call(&gateway).await;
    assert!(status == 403 && body.contains("keywheel account login a"), "{status} {body}");
    let desk = Desk::new(&config);
    let mut login = desk.start(&["account", "login", "a"]);
    let code = login.word_after("and type the code ");
    // the first question comes too early for the person
    wait("it asks", || !town.idp.asked().is_empty());
    town.idp.approve(&code);
    let said = done(&login.end());
    assert!(said.contains("account a is logged in, good until "), "{said}");
    wait("the gateway has seen it", || state(&gateway, "a").starts_with("ready"));
    let (status, body) = call(&gateway).await;
    assert_eq!(status, 200, "{body}");
    let stored = town.stored("a");
    for secret in [stored.secret.expose(), stored.refresh.as_ref().unwrap().expose()] {
        assert!(!said.contains(secret) && !gateway.words().contains(secret), "no token is shown");
    }
}

#[tokio::test]
async fn a_device_login_that_is_declined_or_broken_off_stores_nothing() {
    let town = Town::new(Setup { errors_in_200: true, ..Setup::default() });
    let desk = Desk::new(&town.config_with(&["a"], &grant(&town, "device_code")));
    let mut login = desk.start(&["account", "login", "a"]);
    let code = login.word_after("and type the code ");
    town.idp.decline(&code);
    assert!(refused(&login.end()).contains("access_denied"));
    let mut login = desk.start(&["account", "login", "a"]);
    login.word_after("and type the code ");
    login.child.kill().unwrap();
    refused(&login.end());
    assert!(town.vault.list().unwrap().is_empty());
}

#[tokio::test]
async fn a_login_by_browser_comes_back_to_a_free_port_of_this_machine() {
    let town = Town::new(Setup::default());
    let desk = Desk::new(&town.config_with(&["a"], &grant(&town, "authorization_code")));
    let mut login = desk.start(&["account", "login", "a"]);
    let url = login.word_after("open ");
    assert_eq!(browse(&url, true).await.0, 200, "the page that can be closed");
    let said = done(&login.end());
    assert!(said.contains("account a is logged in"), "{said}");
    assert!(town.stored("a").refresh.is_some());
}

#[tokio::test]
async fn a_login_whose_state_is_another_is_refused_and_nothing_is_stored() {
    let town = Town::new(Setup { wrong_state: true, ..Setup::default() });
    let desk = Desk::new(&town.config_with(&["a"], &grant(&town, "authorization_code")));
    let mut login = desk.start(&["account", "login", "a"]);
    let url = login.word_after("open ");
    browse(&url, true).await;
    assert!(refused(&login.end()).contains("belongs to another login"));
    assert!(town.vault.list().unwrap().is_empty() && town.idp.asked().is_empty());
}

#[tokio::test]
async fn over_ssh_the_address_is_pasted_back() {
    let town = Town::new(Setup::default());
    let desk = Desk::new(&town.config_with(&["a"], &grant(&town, "authorization_code")));
    let mut login = desk.start(&["account", "login", "a", "--paste"]);
    let url = login.word_after("open ");
    let (_, came) = browse(&url, false).await;
    assert!(came.starts_with("http://127.0.0.1:1/callback?code="), "{came}");
    login.type_line(&came);
    assert!(done(&login.end()).contains("account a is logged in"));
    assert!(town.stored("a").refresh.is_some());
}

#[tokio::test]
async fn a_refresh_token_that_is_brought_is_tried_at_once() {
    let town = Town::new(Setup::default());
    let desk = Desk::new(&town.config(&["a"], ""));
    let (_, refresh) = town.idp.login("a");
    let mut login = desk.start(&["account", "login", "a"]);
    login.type_line(&refresh);
    assert!(done(&login.end()).contains("account a has its first token"));
    assert_eq!(town.idp.refreshed(), 1);
    let mut login = desk.start(&["account", "login", "a"]);
    login.type_line("nonsense-refresh-token");
    let said = refused(&login.end());
    assert!(said.contains("invalid_grant") && !said.contains("nonsense"), "{said}");
}

#[tokio::test]
async fn tokens_are_renewed_on_a_persons_word_with_a_gateway_and_without() {
    let town = Town::new(Setup::default());
    for account in ["a", "b"] {
        town.log_in(account, HOUR);
    }
    let config = town.config(&["a", "b"], "") + "[[accounts]]\nid = \"k\"\nprovider = \"lab\"\ntags = [\"t\"]\n";
    let config = config.replace("id = \"a\"\n", "id = \"a\"\ntags = [\"t\"]\n");
    let desk = Desk::new(&config);
    // no second is lost to the background: a token with an hour left is not due
    wait("nothing is under way", || town.idp.asked().is_empty());
    assert!(done(&desk.run(&["account", "refresh", "a", "b"])).contains("account b has a new token"));
    assert_eq!(town.idp.refreshed(), 2);
    let said = refused(&desk.run(&["account", "refresh", "--tag", "t"]));
    assert!(said.contains("account a has a new token"), "{said}");
    assert!(said.contains("account k sends a key, which is not renewed"), "{said}");
    assert_eq!(town.idp.refreshed(), 3);
    assert!(refused(&desk.run(&["account", "refresh", "nobody"])).contains("there is no account"));

    let gateway = Keywheel::start(&config);
    assert_eq!(call(&gateway).await.0, 200);
    let config = gateway.home().join("keywheel.toml");
    let args = ["account", "refresh", "a", "--config", config.to_str().unwrap()];
    assert!(done(&gateway.run(args)).contains("account a has a new token"));
    assert_eq!(town.idp.refreshed(), 4);
    assert_eq!(call(&gateway).await.0, 200);
    assert!(!town.idp.revoked("a") && !town.idp.revoked("b"));
}

#[tokio::test]
async fn a_service_accounts_document_is_stored_whole_and_used() {
    use ring::signature::RsaKeyPair;
    use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
    let pem = include_str!("flows/service_account.pem");
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let public = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap().public().as_ref().to_vec();
    let town = Town::new(Setup { service_account: Some(("robot@example.com".into(), public)), ..Setup::default() });
    let config = town.config_with(&["a"], "grant = \"service_account\"\nscope = \"cloud\"\n");
    let desk = Desk::new(&config);
    let document = serde_json::json!({"type": "service_account", "client_email": "robot@example.com",
        "private_key": pem, "token_uri": format!("{}/token", town.idp.origin())});
    let file = desk.0.path().join("robot.json");
    std::fs::write(&file, format!("{document:#}")).unwrap();
    let said = done(&desk.run(&["account", "login", "a", "--file", file.to_str().unwrap()]));
    assert!(said.contains("account a has its first token"), "{said}");
    let gateway = Keywheel::start(&config);
    let (status, body) = call(&gateway).await;
    assert_eq!(status, 200, "{body}");
    town.lab.expire("service", Duration::ZERO);
    assert_eq!(call(&gateway).await.0, 200, "signed and asked again");
}

#[tokio::test]
async fn a_token_goes_as_a_bearer_where_a_key_has_a_header_of_its_own() {
    let client = keywheel::sim::idp::Client { id: "mine".into(), secret: Some("client-secret-1".into()), basic: false };
    let town = Town::new(Setup { client, ..Setup::default() });
    let lines = format!(
        "grant = \"client_credentials\"\ntoken_url = \"{}/token\"\nclient_id = \"mine\"\n\
         client_secret = {{ env = \"CLIENT_SECRET\" }}\n",
        town.idp.origin()
    );
    let config = town.config_with(&["a"], &lines).replace("models =", "auth = { header = \"api-key\" }\nmodels =");
    let gateway = Keywheel::with(&config).env("CLIENT_SECRET", "client-secret-1").start();
    let (status, body) = call(&gateway).await;
    assert_eq!(status, 200, "{body}");
    let seen = town.lab.seen().into_iter().find(|seen| seen.method == http::Method::POST).unwrap();
    let sent = seen.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(sent.starts_with("Bearer idp-access-client-") && !seen.headers.contains_key("api-key"), "{sent}");
}
