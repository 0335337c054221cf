//! A program that hangs in place of a secret: it costs one call, however impatient, and the next ones pass it over.

use std::time::{Duration, Instant};

use keywheel::accounts::PROGRAM;
use keywheel::gateway::Gate;
use keywheel::wire::Call;

use crate::gateway::{CHAT, Rig, call, header, read};

const HANGS: &str = "[[accounts]]\nid = \"h\"\nprovider = \"lab\"\nsecret = { command = [\"sleep\", \"60\"] }\n";

#[tokio::test]
async fn an_impatient_call_learns_that_a_program_hangs_and_spares_the_next_ones() {
    let rig = Rig::new(&["a"], HANGS);
    let began = Instant::now();
    let hurried = Call { patience: Some(Duration::from_millis(100)), ..call(CHAT) };
    let (status, headers, ..) = read(rig.gateway.call(hurried).await).await;
    let took = began.elapsed();
    assert!(took >= PROGRAM, "{took:?}: the program was not waited for");
    assert_eq!((status, header(&headers, "x-keywheel-account")), (200, "a"));
    let row = rig.pool.rows().into_iter().find(|row| row.account.id == "h").expect("the account");
    assert!(row.reason.contains("gave no secret within 10s"), "{}", row.reason);
    let began = Instant::now();
    let (status, headers, ..) = read(rig.call(CHAT).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-attempts")), (200, "1"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
