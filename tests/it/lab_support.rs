//! The shared support does what tests rely on.

use keywheel::sim::{Lab, Persona};
use serde_json::json;

use crate::support::binary::listening;
use crate::support::proxy::{Carried, Proxy};
use crate::support::{Client, Keywheel, tls::Pems};

async fn through(proxy: &Proxy, lab: &Lab, ca: Option<&str>) -> Result<u16, reqwest::Error> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let certs = ca.map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate"));
    let client = reqwest::Client::builder().tls_certs_only(certs).proxy(reqwest::Proxy::all(proxy.url())?).build()?;
    let body = json!({"model": "echo", "messages": [{"role": "user", "content": "hi"}]});
    let call = client.post(lab.base_url() + "/chat/completions").body(body.to_string());
    Ok(call.send().await?.status().as_u16())
}

#[tokio::test]
async fn each_kind_of_proxy_carries_calls_and_counts_them() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let pems = Pems::new();
    let target = lab.addr().to_string();
    for (proxy, how) in
        [(Proxy::http(), "absolute"), (Proxy::https(pems.identity()), "absolute"), (Proxy::socks5(), "socks5")]
    {
        for count in 1..=2 {
            assert_eq!(through(&proxy, &lab, Some(&pems.ca)).await.expect("carried"), 200, "{}", proxy.url());
            assert_eq!(proxy.carried().len(), count);
        }
        assert_eq!(proxy.carried()[0], Carried { how, target: target.clone(), credentials: None });
    }
    assert_eq!(lab.seen().len(), 6);
}

#[tokio::test]
async fn a_proxy_tunnels_tls() {
    let pems = Pems::new();
    let setup = keywheel::sim::lab::Setup {
        identity: Some(pems.identity()),
        ..keywheel::sim::lab::Setup::new(Persona::Generic)
    };
    let lab = Lab::start_with(setup).expect("a lab");
    let proxy = Proxy::http();
    assert_eq!(through(&proxy, &lab, Some(&pems.ca)).await.expect("carried"), 200);
    assert_eq!(proxy.carried()[0].how, "CONNECT");
}

#[tokio::test]
async fn a_stopped_proxy_carries_nothing() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let proxy = Proxy::http();
    let url = proxy.url();
    drop(proxy);
    let gone = reqwest::Proxy::all(url).expect("a proxy");
    let client = reqwest::Client::builder().tls_certs_only(None).proxy(gone).build().expect("a client");
    assert!(client.get(lab.base_url() + "/models").send().await.is_err());
    assert!(lab.seen().is_empty());
}

#[tokio::test]
async fn raw_bytes_are_sent_as_they_are() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let request = b"GET /v1/models HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n\r\n";
    let heard = Client::tcp(lab.addr()).raw(request, crate::support::SOON).await.expect("an answer");
    assert!(heard.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn the_real_binary_starts_in_a_home_of_its_own_and_calls_the_lab() {
    let lab = Lab::start(Persona::Generic).expect("a lab");
    let config = format!(
        "[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"gpt\"]\n\
         [[accounts]]\nid = \"a\"\nprovider = \"lab\"\nsecret = {{ env = \"LAB_KEY_A\" }}\n",
        lab.base_url()
    );
    let mut keywheel = Keywheel::with(&config).env("LAB_KEY_A", lab.key("a")).start();
    let body = json!({"model": "lab/gpt", "messages": [{"role": "user", "content": "hi"}]});
    for client in [keywheel.client(), Client::unix(keywheel.socket())] {
        let answer = client.post("/v1/chat/completions", &body).await;
        assert_eq!(answer.status, 200, "{}", keywheel.words());
        assert_eq!(answer.json().await["choices"][0]["message"]["content"], "hi");
    }
    assert_eq!(lab.count("a"), 2);
    assert!(keywheel.runs() && keywheel.words().contains("listening on tcp://127.0.0.1:"));
}

#[test]
fn the_line_that_says_where_it_listens_is_read() {
    let addr = "127.0.0.1:4141".parse().ok();
    assert_eq!(listening("listening on tcp://127.0.0.1:4141"), addr);
    assert_eq!(listening("  2026 INFO listening on tcp://127.0.0.1:4141, and the socket"), addr);
    assert_eq!(listening("listening on unix:///run/keywheel.sock"), None);
    assert_eq!(listening("tcp://127.0.0.1:4141"), None);
}
