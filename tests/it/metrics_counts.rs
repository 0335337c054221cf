//! What the page of counters tells of the gateway's own part in a call, of budgets, and of bodies that were not kept.

use std::sync::Arc;
use std::time::Duration;

use keywheel::gateway::{Accounts, Gate};
use keywheel::kit::{Money, Time};
use keywheel::sim::Script;
use keywheel::store::{By, Counting, Durable, Entry, Filter, Ledger, LedgerError, Over, Span, Total};
use keywheel::{config, history};

use crate::gateway::{CHAT, Rig, STREAM, read as body};
use crate::metrics_page::{Read, read};

const OVERHEAD: &str = "keywheel_overhead_seconds_sum";

fn page(rig: &Rig) -> Read {
    read(&rig.gateway.metrics(Accounts::Shown).finish())
}

/// A ledger whose commits take their time.
struct Slow(Arc<dyn Ledger>, Duration);

impl Ledger for Slow {
    fn record(&self, entry: Entry) -> Durable {
        let (durable, wait) = (self.0.record(entry), self.1);
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            durable.await;
        })
    }

    fn spent(&self, over: Over) -> Counting {
        self.0.spent(over)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
        self.0.list(filter)
    }

    fn find(&self, prefix: &str) -> Result<Option<Entry>, LedgerError> {
        self.0.find(prefix)
    }

    fn totals(&self, by: &[By], span: Span) -> Result<Vec<Total>, LedgerError> {
        self.0.totals(by, span)
    }

    fn keep(&self, keep: config::Keep) {
        self.0.keep(keep);
    }

    fn flush(&self) {
        self.0.flush();
    }
}

fn none(_: config::Live, _: Arc<keywheel::redact::Known>) -> history::Capture {
    history::Capture::none()
}

#[tokio::test]
async fn what_is_held_back_of_an_answer_until_it_is_recorded_is_the_gateways_own() {
    let wait = Duration::from_millis(300);
    for (text, script) in [(STREAM, Script::chunks(10).every(Duration::from_millis(40))), (CHAT, Script::usual())] {
        let rig = Rig::booked(&["a"], "", "", none, |ledger| Arc::new(Slow(ledger, wait)));
        rig.lab.on("a").then(script);
        assert_eq!(body(rig.call(text).await).await.0, 200);
        let overhead = page(&rig).sum(OVERHEAD, &[("provider", "lab")]);
        assert!((0.3..0.6).contains(&overhead), "{overhead} s: the wait for the record and not for the model");
        assert_eq!(page(&rig).sum("keywheel_overhead_seconds_count", &[]), 1.0);
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_no_overhead_of_the_gateway() {
    let rig = Rig::new(&["a"], "");
    rig.lab.on("a").then(Script::chunks(5));
    let mut answer = rig.call(STREAM).await;
    let mut pieces = 0;
    while let Some(piece) = futures_util::StreamExt::next(&mut answer.body).await {
        assert!(piece.is_ok());
        pieces += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    drop(answer);
    let overhead = page(&rig).sum(OVERHEAD, &[]);
    assert!(pieces > 0 && overhead < 0.25, "{overhead} s over {pieces} pieces");
}

#[tokio::test]
async fn calls_that_fail_or_are_left_are_counted_once_too() {
    let rig = Rig::new(&["a"], "");
    rig.lab.on("a").then(Script::reply(400, "application/json", "{\"error\":{\"message\":\"no\"}}"));
    assert_eq!(body(rig.call(CHAT).await).await.0, 400);
    rig.lab.on("a").then(Script::chunks(20).every(Duration::from_millis(20)));
    let mut left = rig.call(STREAM).await;
    drop(futures_util::StreamExt::next(&mut left.body).await);
    drop(left);
    assert_eq!(page(&rig).sum("keywheel_overhead_seconds_count", &[]), 2.0);
}

const BUDGETS: &str = "[budgets.team]\nlimit_usd = '0.50'\nper = 'day'\neach = 'client'\n\
    [budgets.soft]\nlimit_usd = '2'\nper = 'total'\nkind = 'soft'\n";

#[tokio::test]
async fn budgets_are_told_by_name_and_never_by_what_they_count_apart() {
    let rig = Rig::new(&["a"], BUDGETS);
    let entry = |client: usize, cost: &str| {
        let mut entry = Entry { client: format!("c{client}"), at: now(), ..crate::store::entry() };
        entry.spend.cost = Some(Money::parse(cost).expect("an amount"));
        entry
    };
    for (client, cost) in (0..200).map(|client| (client, "0.001")).chain([(3, "0.25"), (4, "0.1")]) {
        drop(rig.ledger.record(entry(client, cost)));
    }
    let settings = config::parse(BUDGETS).expect("settings");
    rig.gateway.budget(&settings).await;
    let told = page(&rig);
    let of = |told: &Read, name: &str, budget: &str| told.sum(name, &[("budget", budget)]);
    assert_eq!(of(&told, "keywheel_budget_spent_usd", "team"), 0.251, "of the client that has spent most");
    assert_eq!(of(&told, "keywheel_budget_spent_usd", "soft"), 0.55, "of all");
    assert_eq!(of(&told, "keywheel_budget_limit_usd", "team"), 0.5);
    assert_eq!(told.sum("keywheel_budget_limit_usd", &[("kind", "soft"), ("per", "total")]), 2.0);
    assert_eq!(told.samples.iter().filter(|(name, ..)| name.starts_with("keywheel_budget_spent")).count(), 2);
    // what has no price has no worst case: a hard budget refuses it
    let refused = rig.call(CHAT).await;
    assert_eq!(body(refused).await.0, 402);
    let told = page(&rig);
    assert_eq!(of(&told, "keywheel_budget_refusals_total", "team"), 1.0);
    assert_eq!(of(&told, "keywheel_budget_refusals_total", "soft"), 0.0);
    let public = read(&rig.gateway.metrics(Accounts::Hidden).finish());
    assert_eq!(public.sum("keywheel_budget_limit_usd", &[]), 0.0, "amounts are not told to everybody");
}

fn now() -> Time {
    keywheel::kit::Clock::system().now()
}
