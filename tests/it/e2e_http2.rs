//! HTTP/2 on both sides: many streams over one connection in, over several out.

use std::time::Duration;

use futures_util::future::join_all;
use http::Version;
use keywheel::sim::lab::{Setup, frames};
use keywheel::sim::{Persona, Script};

use crate::e2e_home::write_private;
use crate::e2e_rig::{Rig, quiet, stream};
use crate::support::tls::Pems;

const STREAMS: usize = 250;

fn tls_rig(pems: &Pems, folder: &std::path::Path) -> Rig {
    let ca = folder.join("ca.pem");
    write_private(&ca, &pems.ca);
    let setup = Setup { identity: Some(pems.identity()), max_streams: 100, ..Setup::new(Persona::Generic) };
    Rig::with(setup, &["a"], |config| config.provider(&format!("ca_file = {ca:?}")))
}

/// Sends so many streams at once over one connection; gives how each went.
async fn at_once(rig: &Rig, client: &reqwest::Client) -> Vec<Result<bytes::Bytes, reqwest::Error>> {
    let url = format!("http://{}/v1/chat/completions", rig.keywheel.addr());
    let key = rig.keywheel.key();
    let one = || async {
        let request = client.post(&url).bearer_auth(&key).body(stream("lab/m").to_string());
        request.send().await?.error_for_status()?.bytes().await
    };
    join_all((0..STREAMS).map(|_| one())).await
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
    let answers = runtime.block_on(at_once(&rig, &client));
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
