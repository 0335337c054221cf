//! Limits, set and learned, on a clock that is moved by hand: a call that would be refused waits for the exact instant.

use std::sync::Arc;
use std::time::Duration;

use keywheel::accounts::{Lease, Need, NotBefore, Pool, Wanted};
use keywheel::config;
use keywheel::kit::fault::Scope;
use keywheel::kit::window::{Fills, Reach, Span, What, Window};
use keywheel::kit::{Clock, Fault, Kind, Time};

const START: Time = Time::from_micros(1_800_000_000_000_000);

pub struct Bench {
    pub clock: Clock,
    pub pool: Arc<Pool>,
}

impl Bench {
    /// A provider `lab` and its accounts `a`, `b`, …, each with these settings.
    pub fn new(provider: &str, accounts: &[&str]) -> Self {
        let clock = Clock::manual(START);
        let bench = Self { pool: Pool::new(clock.clone()), clock };
        bench.apply(provider, accounts);
        bench
    }

    pub fn apply(&self, provider: &str, accounts: &[&str]) {
        let mut text =
            format!("[providers.lab]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n{provider}\n");
        for (id, lines) in std::iter::zip(["a", "b", "c", "d"], accounts) {
            text += &format!("[[accounts]]\nid = \"{id}\"\nprovider = \"lab\"\nsecret = {{ env = \"K\" }}\n{lines}\n");
        }
        self.pool.apply(&config::parse(&text).expect("settings"));
    }

    fn wanted(&self, tokens: u64) -> Result<Lease, NotBefore> {
        let need = Need { input: tokens, output: 0 };
        self.pool.try_lease(Wanted { provider: "lab", model: "m", need, ..Wanted::default() })
    }

    /// Sends a call that ends at once; or says how many milliseconds the next one has to wait.
    fn send(&self, tokens: u64) -> Result<(), u128> {
        self.wanted(tokens).map(drop).map_err(|not| {
            let at = not.at.expect("a time");
            assert!(not.verdicts.iter().all(|verdict| verdict.why.contains("until")), "{:?}", not.verdicts);
            at.since(self.clock.now()).as_millis()
        })
    }

    fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }
}

fn window(what: What, limit: u64, left: u64, reset_s: u64) -> Window {
    let reset = Some(START.after(Duration::from_secs(reset_s)));
    let (span, reach, fills) = (Span::Unsaid, Reach::Model, Fills::AtOnce);
    Window { what, span, reach, limit: Some(limit), left: Some(left), reset, fills }
}

#[test]
fn requests_a_minute_are_spread_over_the_minute() {
    let bench = Bench::new("", &["limits = { rpm = 60 }"]);
    assert_eq!(bench.send(0), Ok(()));
    assert_eq!(bench.send(0), Err(1000));
    bench.pass(999);
    assert_eq!(bench.send(0), Err(1));
    bench.pass(2);
    assert_eq!(bench.send(0), Ok(()));
    // a reload that changes nothing forgets nothing
    bench.apply("", &["limits = { rpm = 60 }"]);
    assert!(bench.send(0).is_err());
    bench.apply("", &["limits = { rpm = 6000 }"]);
    assert_eq!(bench.send(0), Ok(()));
}

#[test]
fn no_second_sees_more_than_its_share_and_nearly_all_of_it_is_used() {
    for rpm in [60_u32, 600, 3000, 60_000] {
        let bench = Bench::new("", &[&format!("limits = {{ rpm = {rpm} }}")]);
        let (mut sent, mut each) = (0, Vec::new());
        for _ in 0..60 {
            let mut second = 0;
            for _ in 0..500 {
                while bench.send(0).is_ok() {
                    second += 1;
                }
                // timers are late: nobody looks more often than every two milliseconds
                bench.pass(2);
            }
            sent += second;
            each.push(second);
        }
        assert!(sent <= rpm && sent * 100 >= rpm * 95, "{sent} of {rpm}");
        assert!(each.iter().all(|second| *second <= rpm.div_ceil(60)), "{rpm}: {each:?}");
    }
}

