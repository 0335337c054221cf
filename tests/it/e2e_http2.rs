//! HTTP/2 on both sides: many streams over one connection in, over several out.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use http::Version;
use keywheel::sim::lab::{Setup, frames};
use keywheel::sim::{Persona, Script};

use crate::e2e_home::write_private;
use crate::e2e_rig::{Config, Rig, quiet, stream};
use crate::support::binary::Start;
use crate::support::proxy::Proxy;
use crate::support::tls::Pems;

const STREAMS: usize = 250;
/// The calls of a burst that meets a host not called before.
const BURST: usize = 50;

fn tls_rig(pems: &Pems, folder: &Path) -> Rig {
    rig(pems, folder, |config| config, |start| start)
}

/// A gateway that knows its models, so that nothing was asked before the first call.
fn cold_rig(pems: &Pems, folder: &Path, proxy: &str, around: &str) -> Rig {
    let proxy = if proxy.is_empty() { String::new() } else { format!("proxy = {proxy:?}") };
    let host = if around.is_empty() { "127.0.0.1" } else { "0.0.0.0" };
    let settings = |config: Config| config.top(&proxy).hosted(host).provider("models = [\"m\"]");
    rig(pems, folder, settings, |start| start.env("HTTPS_PROXY", around))
}

fn rig(
    pems: &Pems,
    folder: &Path,
    settings: impl FnOnce(Config) -> Config,
    prepare: impl FnOnce(Start) -> Start,
) -> Rig {
    let ca = folder.join("ca.pem");
    write_private(&ca, &pems.ca);
    let setup = Setup { identity: Some(pems.identity()), max_streams: 100, ..Setup::new(Persona::Generic) };
    Rig::with_start(setup, &["a"], |config| settings(config.provider(&format!("ca_file = {ca:?}"))), prepare)
}

/// Sends so many streams at once over one connection; gives how each went.
async fn at_once(count: usize, rig: &Rig, client: &reqwest::Client) -> Vec<Result<bytes::Bytes, reqwest::Error>> {
    let url = format!("http://{}/v1/chat/completions", rig.keywheel.addr());
    let key = rig.keywheel.key();
    let one = || async {
        let request = client.post(&url).bearer_auth(&key).body(stream("lab/m").to_string());
        request.send().await?.error_for_status()?.bytes().await
    };
    join_all((0..count).map(|_| one())).await
}

#[test]
fn two_hundred_and_fifty_streams_at_once_are_carried_over_several_connections() {
    let _quiet = quiet();
    let (pems, folder) = (Pems::new(), tempfile::tempdir().expect("a folder"));
    let rig = tls_rig(&pems, folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // what a host speaks is known from its first answer on
    let first = runtime.block_on(rig.keywheel.client().post("/v1/chat/completions", &stream("lab/m")));
    assert_eq!(first.status, 200);
    // all are under way at once, since none ends before all have begun
    rig.lab.on("a").always(Script::chunks(10).stall(3, Duration::from_secs(3)));
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
    let answers = runtime.block_on(at_once(STREAMS, &rig, &client));
    let expected = frames(10).concat();
    for answer in answers {
        assert!(answer.expect("a whole answer") == expected);
    }
    assert_eq!(rig.lab.max_in_flight(), STREAMS, "none had to wait for another");
    let calls = rig.calls();
    assert_eq!(calls.len(), STREAMS + 1);
    assert!(calls.iter().all(|call| call.http_version == Version::HTTP_2));
    let connections = rig.lab.connections();
    eprintln!("{STREAMS} streams at once over {connections} connections");
    assert!((3..=10).contains(&connections), "{connections} connections for {STREAMS} streams of at most 100 each");
    rig.assert_untouched("many streams");
}

#[test]
fn a_burst_to_a_host_that_was_never_called_shares_a_few_connections() {
    let _quiet = quiet();
    let (pems, folder) = (Pems::new(), tempfile::tempdir().expect("a folder"));
    let rig = cold_rig(&pems, folder.path(), "", "");
    // the model thinks: its answer comes too late to tell the others what the host speaks
    rig.lab.on("a").always(Script::chunks(10).after(Duration::from_secs(2)));
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let began = std::time::Instant::now();
    let answers = runtime.block_on(at_once(BURST, &rig, &client));
    let took = began.elapsed();
    let expected = frames(10).concat();
    assert!(answers.into_iter().all(|answer| answer.expect("a whole answer") == expected));
    assert_eq!((rig.lab.max_in_flight(), rig.calls().len()), (BURST, BURST));
    let connections = rig.lab.connections();
    eprintln!("a cold burst of {BURST} over {connections} connections, {took:?} with 2 s at the provider");
    assert!(connections <= 5, "{connections} connections for a cold burst of {BURST}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    rig.assert_untouched("a cold burst");
}

#[test]
fn not_even_a_handshake_goes_past_a_proxy() {
    let (pems, folder) = (Pems::new(), tempfile::tempdir().expect("a folder"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
    for named in [true, false] {
        let proxy = Proxy::http();
        // a proxy of the environment is asked for other machines only, and nobody has a certificate for 0.0.0.0
        let (explicit, around) = if named { (proxy.url(), String::new()) } else { (String::new(), proxy.url()) };
        let rig = cold_rig(&pems, folder.path(), &explicit, &around);
        let answers = runtime.block_on(at_once(10, &rig, &client));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), if named { 10 } else { 0 });
        let (connections, carried) = (rig.lab.connections(), proxy.carried().len());
        assert!(carried > 0 && connections <= carried, "{connections} connections, {carried} through the proxy");
    }
}

#[tokio::test]
async fn a_connection_that_says_goodbye_is_replaced_without_a_failed_call() {
    let (pems, folder) = (Pems::new(), tempfile::tempdir().expect("a folder"));
    let rig = tls_rig(&pems, folder.path());
    for n in 0..10 {
        rig.lab.on("a").then(Script::chunks(5).last_of_connection());
        let response = rig.keywheel.client().http2().post("/v1/chat/completions", &stream("lab/m")).await;
        assert_eq!(response.status, 200, "{n}");
        assert!(response.text().await.ends_with("data: [DONE]\n\n"));
    }
    rig.assert_untouched("GOAWAY");
}

#[tokio::test]
async fn a_stream_that_is_reset_upstream_is_reset_for_an_http2_client_too() {
    let (pems, folder) = (Pems::new(), tempfile::tempdir().expect("a folder"));
    let rig = tls_rig(&pems, folder.path());
    for client in [rig.keywheel.client().http2(), rig.keywheel.client()] {
        rig.lab.on("a").then(Script::chunks(9).cut(4));
        let (frames, end) = client.post("/v1/chat/completions", &stream("lab/m")).await.frames().await;
        assert_eq!(end, crate::support::client::End::Broken);
        let last = frames.last().expect("frames").json();
        assert_eq!((frames.len(), &last["error"]["type"]), (5, &"server_error".into()), "{last}");
    }
}
