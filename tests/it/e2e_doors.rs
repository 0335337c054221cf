//! Who comes in: by uid on the socket, by `Host` and `Origin` on the port, by certificate through TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::e2e_home::{finish, write_private};
use crate::e2e_rig::{Rig, chat, text, until, words};
use crate::support::tls::Pems;
use crate::support::{Client, Keywheel, SOON};

/// The user `nobody` asks for the models on a socket, with the first client key.
fn as_nobody(socket: &Path, key: &str) -> Option<Output> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root may become somebody else");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-q", "-sS", "--max-time", "10"]);
    command.args(["-w", "\n%{http_code}", "-H", &format!("authorization: Bearer {key}"), "--unix-socket"]);
    command.arg(socket).arg("http://localhost/v1/models");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => Some(finish(child)),
        Err(error) => {
            eprintln!("skipped: setpriv cannot be run: {error}");
            None
        }
    }
}

#[test]
fn another_user_cannot_reach_the_socket_and_is_refused_if_the_modes_are_loosened() {
    let rig = Rig::start(&["a"]);
    let (home, socket, key) = (rig.keywheel.home(), rig.keywheel.socket(), rig.keywheel.key());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(&home.join("run"))), (0o600, 0o700));
    let Some(shut) = as_nobody(&socket, &key) else { return };
    assert!(!shut.status.success() && !words(&shut).0.contains("200"), "{:?}", words(&shut));
    for (path, mode) in [(home, 0o711), (&home.join("run"), 0o711), (&socket, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let refused = as_nobody(&socket, &key).expect("as before");
    let (out, err) = words(&refused);
    let (body, status) = out.rsplit_once('\n').unwrap_or_else(|| panic!("{out}{err}"));
    assert_eq!(status, "403", "a good key does not help: {body}{err}");
    let error: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(error["error"]["code"], "foreign_user");
    assert!(text(&error["error"]["message"]).contains("65534"), "{error}");
}

#[tokio::test]
async fn the_port_answers_only_to_our_own_and_listed_hosts_and_origins() {
    let open = "hosts = [\"box.lan\"]\norigins = [\"https://app.example.com\"]";
    let rig = Rig::with(crate::e2e_rig::open_lab(), &["a"], |config| config.top(open));
    let port = rig.keywheel.addr().port();
    let own = format!("127.0.0.1:{port}");
    let rows: [(&str, Option<&str>, u16); 18] = [
        (&own, None, 200),
        ("localhost", None, 200),
        ("LOCALHOST:1", None, 200),
        ("[::1]:4141", None, 200),
        ("127.9.9.9", None, 200),
        ("box.lan", None, 200),
        ("box.lan:9", None, 200),
        ("evil.example.com", None, 403),
        ("localhost.evil.example.com", None, 403),
        ("127.0.0.1.evil.example.com", None, 403),
        ("box.lan.evil.example.com", None, 403),
        ("10.0.0.1", None, 403),
        ("localhost@evil.example.com", None, 403),
        ("localhost", Some("https://app.example.com"), 200),
        ("localhost", Some("https://app.example.com.evil.org"), 403),
        ("localhost", Some("http://app.example.com"), 403),
        ("localhost", Some("http://localhost:4141"), 403),
        ("localhost", Some("null"), 403),
    ];
    for (host, origin, status) in rows {
        let client = rig.keywheel.client().header("host", host);
        let client = origin.map_or(client.clone(), |origin| client.header("origin", origin));
        let response = client.post("/v1/chat/completions", &chat("lab/gpt-4o-mini")).await;
        assert_eq!(response.status, status, "{host} {origin:?}");
        assert!(response.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
        if status == 403 {
            let error = response.json().await;
            assert!(text(&error["error"]["message"]).contains("configuration"), "{error}");
        }
        let healthy = client.get("/healthz").await.status;
        assert_eq!(healthy, status, "without a key the same: {host} {origin:?}");
    }
    let evil = Client::unix(rig.keywheel.socket()).header("host", "evil.example.com");
    assert_eq!(evil.get("/v1/models").await.status, 200, "no web page reaches the socket");
    assert_eq!(rig.calls().len(), rows.iter().filter(|row| row.2 == 200).count());
    rig.assert_untouched("foreign hosts");
}

/// A client that trusts one authority.
fn trusting(ca: &str) -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("a certificate");
    reqwest::Client::builder().tls_certs_only([ca]).no_proxy().timeout(SOON).build().expect("a client")
}

#[tokio::test]
async fn the_tls_door_shows_its_certificate_and_a_new_one_once_the_files_change() {
    let (first, second) = (Pems::new(), Pems::new());
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    write_private(&cert, &first.cert);
    write_private(&key, &first.key);
    let config = format!("[tls]\ncert = {cert:?}\nkey = {key:?}\n");
    let keywheel = Keywheel::with(&config).arg("--listen").arg("tls://127.0.0.1:0").start();
    assert!(keywheel.wait_words("listening on tls://", SOON), "{}", keywheel.words());
    let words = keywheel.words();
    let door = words.lines().find_map(|line| line.strip_prefix("listening on tls://")).expect("a door").to_owned();
    let ask = async |ca: &str| {
        let request = trusting(ca).post(format!("https://{door}/v1/chat/completions"));
        request.bearer_auth(keywheel.key()).body(chat("sim/echo").to_string()).send().await
    };
    let response = ask(&first.ca).await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    assert!(ask(&second.ca).await.is_err(), "the certificate is checked");
    // without a key nothing, as on the plain port
    let bare = trusting(&first.ca).get(format!("https://{door}/v1/models")).send().await.expect("an answer");
    assert_eq!(bare.status().as_u16(), 401);

    // half of a renewal shows the old one still
    write_private(&cert, &second.cert);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(ask(&first.ca).await.is_ok());
    write_private(&key, &second.key);
    until("the new certificate is shown", Duration::from_secs(10), async || ask(&second.ca).await.is_ok()).await;
    assert!(ask(&first.ca).await.is_err());
    write_private(&cert, "nonsense");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(ask(&second.ca).await.is_ok(), "a broken file changes nothing");
    assert!(keywheel.words().contains("the certificate read last stays in use"), "{}", keywheel.words());
}

#[test]
fn a_door_that_would_give_keys_away_is_not_opened() {
    for (door, config, code, words) in [
        ("tcp://0.0.0.0:0", "", 4, "allow_plaintext"),
        ("tls://127.0.0.1:0", "", 4, "cert = FILE"),
        ("tls://127.0.0.1:0", "[tls]\ncert = '/nowhere/cert.pem'\nkey = '/nowhere/key.pem'\n", 1, "cert.pem"),
        ("tcp://example.com:80", "", 4, "IP address"),
        ("ftp://127.0.0.1:1", "", 4, "tcp://HOST:PORT"),
    ] {
        let output = Keywheel::with(config).arg("--listen").arg(door).fail();
        let (_, err) = crate::e2e_rig::words(&output);
        assert_eq!(output.status.code(), Some(code), "{door}: {err}");
        assert!(err.contains(words) && !err.contains("panicked"), "{door}: {err}");
    }
}