#[test]
fn tokens_are_charged_by_estimate_corrected_by_what_is_reported_and_may_be_overdrawn() {
    let bench = Bench::new("", &["limits = { tpm = 60000 }"]);
    // three seconds' worth may go at once, and then 950 a second
    let lease = bench.wanted(3000).expect("a full bucket");
    assert_eq!(bench.send(950), Err(1000));
    lease.used(1100);
    assert_eq!(bench.send(1900), Ok(()), "what was not used is there again");
    // one that is larger than the bucket goes when it is full, and the next pays for it
    bench.pass(10_000);
    assert_eq!(bench.send(9500), Ok(()));
    assert_eq!(bench.send(950), Err((9500 - 3000 + 950) * 1000 / 950));
    bench.pass(60_000);
    let lease = bench.wanted(10).expect("a full bucket");
    lease.used(3000 + 9500);
    lease.used(0);
    drop(lease);
    assert_eq!(bench.send(0), Err(10_000), "overdrawn by ten seconds, told once");
    bench.pass(14_000);
    let lease = bench.wanted(3000).expect("a full bucket");
    lease.failed(&Fault::new(Kind::Throttled(Some(Duration::from_secs(1)), Scope::Model), "no"));
    drop(lease);
    bench.pass(1000);
    assert_eq!(bench.send(900), Ok(()), "a refused call took no tokens");
}

#[test]
fn a_providers_limit_holds_over_all_its_accounts_and_wastes_none_of_theirs() {
    let bench = Bench::new("limits = { rpm = 60, concurrency = 3 }", &["limits = { rpm = 30 }", ""]);
    assert_eq!(bench.send(0), Ok(()));
    assert_eq!(bench.send(0), Err(1000));
    bench.pass(1001);
    let held: Vec<Lease> = std::iter::from_fn(|| {
        bench.pass(1001);
        bench.wanted(0).ok()
    })
    .take(4)
    .collect();
    assert_eq!(held.len(), 3);
    let not = bench.wanted(0).err().expect("full");
    assert!(not.busy && not.verdicts.iter().all(|v| v.why.contains("its provider's limit")), "{:?}", not.verdicts);
    drop(held);
    bench.pass(2001);
    let lease = bench.wanted(0).expect("free");
    assert_eq!(lease.account().id, "a", "first in order, and it kept its turn");
}

#[test]
fn a_window_that_is_used_up_is_waited_for_and_another_model_is_not() {
    let bench = Bench::new("", &["quota_group = \"org\"", "quota_group = \"org\""]);
    bench.wanted(0).expect("nothing known").learned(&[window(What::Requests, 60, 0, 20)]);
    assert_eq!(bench.send(0), Err(20_000), "its sister shares the limit");
    let other = Wanted { provider: "lab", model: "n", ..Wanted::default() };
    assert!(bench.pool.try_lease(other).is_ok());
    bench.pass(20_000);
    assert_eq!(bench.send(0), Ok(()));
}

#[test]
fn a_refusal_that_says_when_to_come_again_is_believed_over_the_refill_of_its_window() {
    let bench = Bench::new("", &[""]);
    let lease = bench.wanted(0).expect("nothing known");
    lease.learned(&[Window { fills: Fills::Evenly, ..window(What::Requests, 3, 0, 360) }]);
    lease.failed(&Fault::new(Kind::Throttled(Some(Duration::from_secs(7)), Scope::Model), "no"));
    drop(lease);
    assert_eq!(bench.send(0), Err(7000));
    bench.pass(7000);
    assert_eq!(bench.send(0), Ok(()));
}

#[test]
fn what_was_sent_since_an_answer_is_taken_off_what_it_says() {
    let bench = Bench::new("", &[""]);
    let first = bench.wanted(0).expect("nothing known");
    let second = bench.wanted(0).expect("nothing known");
    // the answer to the first knows nothing of the second
    first.learned(&[window(What::Requests, 60, 3, 20)]);
    assert_eq!([bench.send(0), bench.send(0)], [Ok(()), Ok(())]);
    assert_eq!(bench.send(0), Err(20_000));
    second.learned(&[window(What::Requests, 60, 4, 20)]);
    assert_eq!([bench.send(0), bench.send(0)], [Ok(()), Ok(())]);
    assert_eq!(bench.send(0), Err(20_000));
}

#[test]
fn too_few_tokens_for_the_estimate_stop_a_large_call_and_let_a_small_one_go() {
    let bench = Bench::new("", &[""]);
    bench.wanted(0).expect("nothing known").learned(&[window(What::Tokens, 10_000, 500, 20)]);
    assert_eq!(bench.send(501), Err(20_000));
    assert_eq!(bench.send(400), Ok(()));
    assert_eq!(bench.send(400), Err(20_000), "what the small one takes is taken");
    bench.pass(20_000);
    assert_eq!(bench.send(1_000_000), Ok(()), "what never fits is the provider's to refuse");
}

