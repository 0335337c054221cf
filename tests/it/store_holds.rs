//! What calls under way may cost: durable before they are sent, gone with their entry, found after a crash.

use std::path::Path;

use keywheel::kit::{CallId, Money, Time};
use keywheel::store::{Entry, Hold, Ledger, Outcome, Over, Sqlite};

use crate::store::{entry, full_entry};

pub(crate) fn hold(cost: i128) -> Hold {
    Hold {
        at: Time::from_micros(1_795_000_000_000_000),
        client: "laptop".to_owned(),
        endpoint: "chat/completions".to_owned(),
        asked: "fast".to_owned(),
        provider: "lab".to_owned(),
        account: "a".to_owned(),
        model: "m".to_owned(),
        stream: true,
        bytes_in: 77,
        project: Some("keys".to_owned()),
        session_id: None,
        run_id: None,
        parent_id: Some(CallId::new().to_string()),
        cost: Money::from_pico(cost),
    }
}

fn open(home: &Path) -> Sqlite {
    Sqlite::open(&home.join("ledger.sqlite")).unwrap()
}

#[tokio::test]
async fn a_hold_outlives_the_process_until_the_calls_entry_comes() {
    let home = tempfile::tempdir().unwrap();
    let (kept, settled) = (CallId::new(), full_entry());
    let ledger = open(home.path());
    assert!(ledger.hold(kept, hold(5)).await && ledger.hold(settled.id, hold(6)).await);
    assert!(ledger.hold(kept, hold(7)).await, "a later one goes over it");
    ledger.settle(settled.clone()).await;
    drop(ledger);

    let ledger = open(home.path());
    let holds = ledger.holds().unwrap();
    assert_eq!(holds.len(), 1);
    let (id, hold) = holds.into_iter().next().unwrap();
    assert_eq!((id, hold.cost), (kept, Money::from_pico(7)));
    let interrupted = hold.interrupted(id);
    assert_eq!((interrupted.outcome, interrupted.spend.estimated), (Outcome::Interrupted, true));
    ledger.settle(interrupted.clone()).await;
    assert_eq!(ledger.holds().unwrap(), []);
    assert_eq!(ledger.find(&kept.to_string()).unwrap(), Some(interrupted));
}

#[tokio::test]
async fn a_count_holds_what_was_queued_before_it_and_nothing_behind_it() {
    let home = tempfile::tempdir().unwrap();
    let ledger = open(home.path());
    let costing = |pico: i128| {
        let mut entry = Entry { id: CallId::new(), ..full_entry() };
        entry.spend.cost = Some(Money::from_pico(pico));
        entry
    };
    let since = full_entry().at;
    let old = Entry { at: Time::from_micros(since.as_micros() - 1), ..costing(1000) };
    let mut counts = Vec::new();
    for pico in [old, costing(1), costing(2), Entry { id: CallId::new(), ..entry() }] {
        drop(ledger.record(pico));
        counts.push(ledger.spent(Over::Since(Some(since))));
    }
    drop(ledger.hold(CallId::new(), hold(5)));
    // over nine dollars at once, as integers
    drop(ledger.record(costing(9_000_000_000_000_000_000)));
    drop(ledger.record(costing(9_000_000_000_000_000_000)));
    counts.push(ledger.spent(Over::Since(Some(since))));
    let mut sums = Vec::new();
    for count in counts {
        sums.push(count.await.unwrap().iter().map(|spent| spent.cost.pico()).sum::<i128>());
    }
    assert_eq!(sums, [0, 1, 3, 3, 18_000_000_000_000_000_003]);
    let spent = ledger.spent(Over::Since(Some(since))).await.unwrap();
    assert_eq!(spent.len(), 1, "calls of one kind are one row: {spent:?}");
    assert_eq!((spent[0].client.as_str(), spent[0].account.as_deref()), ("laptop", Some("lab-b")));
}

#[tokio::test]
async fn a_ledger_from_before_holds_takes_them_and_calls_that_were_interrupted_and_no_other_words() {
    let home = tempfile::tempdir().unwrap();
    drop(open(home.path()));
    let path = home.path().join("ledger.sqlite");
    // as the fourth step left it
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE holds; DROP TABLE spools; DROP TABLE gone; PRAGMA user_version = 4").unwrap();
    drop(other);
    let ledger = open(home.path());
    let id = CallId::new();
    assert!(ledger.hold(id, hold(1)).await);
    assert_eq!(ledger.holds().unwrap().len(), 1);
    ledger.settle(hold(1).interrupted(id)).await;
    assert_eq!(ledger.find(&id.to_string()).unwrap().unwrap().outcome, Outcome::Interrupted);
    drop(ledger);
    let other = rusqlite::Connection::open(&path).unwrap();
    assert!(other.execute("UPDATE calls SET outcome = 'nonsense'", []).is_err());
}
