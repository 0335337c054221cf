//! A client that leaves takes its call with it, in every phase and through every door.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::serve_support::{House, LONG, Version, house, open};

/// Sends a call, leaves in the middle of it, and says how long the gateway took to notice.
async fn leave<Io>(house: &mut House, io: Io, version: Version, model: &'static str) -> Duration
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let uri = format!("http://{}/v1/chat/completions", house.addr());
    let request = http::Request::post(uri).header("host", house.addr()).header("x-api-key", house.key.expose());
    let body = Full::new(Bytes::from(format!("{{\"model\":\"{model}\",\"stream\":true}}")));
    let request = request.body(body).expect("a request");
    let before = house.calls();
    let under_way = tokio::spawn(async move {
        let response = open(io, version, request).await.expect("an answer");
        let mut body = response.into_body();
        body.frame().await.expect("a first frame").expect("data");
        body
    });
    let gone = if model == "drip" {
        let body = timeout(LONG, under_way).await.expect("in time").expect("no panic");
        let gone = Instant::now();
        drop(body);
        gone
    } else {
        let reached = async {
            while house.calls() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, reached).await.expect("the call reaches the gateway");
        let gone = Instant::now();
        under_way.abort();
        gone
    };
    timeout(LONG, house.left.recv()).await.expect("the gateway notices").expect("a word");
    gone.elapsed()
}

/// A quiet machine takes a millisecond; the bound is for a busy one.
fn check(mut took: Vec<Duration>, what: &str) {
    took.sort();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    assert!(median < Duration::from_millis(100) && worst < Duration::from_secs(2), "{what}: {median:?}, {worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_client_is_noticed_before_the_first_byte_and_in_mid_stream_on_a_port() {
    let mut house = house();
    for version in [Version::One, Version::Two] {
        for model in ["wait", "drip"] {
            let mut took = Vec::new();
            for _ in 0..10 {
                let io = house.tcp().await;
                took.push(leave(&mut house, io, version, model).await);
            }
            check(took, &format!("{version:?} {model}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_client_is_noticed_on_the_socket_too() {
    let mut house = house();
    for version in [Version::One, Version::Two] {
        for model in ["wait", "drip"] {
            let mut took = Vec::new();
            for _ in 0..10 {
                let io = house.unix().await;
                took.push(leave(&mut house, io, version, model).await);
            }
            check(took, &format!("{version:?} {model}"));
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_uploads_takes_its_call_with_it() {
    use tokio::io::AsyncWriteExt;
    let mut house = house();
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: audio/wav\r\n\
         content-length: 300000\r\n\r\n",
        house.key.expose()
    );
    let mut client = house.tcp().await;
    client.write_all(head.as_bytes()).await.expect("sent");
    client.write_all(&[0; 100_000]).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    timeout(LONG, house.left.recv()).await.expect("the gateway notices").expect("a word");
}