#[test]
fn a_window_that_fills_evenly_has_room_before_it_is_full() {
    let bench = Bench::new("", &[""]);
    let evenly = Window { fills: Fills::Evenly, ..window(What::Requests, 14_400, 0, 1440) };
    bench.wanted(0).expect("nothing known").learned(&[evenly]);
    assert_eq!(bench.send(0), Err(100), "one of a day's, not the refill of the day");
    bench.pass(100);
    assert_eq!(bench.send(0), Ok(()));
    assert_eq!(bench.send(0), Err(100));
}

#[test]
fn a_reset_far_away_is_trusted_for_an_hour_and_one_that_is_not_told_stops_nobody() {
    let bench = Bench::new("", &["", ""]);
    bench.wanted(0).expect("a").learned(&[window(What::Requests, 60, 0, 18 * 86_400)]);
    bench.wanted(0).expect("b").learned(&[window(What::Requests, 60, 0, 18 * 86_400)]);
    assert_eq!(bench.send(0), Err(3_600_000));
    bench.pass(3_600_000);
    let lease = bench.wanted(0).expect("tried again");
    lease.learned(&[Window { reset: None, ..window(What::Requests, 60, 0, 0) }]);
    assert_eq!(bench.send(0), Ok(()));
    assert_eq!(bench.pool.windows("a").len(), 1);
    bench.pass(60_000);
    assert_eq!(bench.pool.windows("a").len(), 0, "and is forgotten after a minute");
}

#[test]
fn too_many_at_once_is_one_fewer_and_one_more_every_half_minute() {
    let bench = Bench::new("", &[""]);
    let mut held: Vec<Lease> = (0..4).map(|_| bench.wanted(0).expect("no limit")).collect();
    for lease in &held {
        lease.failed(&Fault::new(Kind::Throttled(Some(Duration::from_secs(1)), Scope::Concurrency), "too many"));
    }
    held.clear();
    bench.pass(1000);
    bench.wanted(0).expect("the probe").succeeded();
    let most = || {
        let held: Vec<Lease> = std::iter::from_fn(|| bench.wanted(0).ok()).take(10).collect();
        held.len()
    };
    assert_eq!(most(), 3, "four refusals of one crowd count once");
    bench.pass(29_000);
    assert_eq!(most(), 4);
    bench.pass(30_000);
    assert_eq!(most(), 5);
    bench.pass(900_000);
    assert_eq!(most(), 10, "forgotten");
}

#[test]
fn who_grew_too_fast_may_grow_by_half_in_a_quarter_of_an_hour() {
    let bench = Bench::new("", &[""]);
    let minute = |most: u64| {
        let mut sent = 0;
        for _ in 0..60 {
            while sent < most && bench.send(1000).is_ok() {
                sent += 1000;
            }
            bench.pass(1000);
        }
        sent
    };
    assert_eq!(minute(100_000), 100_000);
    assert_eq!(minute(400_000), 400_000);
    let lease = bench.wanted(1000).expect("no limit yet");
    lease.failed(&Fault::new(Kind::Throttled(Some(Duration::from_secs(1)), Scope::Ramp), "slow down"));
    drop(lease);
    bench.pass(1000);
    bench.wanted(0).expect("the probe").succeeded();
    bench.pass(58_000);
    let first = minute(u64::MAX);
    assert!((390_000..=430_000).contains(&first), "{first}: what was borne in the minute before");
    for _ in 0..14 {
        minute(u64::MAX);
    }
    let later = minute(u64::MAX);
    assert!((570_000..=630_000).contains(&later), "{later}");
}

#[test]
fn a_client_over_its_limits_is_told_so_and_nobody_else_is() {
    let bench = Bench::new("[clients.ci]\nlimits = { rpm = 60, concurrency = 1 }", &[""]);
    let need = Need::of_call(4000, Some(100_000));
    assert_eq!(need, Need { input: 1000, output: 4096 });
    let guest = bench.pool.admit("ci", need).expect("room");
    assert!(guest.is_some() && bench.pool.admit("else", need).expect("no limits").is_none());
    let fault = bench.pool.admit("ci", need).err().expect("one at once");
    assert_eq!(fault.kind, Kind::ClientLimit(Duration::from_secs(1)));
    drop(guest);
    let fault = bench.pool.admit("ci", need).err().expect("one a second");
    assert!(matches!(fault.kind, Kind::ClientLimit(wait) if wait > Duration::from_millis(990)), "{:?}", fault.kind);
    bench.pass(1001);
    assert!(bench.pool.admit("ci", need).is_ok());
}
