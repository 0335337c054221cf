//! Decisions about accounts, on a clock that is moved by hand and without sockets.

use std::sync::Arc;
use std::time::Duration;

use keywheel::accounts::{Lease, Need, NotBefore, Pool, Standing, Wanted};
use keywheel::catalog::Grant;
use keywheel::config::{Account, Limits, Oauth, SecretSource, Strategy};
use keywheel::kit::fault::Scope;
use keywheel::kit::{Clock, Fault, Kind, Time};

const START: Time = Time::from_micros(1_800_000_000_000_000);

pub fn account(id: &str) -> Account {
    Account {
        id: id.to_owned(),
        provider: "lab".to_owned(),
        secret: SecretSource::None,
        oauth: None,
        base_url: None,
        quota_group: None,
        tags: Vec::new(),
        priority: 0,
        weight: 1,
        limits: Limits::default(),
        proxy: None,
        models: Vec::new(),
        disabled: false,
        origin: "test".to_owned(),
    }
}

struct Bench {
    clock: Clock,
    pool: Arc<Pool>,
}

impl Bench {
    fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let clock = Clock::manual(START);
        let pool = Pool::new(clock.clone());
        let bench = Self { clock, pool };
        bench.apply(accounts);
        bench
    }

    fn apply(&self, accounts: impl IntoIterator<Item = Account>) {
        let mut settings = keywheel::config::parse("").expect("the built-in settings");
        settings.accounts = accounts.into_iter().map(Arc::new).collect();
        self.pool.apply(&settings);
    }

    fn lease(&self, model: &str) -> Result<Lease, NotBefore> {
        self.pool.try_lease(wanted(model))
    }

    /// Takes a lease and fails it; returns the account's id.
    fn fail(&self, model: &str, kind: Kind) -> String {
        let lease = self.lease(model).expect("an account");
        lease.failed(&Fault::new(kind, "told so"));
        lease.account().id.clone()
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn standing(&self, at: usize) -> Standing {
        self.pool.rows()[at].standing
    }
}

fn wanted(model: &str) -> Wanted<'_> {
    Wanted { provider: "lab", model, strategy: Strategy::FillFirst, affinity: None, ..Wanted::default() }
}

fn throttled(after: u64) -> Kind {
    Kind::Throttled(Some(Duration::from_secs(after)), Scope::Model)
}

#[test]
fn a_hint_is_honoured_to_the_tick_and_then_one_call_probes() {
    let bench = Bench::new([account("a")]);
    bench.fail("m", throttled(2));
    let not = bench.lease("m").err().expect("it rests");
    assert_eq!(not.at, Some(START.after(Duration::from_secs(2))));
    bench.pass(Duration::from_micros(1_999_999));
    assert!(bench.lease("m").is_err(), "a microsecond too early");
    bench.pass(Duration::from_micros(1));
    let probe = bench.lease("m").expect("the probe");
    assert!(bench.lease("m").err().expect("only one probe").busy);
    probe.succeeded();
    drop(probe);
    assert!(bench.lease("m").is_ok() && bench.lease("m").is_ok(), "healed");
}

#[test]
fn a_probe_that_ends_without_a_verdict_lets_another_probe() {
    let bench = Bench::new([account("a")]);
    bench.fail("m", throttled(2));
    bench.pass(Duration::from_secs(2));
    drop(bench.lease("m").expect("the probe"));
    assert!(bench.lease("m").is_ok());
}

#[test]
fn a_probe_keeps_to_the_pace_that_the_refusal_taught() {
    let bench = Bench::new([account("a")]);
    for _ in 0..10 {
        drop(bench.lease("m").expect("nothing stands in its way"));
        bench.pass(Duration::from_millis(100));
    }
    bench.fail("m", throttled(2));
    bench.pass(Duration::from_secs(2));
    let not = bench.lease("m").err().expect("ten calls in ten seconds, and all of them were within the last three");
    assert!(!not.busy && not.at > Some(bench.clock.now()), "one who waits is told until when: {not:?}");
    bench.pass(not.at.expect("a time").since(bench.clock.now()));
    assert!(bench.lease("m").is_ok(), "the probe");
}

#[test]
fn an_absurd_hint_is_clamped_to_an_hour() {
    let bench = Bench::new([account("a")]);
    bench.fail("m", throttled(18 * 24 * 3600));
    let not = bench.lease("m").err().expect("it rests");
    assert_eq!(not.at, Some(START.after(Duration::from_secs(3600))));
    bench.pass(Duration::from_secs(3600));
    assert!(bench.lease("m").is_ok(), "half-open after the clamp");
}

#[test]
fn fifty_calls_that_fail_together_advance_the_ladder_once() {
    let bench = Bench::new([account("a")]);
    for expected in [1, 2, 4, 8] {
        let leases: Vec<_> = std::iter::from_fn(|| bench.lease("m").ok()).take(50).collect();
        for lease in &leases {
            lease.failed(&Fault::new(Kind::Throttled(None, Scope::Model), "slow down"));
        }
        drop(leases);
        let until = bench.lease("m").err().and_then(|not| not.at).expect("it rests");
        let wait = until.since(bench.clock.now());
        assert!(wait <= Duration::from_secs(expected), "step {expected}: {wait:?}");
        bench.pass(Duration::from_secs(expected));
    }
}

