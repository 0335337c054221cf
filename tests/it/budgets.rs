//! Budgets with a clock moved by hand: whom they concern, when they reset, and that they hold whatever comes between.

use std::sync::Arc;

use jiff::tz::TimeZone;
use keywheel::config::{self, Per, Settings};
use keywheel::gateway::budgets::period::Period;
use keywheel::gateway::budgets::{Budgets, Refused, Reservation, Scope};
use keywheel::kit::{CallId, Money, Time};
use keywheel::store::{Entry, Ledger, Memory};
use proptest::prelude::*;

use crate::store::entry;

const NOON: &str = "2026-11-21T12:00:00Z";

fn at(text: &str) -> Time {
    Time::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn usd(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn scope() -> Scope<'static> {
    Scope {
        at: at(NOON),
        client: "laptop",
        project: Some("keys"),
        session: Some("s1"),
        provider: "lab",
        account: Some("a"),
        model: "m",
    }
}

/// The entry of a call in this scope.
fn over(scope: &Scope<'_>, cost: Option<Money>) -> Entry {
    let mut entry = Entry { id: CallId::new(), at: scope.at, client: scope.client.to_owned(), ..entry() };
    entry.context.project = scope.project.map(str::to_owned);
    entry.context.session_id = scope.session.map(str::to_owned);
    entry.provider = Some(scope.provider.to_owned());
    entry.account = scope.account.map(str::to_owned);
    entry.model = Some(scope.model.to_owned());
    entry.spend.cost = cost;
    entry
}

struct House {
    budgets: Arc<Budgets>,
    ledger: Arc<Memory>,
}

impl House {
    fn new(text: &str) -> Self {
        let house = Self { budgets: Arc::default(), ledger: Arc::new(Memory::new()) };
        house.reload(text, at(NOON));
        house
    }

    fn reload(&self, text: &str, now: Time) {
        let settings: Settings = config::parse(text).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.budgets.apply(&*self.ledger, &settings, now));
    }

    fn reserve(&self, scope: &Scope<'_>, worst: &str) -> Result<Reservation, Refused> {
        self.budgets.reserve(scope, Some(usd(worst)), "lab/m")
    }

    fn settle(&self, scope: &Scope<'_>, cost: &str, held: Vec<Reservation>) {
        let ledger = Arc::clone(&self.ledger);
        drop(self.budgets.settle(over(scope, Some(usd(cost))), held, move |entry| ledger.record(entry)));
    }

    /// `name of: spent+reserved` of every line.
    fn lines(&self, now: Time) -> Vec<String> {
        let line = |line: keywheel::gateway::budgets::Line| {
            format!("{} {}: {}+{}", line.name, line.of, line.spent.exact(), line.reserved.exact())
        };
        self.budgets.lines(now).into_iter().map(line).collect()
    }
}

const DAY: &str = "[budgets.b]\nlimit_usd = '1'\nper = 'day'\n";

