//! What must not take long: the second frame of a stream, and the end of a call whose client has left.
//!
//! Medians of many, with bounds that a busy machine keeps; a delayed acknowledgement would cost 40 ms each time.

use std::time::{Duration, Instant};

use keywheel::sim::{Persona, Script};
use serde_json::Value;

use crate::e2e_rig::{Rig, chat, median_and_worst, quiet, stream};
use crate::support::{Client, SOON};

const MODEL: &str = "lab/m";

fn rig() -> Rig {
    Rig::with(keywheel::sim::lab::Setup::new(Persona::Generic), &["a"], |config| config)
}

#[test]
fn two_frames_sent_half_a_millisecond_apart_arrive_together() {
    let _quiet = quiet();
    let rig = rig();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = rig.keywheel.client();
    let socket = Client::unix(rig.keywheel.socket());
    for (what, client) in [("port", port.clone()), ("port, HTTP/2", port.http2()), ("socket", socket)] {
        let apart = runtime.block_on(async {
            let mut apart = Vec::new();
            for _ in 0..30 {
                rig.lab.on("a").then(Script::chunks(4).every(Duration::from_micros(500)));
                let mut response = client.post("/v1/chat/completions", &stream(MODEL)).await;
                let first = response.frame().await.expect("a frame").at;
                let second = response.frame().await.expect("another frame").at;
                apart.push(second - first);
                response.bytes().await;
            }
            apart
        });
        let (median, worst) = median_and_worst(apart);
        eprintln!("{what}: the second frame came {median:?} after the first (median of 30), {worst:?} at worst");
        assert!(median < Duration::from_millis(20), "{what}: {median:?}, {worst:?}");
    }
}

/// Where the client is when it leaves.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    MidStream,
    BeforeTheFirstByte,
    Whole,
}

/// Sends a call, leaves, and says how long the lab took to see it.
async fn leave(rig: &Rig, client: &Client, leaving: Leaving) -> Duration {
    let before = rig.calls().iter().filter(|call| call.closed.is_some()).count();
    let script = match leaving {
        Leaving::MidStream => Script::chunks(9).hang(2),
        Leaving::BeforeTheFirstByte => Script::usual().after(SOON),
        Leaving::Whole => Script::usual().after(SOON),
    };
    rig.lab.on("a").then(script);
    let body: Value = if matches!(leaving, Leaving::Whole) { chat(MODEL) } else { stream(MODEL) };
    let left = if matches!(leaving, Leaving::MidStream) {
        let mut response = client.post("/v1/chat/completions", &body).await;
        response.frame().await.expect("a frame");
        response.frame().await.expect("another frame");
        let left = Instant::now();
        drop(response);
        left
    } else {
        let seen = rig.lab.seen().len();
        let asking = {
            let client = client.clone();
            tokio::spawn(async move { drop(client.post("/v1/chat/completions", &body).await) })
        };
        rig.lab.wait_seen(seen + 1, SOON).await.expect("the call reaches the lab");
        asking.abort();
        let left = Instant::now();
        drop(asking.await);
        left
    };
    let closed = rig.lab.wait_closed(before + 1, SOON).await.expect("the lab sees it closed");
    closed.iter().filter_map(|seen| seen.closed).max().expect("one").saturating_duration_since(left)
}

#[test]
fn the_lab_sees_at_once_that_the_client_has_left() {
    let _quiet = quiet();
    let rig = rig();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = rig.keywheel.client();
    let socket = Client::unix(rig.keywheel.socket());
    for (what, client) in [("port", port.clone()), ("port, HTTP/2", port.http2()), ("socket", socket)] {
        for leaving in [Leaving::MidStream, Leaving::BeforeTheFirstByte, Leaving::Whole] {
            let took = runtime.block_on(async {
                let mut took = Vec::new();
                for _ in 0..20 {
                    took.push(leave(&rig, &client, leaving).await);
                }
                took
            });
            let (median, worst) = median_and_worst(took);
            eprintln!("{what}, {leaving:?}: closed upstream {median:?} after (median of 20), {worst:?} at worst");
            assert!(
                median < Duration::from_millis(100) && worst < Duration::from_secs(2),
                "{what} {leaving:?}: {median:?} {worst:?}"
            );
        }
    }
    runtime.block_on(crate::e2e_rig::until("nothing is under way", SOON, async || rig.lab.in_flight() == 0));
    rig.assert_untouched("clients that left");
}

#[test]
fn a_client_that_leaves_while_it_waits_for_an_account_leaves_no_ghost() {
    let rig = Rig::with(keywheel::sim::lab::Setup::new(Persona::Generic), &["a"], |config| {
        config.account("limits = { concurrency = 1 }")
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        rig.lab.on("a").then(Script::chunks(9).hang(2));
        let mut first = rig.keywheel.client().post("/v1/chat/completions", &stream(MODEL)).await;
        first.frame().await.expect("a frame");
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let client = rig.keywheel.client();
                tokio::spawn(async move { drop(client.post("/v1/chat/completions", &stream(MODEL)).await) })
            })
            .collect();
        let parked = |n: u64| {
            let rig = &rig;
            async move {
                crate::e2e_rig::until("so many wait", SOON, async || {
                    crate::e2e_rig::json_lines(&rig.keywheel.run(["status", "--json"]))[0]["parked"] == n
                })
                .await;
            }
        };
        parked(5).await;
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        parked(0).await;
        drop(first);
        let next = rig.keywheel.client().post("/v1/chat/completions", &chat(MODEL)).await;
        assert_eq!(next.status, 200);
        assert_eq!(rig.calls().len(), 2, "those that left were never sent");
    });
}