#[test]
fn accounts_of_one_group_rest_together_and_others_do_not() {
    let group = |id: &str, group: &str| Account { quota_group: Some(group.to_owned()), ..account(id) };
    let bench = Bench::new([group("a", "org"), group("b", "org"), group("c", "else")]);
    assert_eq!(bench.fail("m", throttled(20)), "a");
    assert_eq!(bench.lease("m").expect("the other group").account().id, "c");
    assert_eq!(bench.lease("n").expect("another model").account().id, "a");
    // a rejected key is the account's own
    assert_eq!(bench.fail("n", Kind::KeyRejected), "a");
    assert_eq!(bench.lease("n").expect("the same group").account().id, "b");
}

#[test]
fn the_clients_mistakes_and_a_dead_network_leave_every_account_ready() {
    let bench = Bench::new([account("a")]);
    for kind in [Kind::Invalid(400), Kind::Invalid(413), Kind::Filtered, Kind::Unreachable, Kind::Upstream(502)] {
        bench.fail("m", kind);
        assert!(bench.lease("m").is_ok(), "{kind:?}");
    }
    for _ in 0..100 {
        bench.fail("m", Kind::Unreachable);
        bench.pass(Duration::from_millis(300));
    }
    assert_eq!(bench.standing(0), Standing::Ready);
}