#[test]
fn a_call_is_refused_only_when_its_worst_case_really_does_not_fit() {
    let house = House::new(DAY);
    let first = house.reserve(&scope(), "0.6").unwrap();
    let second = house.reserve(&scope(), "0.4").unwrap();
    let Err(Refused::Spent(full)) = house.reserve(&scope(), "0.000000000001") else { panic!("it is full") };
    assert_eq!((full.spent, full.reserved, full.limit), (Money::ZERO, usd("1"), usd("1")));
    assert_eq!(full.resets, Some(at("2026-11-22T00:00:00Z")));
    house.settle(&scope(), "0.1", vec![first]);
    assert_eq!(house.lines(at(NOON)), ["b : 0.1+0.4"]);
    drop(second);
    assert_eq!(house.lines(at(NOON)), ["b : 0.1+0"]);
    drop(house.reserve(&scope(), "0.9").unwrap());
    let words = house.reserve(&scope(), "0.91").err().unwrap().fault("").message.into_owned();
    for part in ["budget b", "$0.100000 of $1.000000", "$0.910000", "resets at 2026-11-22T00:00:00", "limit_usd"] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
fn a_budget_concerns_only_the_calls_that_fit_all_its_conditions() {
    let cases = [
        ("client = 'lap*'", true),
        ("client = 'phone'", false),
        ("project = 'keys'", true),
        ("project = 'other'", false),
        ("account = 'a'", true),
        ("account = 'b'", false),
        ("provider = 'lab'", true),
        ("provider = 'sim'", false),
        ("model = 'm'", true),
        ("model = 'lab/*'", true),
        ("model = 'sim/*'", false),
        ("client = 'laptop'\nmodel = 'n'", false),
    ];
    for (condition, concerned) in cases {
        let lab = "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:9/v1'\n";
        let house = House::new(&format!("{lab}{DAY}{condition}\n"));
        assert_eq!(house.reserve(&scope(), "2").is_err(), concerned, "{condition}");
        house.settle(&scope(), "0.5", Vec::new());
        assert_eq!(house.lines(at(NOON)), [if concerned { "b : 0.5+0" } else { "b : 0+0" }], "{condition}");
    }
}

#[test]
fn parts_are_counted_apart_and_so_are_sessions() {
    let house = House::new(&format!("{DAY}each = 'client'\n[budgets.s]\nlimit_usd = '0.5'\nper = 'session'\n"));
    let phone = Scope { client: "phone", session: None, ..scope() };
    house.settle(&scope(), "0.4", Vec::new());
    house.settle(&phone, "0.2", Vec::new());
    house.settle(&Scope { session: Some("s2"), ..phone }, "0.3", Vec::new());
    assert_eq!(
        house.lines(at(NOON)),
        [
            "b client phone: 0.5+0",
            "b client laptop: 0.4+0",
            "s session s1: 0.4+0",
            "s session s2: 0.3+0",
            "s no session: 0.2+0"
        ]
    );
    assert!(house.reserve(&scope(), "0.2").is_err() && house.reserve(&phone, "0.2").is_ok());
}

#[test]
fn several_budgets_are_taken_of_together_or_not_at_all() {
    let house = House::new(&format!("{DAY}[budgets.small]\nlimit_usd = '0.1'\nper = 'total'\nclient = 'laptop'\n"));
    let Err(Refused::Spent(full)) = house.reserve(&scope(), "0.2") else { panic!("the small one is full") };
    assert_eq!(&*full.name, "small");
    assert_eq!(house.lines(at(NOON)), ["b : 0+0", "small : 0+0"], "nothing is set aside");
    let held = house.reserve(&scope(), "0.05").unwrap();
    assert_eq!(house.lines(at(NOON)), ["b : 0+0.05", "small : 0+0.05"]);
    drop(held);
}

#[test]
fn a_call_counts_where_it_arrived_and_the_next_day_begins_at_nothing() {
    let house = House::new(DAY);
    let late = Scope { at: at("2026-11-21T23:59:59.999999Z"), ..scope() };
    let held = house.reserve(&late, "0.9").unwrap();
    let next = Scope { at: at("2026-11-22T00:00:00Z"), ..scope() };
    let other = house.reserve(&next, "1").unwrap();
    house.settle(&late, "0.8", vec![held]);
    assert_eq!(house.lines(late.at), ["b : 0.8+0"]);
    assert_eq!(house.lines(next.at), ["b : 0+1"]);
    drop(other);
}

#[test]
fn days_and_months_end_exactly_also_where_the_clocks_change() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let cases = [
        (Per::Day, TimeZone::UTC, NOON, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        (Per::Month, TimeZone::UTC, "2026-12-31T23:59:59.999999Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (Per::Month, TimeZone::UTC, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        (Per::Day, berlin.clone(), "2026-11-21T23:30:00Z", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
        // 23 hours and 25 hours
        (Per::Day, berlin.clone(), "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        (Per::Day, berlin.clone(), "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        (Per::Month, berlin, "2026-10-31T23:30:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        // clocks jump over midnight
        (
            Per::Day,
            TimeZone::get("America/Santiago").unwrap(),
            "2026-09-06T12:00:00Z",
            "2026-09-06T04:00:00Z",
            "2026-09-07T03:00:00Z",
        ),
    ];
    for (per, zone, moment, start, end) in cases {
        let period = Period::of(per, &zone, at(moment));
        assert_eq!(period, Period { start: at(start), end: Some(at(end)) }, "{per:?} of {moment}");
        assert!(period.holds(period.start) && !period.holds(at(end)));
        assert_eq!(Period::of(per, &zone, at(end)).start, at(end), "the next one begins where this one ends");
    }
    assert_eq!(Period::of(Per::Total, &TimeZone::UTC, at(NOON)), Period::ALWAYS);
}

#[test]
fn other_limits_are_in_force_at_once_and_counters_stay() {
    let house = House::new(DAY);
    let held = house.reserve(&scope(), "0.3").unwrap();
    house.settle(&scope(), "0.5", Vec::new());
    house.reload(&DAY.replace("'1'", "'0.7'"), at(NOON));
    assert_eq!(house.lines(at(NOON)), ["b : 0.5+0.3"]);
    assert!(house.reserve(&scope(), "0.01").is_err());
    house.reload(&DAY.replace("'1'", "'2'"), at(NOON));
    assert!(house.reserve(&scope(), "1.2").is_ok());
    // it counts something else now: from the ledger, and what is under way goes back to nobody
    house.reload(&format!("{DAY}client = 'phone'\n"), at(NOON));
    drop(held);
    assert_eq!(house.lines(at(NOON)), ["b : 0+0"]);
    house.reload(DAY, at(NOON));
    assert_eq!(house.lines(at(NOON)), ["b : 0.5+0"], "counted anew from the ledger");
    house.reload("", at(NOON));
    assert!(!house.budgets.any());
}

#[test]
fn a_budget_that_begins_later_counts_what_the_ledger_has_of_its_time() {
    let house = House::new("");
    for (moment, cost) in [("2026-10-31T23:59:59Z", "8"), ("2026-11-01T00:00:00Z", "4"), ("2026-11-21T00:00:00Z", "2")]
    {
        house.settle(&Scope { at: at(moment), ..scope() }, cost, Vec::new());
    }
    let budget = |per: &str| format!("[budgets.{per}]\nlimit_usd = '100'\nper = '{per}'\n");
    house.reload(&["day", "month", "session", "total"].map(budget).concat(), at(NOON));
    assert_eq!(house.lines(at(NOON)), ["day : 2+0", "month : 6+0", "session session s1: 14+0", "total : 14+0"]);
}

#[test]
fn what_has_no_worst_case_needs_its_name_in_the_budget() {
    let house = House::new(&format!("{DAY}allow_unpriced = ['lab/free-*']\n"));
    let refused = house.budgets.reserve(&scope(), None, "lab/m").err().unwrap();
    assert!(refused.fault("it has no price").message.contains("it has no price; or have the model named"));
    assert_eq!(house.budgets.reserve(&scope(), None, "lab/free-m").unwrap().amount(), Money::ZERO);
}

#[test]
fn a_soft_budget_refuses_nothing_and_says_that_it_is_spent() {
    let house = House::new(&format!("{DAY}kind = 'soft'\nroute = 'sim/echo'\n"));
    assert!(house.budgets.spent(&scope()).is_none());
    assert!(!house.budgets.holds(&scope()) && house.reserve(&scope(), "7").is_ok());
    house.settle(&scope(), "1", Vec::new());
    let (words, route) = house.budgets.spent(&scope()).unwrap();
    assert_eq!(words, "b: $1.000000 of $1.000000, resets at 2026-11-22T00:00:00.000Z");
    assert_eq!(route.as_deref(), Some("sim/echo"));
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(u8, u64),
    /// Which one ends, and how much of its worst case it cost.
    Settle(usize, u8),
    GiveBack(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3u8, 1..400u64).prop_map(|(client, worst)| Step::Reserve(client, worst)),
        2 => (any::<usize>(), 0..=100u8).prop_map(|(which, part)| Step::Settle(which, part)),
        1 => any::<usize>().prop_map(Step::GiveBack),
    ]
}

proptest! {
    /// Against a model that adds with plain integers: never above a limit, refused exactly when it does not fit, and at
    /// the end nothing is set aside.
    #[test]
    fn whatever_the_order_budgets_hold_and_refuse_only_what_does_not_fit(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let house = House::new(
            "[budgets.all]\nlimit_usd = '0.0000000010'\nper = 'total'\n\
             [budgets.own]\nlimit_usd = '0.0000000005'\nper = 'total'\neach = 'client'\n"
        );
        let names = ["c0", "c1", "c2"];
        let (mut spent, mut reserved) = ([0u64; 3], [0u64; 3]);
        let mut open: Vec<(usize, u64, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve(client, worst) => {
                    let client = usize::from(client);
                    let scope = Scope { client: names[client], ..scope() };
                    let total: u64 = spent.iter().chain(&reserved).sum();
                    let fits = total + worst <= 1000 && spent[client] + reserved[client] + worst <= 500;
                    let answer = house.budgets.reserve(&scope, Some(Money::from_pico(worst.into())), "lab/m");
                    prop_assert_eq!(answer.is_ok(), fits);
                    if let Ok(reservation) = answer {
                        reserved[client] += worst;
                        open.push((client, worst, reservation));
                    }
                }
                Step::Settle(which, part) if !open.is_empty() => {
                    let (client, worst, reservation) = open.swap_remove(which % open.len());
                    let cost = worst * u64::from(part) / 100;
                    let scope = Scope { client: names[client], ..scope() };
                    house.settle(&scope, &Money::from_pico(cost.into()).exact(), vec![reservation]);
                    reserved[client] -= worst;
                    spent[client] += cost;
                }
                Step::GiveBack(which) if !open.is_empty() => {
                    let (client, worst, reservation) = open.swap_remove(which % open.len());
                    drop(reservation);
                    reserved[client] -= worst;
                }
                _ => {}
            }
            let lines = house.budgets.lines(at(NOON));
            prop_assert!(lines.iter().all(|line| line.spent.saturating_add(line.reserved) <= line.limit));
            prop_assert_eq!(lines[0].spent.pico(), i128::from(spent.iter().sum::<u64>()));
            prop_assert_eq!(lines[0].reserved.pico(), i128::from(reserved.iter().sum::<u64>()));
        }
        drop(open);
        prop_assert!(house.budgets.lines(at(NOON)).iter().all(|line| line.reserved == Money::ZERO));
    }
}

#[test]
fn threads_that_take_and_give_back_at_once_never_exceed_the_limit() {
    let house = House::new("[budgets.b]\nlimit_usd = '0.0000000010'\nper = 'total'\n");
    let taken = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|threads| {
        for thread in 0..8u64 {
            let (house, taken) = (&house, &taken);
            threads.spawn(move || {
                for round in 0..500 {
                    let worst = 1 + (thread * 31 + round * 7) % 40;
                    let Ok(held) = house.budgets.reserve(&scope(), Some(Money::from_pico(worst.into())), "lab/m")
                    else {
                        continue;
                    };
                    let line = house.budgets.lines(at(NOON)).remove(0);
                    assert!(line.spent.saturating_add(line.reserved) <= line.limit, "{line:?}");
                    if round % 3 == 0 {
                        let cost = worst / 2;
                        house.settle(&scope(), &Money::from_pico(cost.into()).exact(), vec![held]);
                        taken.fetch_add(cost, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let line = house.budgets.lines(at(NOON)).remove(0);
    assert_eq!((line.spent.pico(), line.reserved), (taken.into_inner().into(), Money::ZERO));
    assert!(line.spent.pico() > 900, "the limit was come near to: {line:?}");
}
