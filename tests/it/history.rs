//! History behind a gateway without doors: a disk that is slow, full or gone costs no call a thing, and what comes out is
//! what went in, without secrets.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use keywheel::config::Live;
use keywheel::gateway::{Accounts, Gate};
use keywheel::history::{Capture, Disk, Folder, HistoryError, Keyed, Keys};
use keywheel::kit::seal::Key;
use keywheel::kit::{CallId, Clock};
use keywheel::redact::{Form, Known};
use keywheel::sim::Script;

use crate::e2e_rig::until;
use crate::gateway::{CHAT, Rig, STREAM, call, read};
use crate::metrics_page::read as read_page;
use crate::support::SOON;

/// Keys that a test holds.
struct Held(Mutex<Arc<Keyed>>);

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Self::fresh())))
    }

    fn fresh() -> Arc<Keyed> {
        let id = format!("{:032x}", keywheel::kit::seal::random::<8>().map_or(0, u64::from_le_bytes));
        Arc::new(Keyed { id, bodies: Key::random().expect("a key"), addresses: Key::random().expect("a key") })
    }
}

impl Keys for Held {
    fn now(&self) -> Result<Arc<Keyed>, String> {
        Ok(Arc::clone(&self.0.lock().unwrap()))
    }

    fn by_id(&self, id: &str) -> Result<Arc<Keyed>, String> {
        self.now().and_then(|keys| if keys.id == id { Ok(keys) } else { Err("another key".to_owned()) })
    }
}

/// A disk that takes its time or refuses.
struct Bad {
    open: Arc<AtomicBool>,
    tried: Arc<AtomicUsize>,
}

impl Disk for Bad {
    fn list(&mut self) -> io::Result<BTreeMap<CallId, u64>> {
        Ok(BTreeMap::new())
    }

    fn put(&mut self, _: CallId, _: &[u8]) -> io::Result<()> {
        self.tried.fetch_add(1, Ordering::SeqCst);
        while !self.open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    fn remove(&mut self, _: CallId) -> io::Result<()> {
        Ok(())
    }
}

fn capture(live: Live, known: Arc<Known>, keys: Arc<Held>, disk: impl Disk + 'static) -> Capture {
    Capture::start(live, keys, known, disk, Clock::system()).expect("a thread")
}

const ALL: &str = "[capture]\nmode = 'all'\n";

#[tokio::test]
async fn a_disk_that_hangs_and_then_is_full_delays_and_changes_no_call() {
    let (open, tried) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let disk = Bad { open: Arc::clone(&open), tried: Arc::clone(&tried) };
    let mut door = None;
    let rig = Rig::kept(&["a"], ALL, "", |live, known| {
        let capture = capture(live, known, Held::new(), disk);
        door = Some(capture.clone());
        capture
    });
    let door = door.expect("a history");
    let plain = Rig::new(&["a"], "");
    let words = |bytes: &[u8]| keywheel::wire::said("text/event-stream", bytes);
    let (_, _, expected, _) = read(plain.call(STREAM).await).await;
    let mut took = Vec::new();
    // more than the queue holds, while the disk hangs
    for _ in 0..1100 {
        let began = Instant::now();
        let (status, _, bytes, whole) = read(rig.call(STREAM).await).await;
        took.push(began.elapsed());
        assert!(
            (status, whole) == (200, true) && words(&bytes) == words(&expected),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(250), "the median took {:?}", took[took.len() / 2]);
    assert_eq!(tried.load(Ordering::SeqCst), 1, "the disk still hangs with the first");
    let standing = door.standing();
    assert!(standing.dropped >= 50, "{standing:?}");
    assert!(standing.last.is_some_and(|(_, why)| why.contains("slower than the calls")));
    let page = read_page(&rig.gateway.metrics(Accounts::Hidden).finish());
    assert_eq!(page.sum("keywheel_bodies_dropped_total", &[]), standing.dropped as f64, "and counted");
    open.store(true, Ordering::SeqCst);
    until("the full disk is told of", SOON, async || {
        door.standing().last.is_some_and(|(_, why)| why.contains("cannot be written"))
    })
    .await;
}

#[tokio::test]
async fn an_exchange_comes_out_as_it_went_in_and_opens_with_no_other_key_and_under_no_other_name() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Held::new());
    let place = folder.path().join("history");
    let mut door = None;
    let rig = Rig::kept(&["a"], ALL, "", |live, known| {
        let capture = capture(live, known, Arc::clone(&keys), Folder::at(place.clone()));
        door = Some(capture.clone());
        capture
    });
    rig.lab.on("a").then(Script::usual());
    let asked = call(CHAT);
    let id = asked.id;
    let (_, _, body, _) = read(keywheel::gateway::Gate::call(&rig.gateway, asked).await).await;
    door.expect("a history").flush();
    let shelf = Folder::at(place.clone());
    let exchange = shelf.exchange(id, &*keys).expect("readable").expect("kept");
    assert_eq!(exchange.request.body.text, CHAT);
    let answer = exchange.answer.expect("an answer");
    assert_eq!((answer.status, &answer.body.text), (200, &Bytes::from(body)));
    assert_eq!(exchange.attempts.len(), 1);
    assert!(private(&place) && private(&place.join(format!("{id}.sealed"))), "nobody else may look");

    let other = CallId::new();
    std::fs::copy(place.join(format!("{id}.sealed")), place.join(format!("{other}.sealed"))).unwrap();
    assert!(matches!(shelf.exchange(other, &*keys), Err(HistoryError::Damaged(_))));
    let mut bytes = std::fs::read(place.join(format!("{id}.sealed"))).unwrap();
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        std::fs::write(place.join(format!("{other}.sealed")), &bytes).unwrap();
        assert!(shelf.exchange(other, &*keys).is_err(), "byte {at} was changed");
        bytes[at] ^= 1;
    }
    *keys.0.lock().unwrap() = Held::fresh();
    assert!(matches!(shelf.exchange(id, &*keys), Err(HistoryError::NoKey(..))));
    assert!(matches!(shelf.exchange(CallId::new(), &*keys), Ok(None)));
}

fn private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 == 0)
}

#[test]
fn what_json_escapes_and_what_frames_cut_is_found_and_the_rest_stays_as_it_is() {
    let known = Known::default();
    let card = "4111 1111 1111 1111";
    let escaped: String = card.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let json = Bytes::from(format!(r#"{{"a":"pay \"{escaped}\" now","n":1e2, "b":"x\/y"}}"#));
    let kept = known.keep(&json, Form::Json);
    assert_eq!(kept.text, r#"{"a":"pay \"[redacted]\" now","n":1e2, "b":"x\/y"}"#);
    assert_eq!(kept.rules, ["card"]);

    let frame =
        |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let said = format!("pay {card} now, please");
    for cut in 1..said.len() {
        let (left, right) = said.split_at(cut);
        let stream = Bytes::from(frame(left) + ": ping\n\n" + &frame(right) + "data: [DONE]\n\n");
        let kept = known.keep(&stream, Form::Events);
        let words = keywheel::wire::said("text/event-stream", &kept.text).replace("[redacted][redacted]", "[redacted]");
        assert_eq!(words, "pay [redacted] now, please", "cut at {cut}");
        assert!(kept.text.ends_with(b"data: [DONE]\n\n"));
    }
    let clean = Bytes::from(frame("nothing") + &frame(" to see"));
    let kept = known.keep(&clean, Form::Events);
    assert!(kept.rules.is_empty() && kept.text == clean);
}