#[test]
fn an_ended_login_waits_for_a_person_and_an_expired_token_for_its_next_try() {
    let bench = Bench::new([account("a")]);
    bench.fail("m", Kind::StaleToken(Duration::from_secs(5)));
    assert_eq!(bench.standing(0), Standing::Cooling);
    bench.pass(Duration::from_secs(5));
    bench.fail("m", Kind::NeedsLogin);
    bench.pass(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(bench.standing(0), Standing::NeedsLogin);
    let not = bench.lease("m").err().expect("no time heals it");
    assert_eq!((not.at, not.busy, not.verdicts[0].kind), (None, false, Some(Kind::NeedsLogin)));
    assert!(bench.pool.heal("a"));
    assert!(bench.lease("m").is_ok());
}

#[test]
fn a_missing_model_rests_alone_and_a_rejected_key_takes_the_account() {
    let bench = Bench::new([account("a")]);
    bench.fail("m", Kind::ModelMissing);
    assert!(bench.lease("m").is_err());
    assert!(bench.lease("n").is_ok(), "the other models are left alone");
    assert_eq!(bench.standing(0), Standing::Ready);
    bench.fail("n", Kind::KeyRejected);
    assert!(bench.lease("o").is_err());
    assert_eq!(bench.standing(0), Standing::Cooling);
    bench.pass(Duration::from_secs(30 * 60));
    assert_eq!(bench.standing(0), Standing::HalfOpen);
    let probe = bench.lease("o").expect("the probe");
    probe.succeeded();
    drop(probe);
    assert_eq!(bench.standing(0), Standing::Ready);
}

#[test]
fn the_late_success_of_an_ordinary_attempt_heals_nothing() {
    let bench = Bench::new([account("a")]);
    let slow = bench.lease("m").expect("an account");
    bench.fail("m", throttled(20));
    slow.succeeded();
    drop(slow);
    assert!(bench.lease("m").is_err());
}

#[test]
fn a_provider_that_keeps_failing_opens_its_breaker_and_one_probe_closes_it() {
    let bench = Bench::new([account("a"), account("b")]);
    for _ in 0..5 {
        bench.fail("m", Kind::Upstream(500));
    }
    let not = bench.lease("m").err().expect("open");
    assert_eq!(not.at, Some(START.after(Duration::from_secs(15))));
    assert_eq!(bench.standing(0), Standing::Ready, "no account is blamed");
    bench.pass(Duration::from_secs(15));
    let probe = bench.lease("m").expect("the probe");
    assert!(bench.lease("m").is_err(), "only one");
    probe.succeeded();
    drop(probe);
    assert!(bench.lease("m").is_ok());
}

#[test]
fn a_probe_whose_answer_has_begun_lets_others_go_on_and_a_late_one_of_before_does_not() {
    let bench = Bench::new([account("a"), account("b")]);
    let before = bench.lease("m").expect("a call of before the failures");
    for _ in 0..5 {
        bench.fail("m", Kind::Upstream(500));
    }
    bench.pass(Duration::from_secs(15));
    let probe = bench.lease("m").expect("the probe");
    before.answered();
    assert!(bench.lease("m").is_err(), "what began before the failures proves nothing");
    probe.answered();
    let other = bench.lease("m").expect("the probe's stream need not end first");
    probe.failed(&Fault::new(Kind::Broken, "cut"));
    drop((probe, other));
    assert!(bench.lease("m").is_ok(), "one cut stream is one failure of five");
}

#[test]
fn streams_that_begin_well_and_break_off_open_the_breaker() {
    let bench = Bench::new([account("a")]);
    for _ in 0..5 {
        let lease = bench.lease("m").expect("closed");
        lease.answered();
        lease.failed(&Fault::new(Kind::Broken, "cut"));
    }
    assert!(bench.lease("m").is_err());
}

#[test]
fn a_persons_word_ends_crowd_ramp_breaker_and_rest() {
    let trouble = [
        Kind::Throttled(None, Scope::Concurrency),
        Kind::Throttled(None, Scope::Ramp),
        Kind::Throttled(Some(Duration::from_secs(50)), Scope::Model),
        Kind::KeyRejected,
        Kind::Upstream(500),
    ];
    for kind in trouble {
        let bench = Bench::new([account("a")]);
        // more than a ramp bears in a moment, whatever it has seen
        let large = Wanted { need: Need { input: 1_000_000, output: 0 }, ..wanted("m") };
        let _under_way = bench.lease("m").expect("ready");
        for _ in 0..5 {
            bench.pool.try_lease(large).into_iter().for_each(|lease| lease.failed(&Fault::new(kind, "told so")));
        }
        let held = bench.pool.try_lease(large).and_then(|_first| bench.pool.try_lease(large).map(drop));
        assert!(held.is_err(), "{kind:?} holds calls back");
        assert!(bench.pool.heal("a"));
        let first = bench.pool.try_lease(large);
        assert!(first.is_ok() && bench.pool.try_lease(large).is_ok(), "{kind:?} is forgotten");
    }
}

#[test]
fn failures_that_are_far_apart_do_not_open_the_breaker() {
    let bench = Bench::new([account("a")]);
    for _ in 0..20 {
        bench.fail("m", Kind::Upstream(500));
        bench.pass(Duration::from_secs(8));
    }
    assert!(bench.lease("m").is_ok());
}

#[test]
fn calls_at_once_are_counted_by_the_lease() {
    let limits = Limits { concurrency: Some(2), ..Limits::default() };
    let bench = Bench::new([Account { limits, ..account("a") }]);
    let (one, two) = (bench.lease("m"), bench.lease("m"));
    assert!(bench.lease("m").err().expect("full").busy);
    drop(one);
    assert!(bench.lease("m").is_ok());
    drop(two);
}

#[test]
fn a_session_stays_with_its_account_until_that_fails() {
    let bench = Bench::new([account("a"), account("b")]);
    let of = |key| Wanted { strategy: Strategy::Sticky, affinity: Some(key), ..wanted("m") };
    let use_once = |key| {
        let lease = bench.pool.try_lease(of(key)).expect("an account");
        lease.succeeded();
        lease.account().id.clone()
    };
    assert_eq!((use_once(1), use_once(2)), ("a".to_owned(), "a".to_owned()));
    let lease = bench.pool.try_lease(of(1)).expect("an account");
    lease.failed(&Fault::new(throttled(5), "slow down"));
    drop(lease);
    assert_eq!(use_once(1), "b");
    bench.pass(Duration::from_secs(5));
    drop(bench.lease("m").map(|probe| probe.succeeded()));
    assert_eq!(use_once(1), "b", "the cache is there now");
    assert_eq!(use_once(3), "a");
}

#[test]
fn a_reload_keeps_what_is_known_of_an_account() {
    let bench = Bench::new([account("a")]);
    bench.fail("m", Kind::KeyRejected);
    bench.apply([account("a"), account("b")]);
    assert_eq!((bench.standing(0), bench.standing(1)), (Standing::Cooling, Standing::Ready));
    assert!(bench.pool.heal("a"));
    assert_eq!(bench.standing(0), Standing::Ready);
    assert!(!bench.pool.heal("nobody"));
}

#[test]
fn a_kept_rest_does_not_survive_onto_another_login() {
    let login = |client: &str| {
        let oauth = Oauth { client_id: Some(client.to_owned()), ..crate::refresh::oauth(Grant::RefreshToken) };
        Account { oauth: Some(Arc::new(oauth)), ..account("a") }
    };
    let first = Bench::new([login("mine")]);
    first.fail("m", Kind::KeyRejected);
    let kept = first.pool.kept(|_| None);
    for (client, standing) in [("mine", Standing::Cooling), ("another", Standing::Ready)] {
        let next = Bench::new([login(client)]);
        next.pool.recall(&kept, |_| None);
        assert_eq!(next.standing(0), standing, "{client}");
    }
}

#[test]
fn every_verdict_says_why() {
    let off = Account { disabled: true, ..account("off") };
    let narrow = Account { models: vec!["gpt-*".to_owned()], ..account("narrow") };
    let bench = Bench::new([off, narrow, account("tired")]);
    bench.fail("m", throttled(9));
    let not = bench.lease("m").err().expect("none is left");
    let words: Vec<_> = not.verdicts.iter().map(|v| format!("{}: {}", v.account, v.why)).collect();
    assert_eq!(
        words,
        ["off: switched off", "narrow: not for this model", "tired: told so, until 2027-01-15T08:00:09.000Z"]
    );
}
