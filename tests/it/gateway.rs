//! The request path against a lab behind real sockets, without doors: what is sent, what comes back, what is decided.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use keywheel::accounts::{Credentials, Pool, Standing};
use keywheel::catalog::prices::Prices;
use keywheel::config::{self, Live};
use keywheel::gateway::{Answer, Gate, Gateway, Parts};
use keywheel::kit::{CallId, Clock};
use keywheel::redact::Known;
use keywheel::sim::lab::Hint;
use keywheel::sim::{Lab, Persona, Script};
use keywheel::store::{Filter, Ledger, Memory, Outcome};
use keywheel::vault::Source;
use keywheel::wire::{Call, Caller, Endpoint, Json, Payload};
use serde_json::{Value, json};

/// A gateway with accounts `a`, `b`, … at one lab.
pub struct Rig {
    pub lab: Lab,
    pub gateway: Gateway,
    pub pool: Arc<Pool>,
    pub ledger: Arc<Memory>,
}

pub const CHAT: &str = r#"{"model":"lab/m","messages":[{"role":"user","content":"hello there"}]}"#;
pub const STREAM: &str = r#"{"model":"lab/m","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;

impl Rig {
    pub fn new(accounts: &[&str], more: &str) -> Self {
        Self::limited(accounts, more, "")
    }

    /// Every account gets these lines too.
    pub fn limited(accounts: &[&str], more: &str, limits: &str) -> Self {
        Self::kept(accounts, more, limits, |_, _| keywheel::history::Capture::none())
    }

    /// With a history.
    pub fn kept(
        accounts: &[&str],
        more: &str,
        limits: &str,
        capture: impl FnOnce(Live, Arc<Known>) -> keywheel::history::Capture,
    ) -> Self {
        Self::booked(accounts, more, limits, capture, |ledger| ledger)
    }

    /// With a ledger of another kind before the one that is read.
    pub fn booked(
        accounts: &[&str],
        more: &str,
        limits: &str,
        capture: impl FnOnce(Live, Arc<Known>) -> keywheel::history::Capture,
        ledger_before: impl FnOnce(Arc<dyn Ledger>) -> Arc<dyn Ledger>,
    ) -> Self {
        // whichever test comes first chooses; all choose the same
        drop(rustls::crypto::ring::default_provider().install_default());
        let lab = Lab::start(Persona::Generic).expect("a lab");
        let keys: HashMap<String, String> =
            accounts.iter().map(|id| (format!("KEY_{}", id.to_uppercase()), lab.key(id))).collect();
        let mut text = format!(
            "{more}\n[providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"m\"]\n",
            lab.base_url()
        );
        for id in accounts {
            let upper = id.to_uppercase();
            text += &format!(
                "[[accounts]]\nid = \"{id}\"\nprovider = \"lab\"\nsecret = {{ env = \"KEY_{upper}\" }}\n{limits}\n"
            );
        }
        let settings = config::parse(&text).expect("settings");
        let clock = Clock::system();
        let pool = Pool::new(clock.clone());
        pool.apply(&settings);
        let ledger = Arc::new(Memory::default());
        let (settings, known) = (Live::new(settings), Arc::new(Known::default()));
        let capture = capture(settings.clone(), Arc::clone(&known));
        let gateway = Gateway::new(Parts {
            settings,
            clock: clock.clone(),
            pool: Arc::clone(&pool),
            credentials: Credentials::new(Arc::new(Source::new(move |name| keys.get(name).cloned(), clock))),
            known,
            prices: Prices::shipped().expect("prices"),
            ledger: ledger_before(Arc::clone(&ledger) as Arc<dyn Ledger>),
            capture,
        });
        Self { lab, gateway, pool, ledger }
    }

    pub async fn call(&self, body: &str) -> Answer {
        self.gateway.call(call(body)).await
    }

    pub fn keys_seen(&self) -> Vec<String> {
        self.lab.seen().into_iter().map(|seen| seen.key).collect()
    }

    pub fn all_ready(&self) -> bool {
        self.pool.rows().iter().all(|row| row.standing == Standing::Ready && row.reason.is_empty() && row.busy == 0)
    }
}

pub fn call(body: &str) -> Call {
    let json = Json::parse(Bytes::from(body.to_owned())).expect("an object");
    Call {
        id: CallId::new(),
        at: Clock::system().now(),
        endpoint: Endpoint::Chat,
        method: Method::POST,
        query: None,
        headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().expect("a value"))]),
        model: json.str("model"),
        stream: json.is_true("stream"),
        caller: Arc::new(Caller { name: "tester".to_owned(), models: Vec::new(), hide_account: false }),
        patience: None,
        payload: Payload::Json(json),
    }
}

/// All bytes of an answer, and whether it ended as a whole one does.
pub async fn read(answer: Answer) -> (u16, HeaderMap, Vec<u8>, bool) {
    let (mut bytes, mut whole, mut body) = (Vec::new(), true, answer.body);
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(_) => whole = false,
        }
    }
    (answer.status.as_u16(), answer.headers, bytes, whole)
}

pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub fn error_of(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).expect("JSON")["error"].take()
}

#[tokio::test]
async fn the_first_account_is_throttled_and_the_second_answers() {
    let rig = Rig::new(&["a", "b"], "");
    rig.lab.on("a").always(Script::throttled(Hint::Seconds(20)));
    let began = Instant::now();
    let (status, headers, _, whole) = read(rig.call(CHAT).await).await;
    assert!(status == 200 && whole && began.elapsed() < Duration::from_secs(2));
    assert_eq!(rig.keys_seen(), ["a", "b"]);
    assert_eq!((header(&headers, "x-keywheel-account"), header(&headers, "x-keywheel-attempts")), ("b", "2"));
    let entry = rig.ledger.list(&Filter::default()).expect("the ledger").remove(0);
    assert_eq!((entry.outcome, entry.attempts.len()), (Outcome::Completed, 2));
    assert_eq!(entry.attempts[0].fault.as_deref(), Some("rate_limit_exceeded"));
}

#[tokio::test]
async fn the_clients_mistake_is_told_and_neither_punished_nor_rotated() {
    let rig = Rig::new(&["a", "b"], "");
    let said = json!({"error": {"message": "bad field", "type": "invalid_request_error", "param": "x", "code": null}});
    rig.lab.on("a").then(Script::json(400, &said));
    let (status, _, body, _) = read(rig.call(CHAT).await).await;
    assert_eq!((status, serde_json::from_slice::<Value>(&body).expect("JSON")), (400, said));
    assert_eq!(rig.keys_seen(), ["a"]);
    assert!(rig.all_ready());
}

#[tokio::test]
async fn only_the_spliced_fields_change_on_the_way_up() {
    let rig = Rig::new(&["a"], "");
    let odd = "{ \"x_unknown\" :\t1.10e5 ,\n \"model\":\"lab/m\",\"big\": 123456789012345678901234567890, \"messages\" : [ {\"role\":\"user\",\"content\":\"\\u00e9\"} ] ,\"n\":1.0}";
    assert_eq!(read(rig.call(odd).await).await.0, 200);
    assert_eq!(rig.lab.seen()[0].body, odd.replace("lab/m", "m"));
    let large = CHAT.replace("hello there", &"lorem ipsum ".repeat(17_000));
    assert_eq!(read(rig.call(&large).await).await.0, 200);
    assert_eq!(rig.lab.seen()[1].body, large.replace("lab/m", "m"));
}

