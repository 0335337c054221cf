//! Which `Host` and `Origin` may come in through a port, and that the socket does not ask.

use bytes::Bytes;
use http_body_util::Full;
use keywheel::config::Listen;

use crate::serve_support::{Version, exchange, house, house_with, raw, settings, tcp};

const ORIGIN: &str = "http://editor.test:3000";

#[tokio::test]
async fn only_our_own_and_listed_hosts_and_origins_come_in() {
    let mut settings = settings(vec![tcp(), Listen::Unix(None)]);
    settings.hosts = vec!["box.lan".into(), "exact.lan:4141".into()];
    settings.origins = vec![format!("{ORIGIN}/")];
    let house = house_with(settings, keywheel::serve::Bounds::default());
    for (host, origin, status, code) in [
        ("127.0.0.1", None, 200, ""),
        ("127.0.0.1:4141", None, 200, ""),
        ("127.1.2.3:1", None, 200, ""),
        ("localhost", None, 200, ""),
        ("LocalHost:80", None, 200, ""),
        ("[::1]:4141", None, 200, ""),
        ("box.lan", None, 200, ""),
        ("BOX.lan:9", None, 200, ""),
        ("exact.lan:4141", None, 200, ""),
        ("exact.lan:4142", None, 403, "foreign_host"),
        ("exact.lan", None, 403, "foreign_host"),
        ("evil.test", None, 403, "foreign_host"),
        ("localhost.evil.test", None, 403, "foreign_host"),
        ("127.0.0.1.evil.test", None, 403, "foreign_host"),
        ("evil.test:127", None, 403, "foreign_host"),
        ("localhost@evil.test", None, 403, "foreign_host"),
        ("evil@localhost", None, 403, "foreign_host"),
        ("192.168.0.7", None, 403, "foreign_host"),
        ("[::2]", None, 403, "foreign_host"),
        ("0.0.0.0", None, 403, "foreign_host"),
        ("", None, 403, "foreign_host"),
        ("a b", None, 403, "foreign_host"),
        ("localhost", Some(ORIGIN), 200, ""),
        ("localhost", Some("HTTP://editor.test:3000"), 200, ""),
        ("localhost", Some("http://editor.test"), 403, "foreign_origin"),
        ("localhost", Some("https://editor.test:3000"), 403, "foreign_origin"),
        ("localhost", Some("http://localhost"), 403, "foreign_origin"),
        ("localhost", Some("null"), 403, "foreign_origin"),
        ("localhost", Some(""), 403, "foreign_origin"),
        ("evil.test", Some(ORIGIN), 403, "foreign_host"),
    ] {
        let mut request = http::Request::get("/healthz").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let got = house.send(request, "").await;
        assert_eq!(got.status, status, "{host:?} {origin:?}");
        if status != 200 {
            assert_eq!(got.error()["code"], code, "{host:?} {origin:?}");
        }
        let cors = got.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(cors, None);
    }
}

#[tokio::test]
async fn a_missing_doubled_or_contradicting_host_does_not_slip_through() {
    let house = house();
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: evil.test\r\n", 400),
        ("GET http://evil.test/healthz HTTP/1.1\r\nhost: localhost\r\n", 403),
        ("GET http://localhost/healthz HTTP/1.1\r\nhost: evil.test\r\n", 403),
        ("GET http://localhost/healthz HTTP/1.1\r\nhost: localhost\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /healthz HTTP/1.0\r\nhost: evil.test\r\n", 403),
        ("CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test:443\r\n", 403),
        ("OPTIONS /v1/models HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.test\r\n", 403),
        ("OPTIONS * HTTP/1.1\r\nhost: localhost\r\n", 404),
    ] {
        let said = raw(house.tcp().await, format!("{head}connection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(said.split(' ').nth(1), Some(status.to_string().as_str()), "{head}: {said}");
        assert!(!said.to_ascii_lowercase().contains("access-control"), "{said}");
    }
}

#[tokio::test]
async fn http_2_is_screened_by_its_authority() {
    let house = house();
    let get = |uri: &str| http::Request::get(uri).body(Full::new(Bytes::new())).expect("a request");
    let got = exchange(house.tcp().await, Version::Two, get("http://localhost/healthz")).await;
    assert_eq!(got.status, 200);
    let got = exchange(house.tcp().await, Version::Two, get("http://evil.test/healthz")).await;
    assert_eq!((got.status, got.error()["code"].as_str()), (403, Some("foreign_host")));
}

#[tokio::test]
async fn a_reload_lets_a_new_host_in_at_once() {
    let house = house();
    let ask = || http::Request::get("/healthz").header("host", "new.lan");
    assert_eq!(house.send(ask(), "").await.status, 403);
    let mut settings = house.live.now().as_ref().clone();
    settings.hosts.push("new.lan".into());
    house.live.replace(settings);
    assert_eq!(house.send(ask(), "").await.status, 200);
}
