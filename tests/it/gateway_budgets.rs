//! Budgets on the request path: set aside before a call is sent, settled once, given back on every way out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use keywheel::accounts::{Credentials, Pool};
use keywheel::catalog::prices::Prices;
use keywheel::config::{self, Live};
use keywheel::gateway::budgets::Line;
use keywheel::gateway::{Gate, Gateway, Parts};
use keywheel::kit::{Clock, Money};
use keywheel::redact::Known;
use keywheel::sim::lab::Hint;
use keywheel::sim::{Lab, Persona, Script};
use keywheel::store::{Entry, Filter, Ledger, Memory, Outcome};
use keywheel::vault::Source;
use serde_json::{Value, json};

use crate::gateway::{call, error_of, header, read};

/// A dollar for a million tokens of input, ten for output; `open` does not say how long its answers get.
const PRICES: &str = "provider = \"lab\"\n\
    [[models]]\nid = \"m\"\ncontext = 10000\nmax_output = 1000\nrates = [{ input = \"1\", output = \"10\" }]\n\
    [[models]]\nid = \"open\"\ncontext = 10000\nrates = [{ input = \"1\", output = \"10\" }]\n";

struct Rig {
    lab: Lab,
    gateway: Gateway,
    ledger: Arc<Memory>,
}

impl Rig {
    async fn new(more: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let lab = Lab::start(Persona::Generic).expect("a lab");
        let keys: HashMap<_, _> = ["a", "b"].map(|id| (format!("KEY_{}", id.to_uppercase()), lab.key(id))).into();
        let account = |id: &str| {
            let variable = format!("KEY_{}", id.to_uppercase());
            format!("[[accounts]]\nid = \"{id}\"\nprovider = \"lab\"\nsecret = {{ env = \"{variable}\" }}\n")
        };
        let text = format!(
            "[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"m\"]\nask_usage = true\n{}{}{more}",
            lab.base_url(),
            account("a"),
            account("b")
        );
        let settings = config::parse(&text).expect("settings");
        let clock = Clock::system();
        let pool = Pool::new(clock.clone());
        pool.apply(&settings);
        let ledger = Arc::new(Memory::default());
        let gateway = Gateway::new(Parts {
            settings: Live::new(settings.clone()),
            clock: clock.clone(),
            pool,
            credentials: Credentials::new(Arc::new(Source::new(move |name| keys.get(name).cloned(), clock))),
            known: Arc::new(Known::default()),
            prices: Prices::load(&[("lab.toml", PRICES)]).expect("prices"),
            ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
            capture: keywheel::history::Capture::none(),
        });
        gateway.budget(&settings).await;
        Self { lab, gateway, ledger }
    }

    fn line(&self, name: &str) -> Line {
        self.gateway.budgets().into_iter().find(|line| &*line.name == name).expect("a budget")
    }

    /// Waits until the tokens that nobody told are counted.
    async fn counted(&self) {
        let gateway = self.gateway.clone();
        tokio::task::spawn_blocking(move || gateway.settle()).await.expect("it is counted");
    }

    fn newest(&self) -> Entry {
        self.ledger.list(&Filter::default()).expect("the ledger").remove(0)
    }

    /// Nothing is set aside any more, and what is spent is what the ledger says.
    fn assert_settled(&self, after: &str) {
        let entries = self.ledger.list(&Filter::default()).expect("the ledger");
        let total: Money = entries.iter().filter_map(|entry| entry.spend.cost).sum();
        let line = self.line("b");
        assert_eq!((line.spent, line.reserved), (total, Money::ZERO), "{after}");
    }
}

fn budget(limit: &str) -> String {
    format!("[budgets.b]\nlimit_usd = \"{limit}\"\nper = \"day\"\n")
}

fn chat(max_tokens: u64, stream: bool) -> String {
    json!({"model": "lab/m", "max_tokens": max_tokens, "stream": stream,
        "messages": [{"role": "user", "content": "hello there"}]})
    .to_string()
}

/// What a body of this length and an answer of so many tokens cost.
fn usd(input: u64, output: u64) -> Money {
    Money::from_pico(i128::from(input) * 1_000_000 + i128::from(output) * 10_000_000)
}