#[tokio::test]
async fn an_error_inside_a_200_may_still_fail_over() {
    let error = json!({"error": {"message": "Overloaded, slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}});
    for (script, body) in
        [(Script::error_first(&error), STREAM), (Script::json(200, &error), STREAM), (Script::json(200, &error), CHAT)]
    {
        let rig = Rig::new(&["a", "b"], "");
        rig.lab.on("a").then(script);
        let (status, headers, body, whole) = read(rig.call(body).await).await;
        assert!(status == 200 && whole, "{}", String::from_utf8_lossy(&body));
        assert_eq!(header(&headers, "x-keywheel-account"), "b");
        assert!(!String::from_utf8_lossy(&body).contains("Overloaded"));
    }
}

#[tokio::test]
async fn a_failing_provider_is_tried_once_more_then_the_next_account_and_route() {
    let rig = Rig::new(&["a", "b"], "[models.chain]\nroute = [\"lab/m\", \"sim/echo\"]\n");
    rig.lab.on_any().always(Script::reply(500, "text/plain", "oops"));
    let (status, headers, ..) = read(rig.call(&CHAT.replace("lab/m", "chain")).await).await;
    assert_eq!((status, header(&headers, "x-keywheel-provider")), (200, "sim"));
    assert_eq!(rig.keys_seen(), ["a", "a", "b"]);
    assert!(rig.all_ready(), "a provider's failure benches no account");
}

#[tokio::test]
async fn a_rejected_key_is_never_shown_and_the_next_account_answers() {
    let rig = Rig::new(&["a", "b"], "");
    let key = rig.lab.key("a");
    let echo = format!("Incorrect API key provided: {key}");
    let said =
        json!({"error": {"message": echo, "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}});
    rig.lab.on_any().always(Script::json(401, &said));
    let (status, headers, body, _) = read(rig.call(CHAT).await).await;
    assert_eq!(status, 403, "{}", String::from_utf8_lossy(&body));
    assert_eq!(rig.keys_seen(), ["a", "b"]);
    let told = format!("{headers:?} {} {:?}", String::from_utf8_lossy(&body), rig.ledger.list(&Filter::default()));
    assert!(!told.contains(&key), "{told}");
    let lab = rig.pool.rows().into_iter().filter(|row| row.account.provider == "lab");
    assert!(lab.into_iter().all(|row| row.standing == Standing::Cooling && !row.reason.contains(&key)));
}

#[tokio::test]
async fn the_only_account_rests_and_the_call_waits_for_it() {
    let rig = Rig::new(&["a"], "");
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(1)));
    let began = Instant::now();
    let (status, headers, ..) = read(rig.call(CHAT).await).await;
    assert_eq!(status, 200);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(header(&headers, "x-keywheel-parked-ms").parse::<u64>().is_ok_and(|ms| ms >= 900));
}

#[tokio::test]
async fn a_rest_longer_than_the_wait_is_told_at_once_with_its_end() {
    let rig = Rig::new(&["a"], "[parking]\nmax_wait = \"2s\"\nmax_parked = 10\n");
    rig.lab.on("a").always(Script::throttled(Hint::Seconds(90)));
    let began = Instant::now();
    let (status, headers, body, _) = read(rig.call(CHAT).await).await;
    assert!(status == 429 && began.elapsed() < Duration::from_secs(2));
    assert_eq!(header(&headers, "retry-after"), "60", "never over 60, some clients give up");
    assert!(header(&headers, "x-keywheel-reset-at").ends_with('Z'));
    assert!(error_of(&body)["message"].as_str().is_some_and(|text| text.contains("a: ")));
    assert_eq!(rig.keys_seen(), ["a"]);
    // while it rests, nobody asks again
    assert_eq!(read(rig.call(CHAT).await).await.0, 429);
    assert_eq!(rig.keys_seen(), ["a"]);
}

#[tokio::test]
async fn those_who_wait_are_released_in_order_and_not_as_a_herd() {
    let rig = Arc::new(Rig::limited(&["a"], "", "limits = { concurrency = 1 }"));
    rig.lab.on("a").then(Script::throttled(Hint::Seconds(2)));
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..20 {
        let own = Arc::clone(&rig);
        calls.spawn(async move { (n, read(own.call(&CHAT.replace("hello there", &n.to_string())).await).await.0) });
        // each is in line before the next one comes
        while rig.gateway.parked() <= n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let statuses: Vec<_> = calls.join_all().await.into_iter().map(|(_, status)| status).collect();
    assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
    assert_eq!(rig.lab.count("a"), 21, "one was throttled, none asked in vain");
    let order: Vec<_> = rig.lab.seen().iter().skip(1).map(|seen| seen.body.clone()).collect();
    let expected: Vec<_> = (0..20).map(|n| CHAT.replace("hello there", &n.to_string()).replace("lab/m", "m")).collect();
    assert_eq!(order, expected);
    assert_eq!(rig.gateway.parked(), 0);
}

#[tokio::test]
async fn nobody_answers_at_the_address_and_no_account_is_benched() {
    let rig = Rig::new(&["a", "b"], "");
    let gone = Rig::new(&["a", "b"], "");
    let address = gone.lab.addr();
    drop(gone);
    let text = format!(
        "[providers.lab]\nadapter = \"openai\"\nbase_url = \"http://{address}/v1\"\nmodels = [\"m\"]\n[[accounts]]\nid = \"a\"\nprovider = \"lab\"\nsecret = {{ env = \"KEY_A\" }}\n"
    );
    let settings = config::parse(&text).expect("settings");
    rig.pool.apply(&settings);
    let clock = Clock::system();
    let gateway = Gateway::new(Parts {
        settings: Live::new(settings),
        clock: clock.clone(),
        pool: Arc::clone(&rig.pool),
        credentials: Credentials::new(Arc::new(Source::new(|_| Some("a-secret-value".to_owned()), clock))),
        known: Arc::new(Known::default()),
        prices: Prices::shipped().expect("prices"),
        ledger: Arc::new(Memory::default()),
        capture: keywheel::history::Capture::none(),
    });
    let (status, _, body, _) = read(gateway.call(call(CHAT)).await).await;
    let error = error_of(&body);
    assert_eq!((status, error["code"].as_str()), (502, Some("upstream_unreachable")), "{error}");
    assert!(rig.all_ready());
}

#[tokio::test]
async fn names_are_routed_or_refused_with_what_to_do() {
    let rig = Rig::new(&["a"], "");
    for (name, status, words) in [
        ("m", 200, ""),
        ("unknown-model", 200, ""),
        ("deepseek/x", 404, "keywheel account add NAME --provider deepseek"),
        ("sim/echo", 200, ""),
    ] {
        let (got, headers, body, _) = read(rig.call(&CHAT.replace("lab/m", name)).await).await;
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(got == status && text.contains(words), "{name}: {got} {text} {headers:?}");
    }
    assert_eq!(rig.lab.count("a"), 2, "bare names go to the only provider, unknown ones too");
    let mut narrow = call(CHAT);
    narrow.caller = Arc::new(Caller {
        name: "n".to_owned(),
        models: vec![wildmatch::WildMatch::new("deepseek/*")],
        hide_account: true,
    });
    let (status, _, body, _) = read(rig.gateway.call(narrow).await).await;
    assert_eq!(status, 403, "{}", String::from_utf8_lossy(&body));
}
