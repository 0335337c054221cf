//! Uploads that fail on the client's side: its mistake, told as such, and nobody else's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use http_body_util::StreamBody;
use hyper::body::Frame;
use keywheel::config::{self, Live};
use keywheel::gateway::Gate;
use keywheel::kit::Clock;
use keywheel::operator::{Answering, Ask, Calling, Operator, Placed, Refusal};
use keywheel::serve::{Bounds, Doors, Front, KeyOptions, Keys, Serving};
use keywheel::wire::call::Upload;
use keywheel::wire::{Call, Endpoint, Payload};
use tokio::net::TcpStream;

use crate::matrix::{Got, Labs, OPENAI, Rig, call};
use crate::serve_support::{Version, exchange};

/// A file that fails after its first bytes, or does not.
fn upload(end: Option<io::ErrorKind>) -> Call {
    let first = stream::iter([Ok(Bytes::from_static(b"some bytes"))]);
    let bytes = Box::pin(first.chain(stream::iter(end.map(|kind| Err(kind.into())))));
    let payload = Payload::Upload(Upload { bytes, length: None });
    Call { payload, ..call(Endpoint::from_path("files"), r#"{"model":"openai/gpt-4o-mini"}"#) }
}

#[tokio::test]
async fn an_upload_that_fails_on_the_clients_side_is_its_mistake_and_nobody_elses() {
    let labs = Labs::start(OPENAI);
    let rig = Rig::new(&labs);
    for (kind, status, code) in [
        (io::ErrorKind::FileTooLarge, 413, "body_too_large"),
        (io::ErrorKind::TimedOut, 408, "invalid_request"),
        (io::ErrorKind::ConnectionReset, 400, "invalid_request"),
    ] {
        // five failures of the provider would open its breaker
        for _ in 0..6 {
            let got = Got::read(rig.gateway.call(upload(Some(kind))).await).await;
            assert_eq!((got.status, got.json()["error"]["code"].as_str()), (status, Some(code)), "{}", got.text());
            assert_eq!((got.header("x-keywheel-account"), got.header("x-keywheel-attempts")), ("a", "1"));
        }
    }
    assert_eq!(rig.ailing(), "");
    assert_eq!(Got::read(rig.gateway.call(upload(None)).await).await.status, 200);
    let seen = labs.seen();
    let last = seen.last().expect("the whole one");
    assert_eq!((last.key.as_str(), last.path_and_query.as_str()), ("a", "/v1/files"));
    assert_eq!(last.body, "some bytes");
}

#[tokio::test]
async fn an_upload_that_breaks_off_heals_no_account() {
    let labs = Labs::start(OPENAI);
    let rig = Rig::new(&labs);
    drop(labs.of("a").on("a").then(keywheel::sim::Script::bad_key()));
    assert_eq!(rig.chat(&OPENAI.chat()).await.header("x-keywheel-account"), "b");
    rig.clock.advance(Duration::from_secs(30 * 60));
    let broken = Got::read(rig.gateway.call(upload(Some(io::ErrorKind::TimedOut))).await).await;
    assert_eq!((broken.status, broken.header("x-keywheel-account")), (408, "a"), "a was due for a probe");
    assert_eq!(rig.ailing(), "a", "and still is");
    // another session, which is bound to nobody
    assert_eq!(rig.chat(&OPENAI.chat().replace("hello", "well")).await.header("x-keywheel-account"), "a");
    assert_eq!(rig.ailing(), "");
}

#[tokio::test]
async fn an_upload_that_was_not_begun_goes_to_the_next_account() {
    let labs = Labs::start(OPENAI);
    let rig = Rig::new(&labs);
    // the key of `a` cannot be had
    let broken = Rig::keyed(&labs, "", |name| (name != "a").then(|| labs.of(name).key(name)));
    let got = Got::read(broken.gateway.call(upload(None)).await).await;
    assert_eq!((got.status, got.header("x-keywheel-account")), (200, "b"), "{}", got.text());
    assert_eq!(labs.keys(), "b");
    // once bytes have gone out, nothing is tried again
    labs.reset();
    drop(labs.of("a").on("a").then(keywheel::sim::Script::bad_key()));
    let refused = Got::read(rig.gateway.call(upload(None)).await).await;
    assert_eq!((refused.status, labs.keys().as_str()), (403, "a"));
}

/// Refuses everything.
struct Nobody;

impl Operator for Nobody {
    fn ask(&self, _: Ask) -> Answering<'_> {
        Box::pin(async { Err(Refusal::new("nobody is here")) })
    }

    fn call(&self, _: Placed) -> Calling<'_> {
        Box::pin(async { Err(Refusal::new("nobody is here")) })
    }
}

/// A TCP door in front of a rig, with a client key.
struct Open {
    _home: tempfile::TempDir,
    _serving: Serving,
    addr: String,
    key: String,
}

fn open(rig: &Rig, bounds: Bounds) -> Open {
    let mut settings = config::parse("upload_limit = \"300 kB\"").expect("settings");
    settings.listen = vec![crate::serve_support::tcp()];
    let home = tempfile::tempdir().expect("a temporary folder");
    let doors = Doors::open(&settings, &home.path().join("keywheel.sock")).expect("open doors");
    let addr = doors.urls()[0].split("//").nth(1).expect("an address").to_owned();
    let keys = Arc::new(Keys::open(&home.path().join("clients.toml")).expect("an empty store"));
    let key = keys.add("tester", KeyOptions::default()).expect("a key").expose().to_owned();
    let gate: Arc<dyn Gate> = Arc::new(rig.gateway.clone());
    let front = Front::new(gate, Arc::new(Nobody), keys, Live::new(settings), Clock::system());
    Open { _home: home, _serving: doors.serve(front, bounds), addr, key }
}

impl Open {
    /// Sends a file in chunks, without a length.
    async fn send(&self, chunks: impl futures_util::Stream<Item = Bytes> + Send + 'static) -> (u16, String) {
        type Pieces = Pin<Box<dyn futures_util::Stream<Item = io::Result<Frame<Bytes>>> + Send>>;
        let pieces: Pieces = Box::pin(chunks.map(|bytes| Ok(Frame::data(bytes))));
        let request = http::Request::builder()
            .method(Method::POST)
            .uri("/v1/files")
            .header("host", &self.addr)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/octet-stream")
            .header("x-keywheel-model", "openai/gpt-4o-mini")
            .body(StreamBody::new(pieces))
            .expect("a request");
        let io = TcpStream::connect(&self.addr).await.expect("the door is open");
        let got = exchange(io, Version::One, request).await;
        (got.status, got.error()["code"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn a_streamed_upload_over_the_limit_or_one_that_stops_is_told_through_doors_gateway_and_lab() {
    let labs = Labs::start(OPENAI);
    let rig = Rig::new(&labs);
    let front = open(&rig, Bounds { body: Duration::from_millis(400), ..Bounds::default() });
    let piece = Bytes::from(vec![b'x'; 50_000]);
    let over = front.send(stream::iter(vec![piece.clone(); 20])).await;
    assert_eq!(over, (413, "body_too_large".to_owned()));
    let stops = stream::iter(vec![piece; 2]).chain(stream::pending());
    assert_eq!(front.send(stops).await, (408, "invalid_request".to_owned()));
    assert_eq!(rig.ailing(), "");
    assert!(labs.seen().iter().all(|seen| seen.key == "a" && seen.body.len() <= 300_000));
    assert_eq!(rig.chat(&OPENAI.chat()).await.header("x-keywheel-account"), "a");
}