#[tokio::test]
async fn a_call_sets_aside_its_worst_case_and_is_charged_what_it_cost() {
    let rig = Rig::new(&budget("1")).await;
    rig.lab.on("a").then(Script::usual().after(Duration::from_millis(300)));
    let gateway = rig.gateway.clone();
    let running = tokio::spawn(async move { read(gateway.call(call(&chat(100, false))).await).await });
    rig.lab.wait_seen(1, Duration::from_secs(10)).await.expect("it is sent");
    let sent = rig.lab.seen()[0].body.len() as u64;
    assert_eq!(rig.line("b").reserved, usd(sent, 100), "the bytes that are sent, and the longest answer");
    let (status, _, body, _) = running.await.expect("an answer");
    let usage = &serde_json::from_slice::<Value>(&body).expect("JSON")["usage"];
    let told = |key: &str| usage[key].as_u64().expect("tokens");
    assert_eq!(status, 200);
    assert_eq!(rig.line("b").spent, usd(told("prompt_tokens"), told("completion_tokens")));
    rig.assert_settled("a whole answer");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_numbers_and_no_wait_and_is_never_sent() {
    let rig = Rig::new(&budget("0.002")).await;
    let (status, headers, body, _) = read(rig.gateway.call(call(&chat(500, true))).await).await;
    let error = error_of(&body);
    assert_eq!((status, error["code"].as_str()), (402, Some("budget_exceeded")), "{error}");
    assert_eq!(error["type"], "insufficient_quota", "SDKs neither try again nor ask for a key");
    for part in ["budget b", "$0.000000 of $0.002000", "$0.005", "resets at", "max_tokens"] {
        assert!(error["message"].as_str().expect("words").contains(part), "{part}: {error}");
    }
    assert!(header(&headers, "x-keywheel-reset-at").ends_with("T00:00:00.000Z"));
    assert_eq!((header(&headers, "retry-after"), rig.lab.seen().len()), ("", 0));
    let entry = rig.newest();
    assert_eq!((entry.outcome, entry.attempts.len(), entry.spend.cost), (Outcome::Failed, 0, None));
    assert!(entry.decisions[0].verdict.contains("budget b"), "{:?}", entry.decisions);
    rig.assert_settled("a refusal");
    assert_eq!(read(rig.gateway.call(call(&chat(100, true))).await).await.0, 200, "a shorter one fits");
}

#[tokio::test]
async fn what_is_set_aside_comes_back_on_every_way_out() {
    let rig = Rig::new(&budget("1")).await;
    let no = json!({"error": {"message": "no"}});
    let fails = [
        (Script::json(400, &no), 400),
        (Script::throttled(Hint::Seconds(0)), 200),
        (Script::reply(500, "text/plain", "oops"), 200),
        (Script::error_first(&no), 200),
    ];
    for (script, status) in fails {
        let words = format!("{script:?}");
        rig.lab.on_any().then(script);
        let got = read(rig.gateway.call(call(&chat(100, true))).await).await.0;
        assert_eq!(got, status, "{words}");
        rig.assert_settled(&words);
    }
    let before = rig.line("b").spent;

    // the client leaves before the answer begins: the provider may have billed it
    rig.lab.on_any().then(Script::usual().after(Duration::from_secs(30)));
    let seen = rig.lab.seen().len();
    let gateway = rig.gateway.clone();
    let leaver = tokio::spawn(async move { drop(gateway.call(call(&chat(100, true))).await) });
    rig.lab.wait_seen(seen + 1, Duration::from_secs(10)).await.expect("it is sent");
    leaver.abort();
    drop(leaver.await);
    rig.counted().await;
    let entry = rig.newest();
    let sent = rig.lab.seen().last().expect("a call").body.len() as u64;
    assert_eq!((entry.outcome, entry.spend.estimated), (Outcome::Left, true));
    let cost = entry.spend.cost.expect("a cost");
    assert!(cost > Money::ZERO && cost <= usd(sent, 100), "charged what was read, {cost}");
    rig.assert_settled("a client that left early");
    assert_eq!(rig.line("b").spent, before.saturating_add(cost));

    // the stream is cut, and the client leaves in the middle of one
    rig.lab.on_any().then(Script::chunks(20).cut(5));
    let (_, _, _, whole) = read(rig.gateway.call(call(&chat(100, true))).await).await;
    assert!(!whole);
    rig.counted().await;
    assert_eq!((rig.newest().outcome, rig.newest().spend.estimated), (Outcome::Broken, true));
    rig.assert_settled("a cut stream");
    rig.lab.on_any().then(Script::chunks(200).every(Duration::from_millis(20)));
    let mut answer = rig.gateway.call(call(&chat(100, true))).await;
    answer.body.next().await.expect("a first chunk").expect("whole");
    drop(answer);
    rig.counted().await;
    assert_eq!((rig.newest().outcome, rig.newest().spend.estimated), (Outcome::Left, true));
    rig.assert_settled("a client that left in the middle");
}

#[tokio::test]
async fn a_try_that_broke_off_stays_charged_beside_the_one_that_answered() {
    let rig = Rig::new(&budget("1")).await;
    rig.lab.on_any().then(Script::hang_up());
    let (status, headers, body, _) = read(rig.gateway.call(call(&chat(100, false))).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-attempts")), (200, "2"));
    let usage = &serde_json::from_slice::<Value>(&body).expect("JSON")["usage"];
    let known =
        usd(usage["prompt_tokens"].as_u64().expect("a count"), usage["completion_tokens"].as_u64().expect("one"));
    let sent = rig.lab.seen()[0].body.len() as u64;
    let entry = rig.newest();
    assert_eq!(entry.spend.cost, Some(known.saturating_add(usd(sent, 100))));
    assert!(entry.spend.estimated);
    rig.assert_settled("two tries");
}

#[tokio::test]
async fn nobody_knows_how_long_an_answer_gets_so_one_that_can_be_paid_is_asked_for() {
    let rig = Rig::new(&budget("0.02")).await;
    let body = json!({"model": "lab/open", "messages": [{"role": "user", "content": "hello there"}]}).to_string();
    let (status, headers, ..) = read(rig.gateway.call(call(&body)).await).await;
    let limit: u64 = header(&headers, "x-keywheel-max-tokens").parse().expect("a limit");
    let sent: Value = serde_json::from_slice(&rig.lab.seen()[0].body).expect("JSON");
    assert_eq!((status, sent["max_tokens"].as_u64()), (200, Some(limit)));
    assert!((1900..2000).contains(&limit), "{limit}");
    rig.assert_settled("a limited answer");
    // a model whose longest answer is known reserves that one, and is not limited
    let own = body.replace("lab/open", "lab/m");
    let (status, headers, ..) = read(rig.gateway.call(call(&own)).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-max-tokens")), (200, ""));
}

#[tokio::test]
async fn what_nobody_can_price_needs_the_owners_word_by_name() {
    let rig = Rig::new(&format!("{}allow_unpriced = [\"lab/free\"]\n", budget("1"))).await;
    for (model, status) in [("lab/unpriced", 402), ("lab/free", 200)] {
        let (got, _, body, _) = read(rig.gateway.call(call(&chat(10, false).replace("lab/m", model))).await).await;
        assert_eq!(got, status, "{model}: {}", String::from_utf8_lossy(&body));
        if got == 402 {
            let error = error_of(&body);
            assert_eq!(error["code"], "budget_unbounded");
            assert!(error["message"].as_str().is_some_and(|text| text.contains("no known price")), "{error}");
        }
        rig.assert_settled(model);
    }
    let searching = chat(10, false).replace("\"messages\"", "\"web_search_options\":{\"x\":1},\"messages\"");
    assert_eq!(read(rig.gateway.call(call(&searching)).await).await.0, 402);
}

#[tokio::test]
async fn a_budget_of_one_account_or_route_leaves_the_others_open() {
    let rig = Rig::new(&format!("{}account = \"a\"\n", budget("0"))).await;
    let (status, headers, ..) = read(rig.gateway.call(call(&chat(10, false))).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-account")), (200, "b"));
    assert_eq!(rig.lab.count("a"), 0);

    let chain = "[models.chain]\nroute = [\"lab/m\", \"sim/echo\"]\n";
    let rig = Rig::new(&format!("{chain}{}provider = \"lab\"\n", budget("0"))).await;
    let (status, headers, ..) = read(rig.gateway.call(call(&chat(10, false).replace("lab/m", "chain"))).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-provider")), (200, "sim"));
    assert_eq!(rig.lab.seen().len(), 0);
}

#[tokio::test]
async fn a_budget_that_is_spent_refuses_at_once_and_not_after_a_wait_for_an_account() {
    let rig = Rig::new(&format!("[parking]\nmax_wait = \"20s\"\nmax_parked = 9\n{}", budget("0"))).await;
    rig.lab.on_any().always(Script::throttled(Hint::Seconds(15)));
    let began = std::time::Instant::now();
    assert_eq!(read(rig.gateway.call(call(&chat(10, false))).await).await.0, 402);
    assert!(began.elapsed() < Duration::from_secs(5) && rig.lab.seen().is_empty());
    assert!(rig.newest().parked_us == 0);
}

#[tokio::test]
async fn a_soft_budget_warns_and_sends_calls_where_it_says() {
    let soft = format!("{}kind = \"soft\"\n", budget("0.0000001"));
    let rig = Rig::new(&soft).await;
    for (spent, warned) in [(false, ""), (true, "b: $0.00")] {
        let (status, headers, ..) = read(rig.gateway.call(call(&chat(100, false))).await).await;
        let told = header(&headers, "x-keywheel-budget");
        assert!(status == 200 && told.starts_with(warned) && told.is_empty() != spent, "{told:?}");
    }
    let rig = Rig::new(&format!("{soft}route = \"sim/echo\"\n")).await;
    let mut asked = Vec::new();
    for _ in 0..2 {
        let (_, headers, ..) = read(rig.gateway.call(call(&chat(100, false))).await).await;
        asked.push(header(&headers, "x-keywheel-provider").to_owned());
    }
    assert_eq!(asked, ["lab", "sim"]);
}
