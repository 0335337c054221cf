//! Every documented error of a vendor, in the way of a call: which accounts are asked and in which order, what the
//! client gets, who rests for how long, and that nobody else does. `matrix/VENDOR.toml` holds what section 6 of the
//! provider facts asks for (with the times of the design's section 5), for the answers in `support/errors/VENDOR.txt`.
//!
//! Each answer comes twice: with its status, and as the first event of a stream whose head said 200.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use keywheel::accounts::Standing;
use keywheel::sim::Script;
use serde::Deserialize;
use serde_json::Value;

use crate::matrix::{AZURE, DEEPSEEK, Got, Labs, NOW, OPENAI, OWN, Rig, Vendor, XAI};
use crate::support::vendor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Line>,
}

/// What is expected of one answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Its name in `support/errors`.
    answer: String,
    /// The row of section 6, or why there is none.
    says: String,
    next: Next,
    /// What the client gets when nothing else helps.
    status: u16,
    /// The code in the client's error; where it is absent, the vendor's body is handed on byte for byte.
    code: Option<String>,
    /// Who rests, for which models and how long; nobody when absent.
    rests: Option<Rest>,
    /// Whether it is only a body: no frame of a stream is taken for it.
    #[serde(default)]
    only_a_body: bool,
    /// What differs when it is the first event of a stream.
    #[serde(default)]
    first: First,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct First {
    next: Option<Next>,
    status: Option<u16>,
    code: Option<String>,
    /// `nobody`, or as in the row.
    rests: Option<String>,
}

#[derive(Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Next {
    Stop,
    SameAccount,
    OtherAccount,
    OtherRoute,
}

/// `group model 7s`, `account all 30m`; `<1s` is a wait without a hint, spread over so long.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(try_from = "String")]
struct Rest {
    group: bool,
    model: bool,
    wait: Duration,
    spread: bool,
}

impl TryFrom<String> for Rest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let [who @ ("group" | "account"), what @ ("all" | "model"), wait] = words[..] else {
            return Err(format!("{text:?} is not like `group model 7s`"));
        };
        let span: keywheel::catalog::Wait = wait.trim_start_matches('<').parse().map_err(|error| format!("{error}"))?;
        Ok(Self { group: who == "group", model: what == "model", wait: span.0, spread: wait.starts_with('<') })
    }
}

/// One answer in one form, and what must come of it.
struct Case<'a> {
    labs: &'a Labs,
    vendor: Vendor,
    script: Script,
    body: String,
    theirs: &'a str,
    next: Next,
    status: u16,
    code: Option<&'a str>,
    rests: Option<Rest>,
    what: String,
}

impl Case<'_> {
    async fn check(&self, wrong: &mut Vec<String>) {
        let begun = wrong.len();
        self.with_a_healthy_account(wrong).await;
        self.with_none(wrong).await;
        self.with_another_route(wrong).await;
        wrong[begun..].iter_mut().for_each(|text| *text = format!("{}: {text}", self.what));
    }

    /// The first account fails, the second is well.
    async fn with_a_healthy_account(&self, wrong: &mut Vec<String>) {
        self.labs.reset();
        drop(self.labs.of("a").on("a").always(self.script.clone()));
        let rig = Rig::new(self.labs);
        let got = rig.chat(&self.body).await;
        let keys = match self.next {
            Next::Stop | Next::OtherRoute => "a",
            Next::SameAccount => "a a b",
            Next::OtherAccount => "a b",
        };
        same(wrong, "asked while b is well", &self.labs.keys(), keys);
        if matches!(self.next, Next::Stop | Next::OtherRoute) {
            self.refused(wrong, "b is well", &got);
        } else {
            same(wrong, "status while b is well", &(got.status, got.whole), &(200, true));
            same(wrong, "account", got.header("x-keywheel-account"), "b");
        }
        self.ledger(wrong, &rig);
        self.resting(wrong, &rig);
    }

    /// Every account fails, twice in a row: what the first call learnt holds for the second.
    async fn with_none(&self, wrong: &mut Vec<String>) {
        self.labs.reset();
        self.labs.always(&self.script);
        let rig = Rig::new(self.labs);
        let got = rig.chat(&self.body).await;
        let keys = match self.next {
            Next::Stop | Next::OtherRoute => "a",
            Next::SameAccount => "a a b",
            Next::OtherAccount => "a b",
        };
        same(wrong, "asked", &self.labs.keys(), keys);
        self.refused(wrong, "all fail", &got);
        if self.rests.is_some() {
            let again = rig.chat(&self.body).await;
            same(wrong, "asked again", &self.labs.keys(), keys);
            same(wrong, "status of the next call", &again.status, &self.status);
        }
    }

    /// Every account fails, and the route has a second leg.
    async fn with_another_route(&self, wrong: &mut Vec<String>) {
        self.labs.reset();
        self.labs.always(&self.script);
        let full = self.vendor.full();
        let rig = Rig::with(self.labs, &format!("models.chain.route = [\"{full}\", \"sim/echo\"]"));
        let got = rig.chat(&self.body.replace(&full, "chain")).await;
        let (keys, by) = match self.next {
            Next::Stop => ("a", self.vendor.id),
            Next::OtherRoute => ("a", "sim"),
            Next::SameAccount => ("a a b", "sim"),
            Next::OtherAccount => ("a b", "sim"),
        };
        same(wrong, "asked before the other route", &self.labs.keys(), keys);
        same(wrong, "provider at last", got.header("x-keywheel-provider"), by);
        let status = if self.next == Next::Stop { self.status } else { 200 };
        same(wrong, "status at last", &got.status, &status);
    }

    /// What the client is told.
    fn refused(&self, wrong: &mut Vec<String>, when: &str, got: &Got) {
        same(wrong, &format!("status, {when}"), &got.status, &self.status);
        match self.code {
            None => same(wrong, &format!("body, {when}"), got.text(), self.theirs),
            Some(code) => {
                let error = &got.json()["error"];
                same(wrong, &format!("code, {when}"), &error["code"], &Value::from(code));
                let name = if self.status == 429 { "a: " } else { self.vendor.name };
                let says = error["message"].as_str().is_some_and(|text| text.contains(name) && !text.ends_with('.'));
                let shaped = error["type"].is_string() && error.get("param").is_some();
                same(wrong, &format!("shape of {error}, {when}"), &(says, shaped), &(true, true));
            }
        }
        let seconds = got.header("retry-after").parse::<u64>().ok();
        let waits = seconds.map(|seconds| (1..=60).contains(&seconds));
        let expected = matches!(self.status, 429 | 503 | 529).then_some(true);
        same(wrong, &format!("retry-after, {when}"), &waits, &expected);
        if let Some(rest) = self.rests.filter(|rest| self.status == 429 && !rest.spread) {
            let reset = NOW.after(rest.wait).to_string();
            same(wrong, &format!("reset, {when}"), got.header("x-keywheel-reset-at"), &reset);
        }
        let text = got.text();
        let leaks = ["a", "b"].iter().any(|key| text.contains(&self.labs.of(key).key(key)));
        same(wrong, "a key in the answer", &leaks, &false);
    }

    /// One entry, with every attempt and why it failed.
    fn ledger(&self, wrong: &mut Vec<String>, rig: &Rig) {
        let entry = rig.entry();
        let asked: Vec<&str> = entry.attempts.iter().map(|attempt| attempt.account.as_str()).collect();
        same(wrong, "attempts on record", &asked.join(" "), &self.labs.keys());
        let (last, before) = entry.attempts.split_last().expect("an attempt");
        let told = before.iter().all(|attempt| attempt.fault.is_some() && attempt.why.is_some());
        let stopped = matches!(self.next, Next::Stop | Next::OtherRoute);
        same(wrong, "faults on record", &(told, last.fault.is_some()), &(true, stopped));
    }

    /// Who rests and who does not, until when to the microsecond, and that one success heals.
    fn resting(&self, wrong: &mut Vec<String>, rig: &Rig) {
        let Some(rest) = self.rests else { return same(wrong, "ailing", rig.ailing().as_str(), "") };
        same(wrong, "ailing", rig.ailing().as_str(), if rest.group { "a c" } else { "a" });
        let model = self.vendor.model;
        let Some(until) = rig.lease("a", model).err().and_then(|not| not.at) else {
            return wrong.push("a takes calls, although it should rest".to_owned());
        };
        let wait = until.since(NOW);
        let fits = if rest.spread { !wait.is_zero() && wait <= rest.wait } else { wait == rest.wait };
        same(wrong, &format!("a rest of {wait:?} and not {:?}", rest.wait), &fits, &true);
        let row = rig.row("a");
        let named = row.reason.contains(self.vendor.name);
        let (standing, end) = if rest.model { (Standing::Ready, None) } else { (Standing::Cooling, Some(until)) };
        same(wrong, "row of a", &(row.standing, row.until, named), &(standing, end, true));
        same(wrong, "a takes other models", &rig.lease("a", "other").is_ok(), &rest.model);
        same(wrong, "c takes other models", &rig.lease("c", "other").is_ok(), &(rest.model || !rest.group));
        same(wrong, "b takes the model", &rig.lease("b", model).is_ok(), &true);
        rig.clock.advance(wait.saturating_sub(Duration::from_micros(1)));
        same(wrong, "a microsecond too early", &rig.lease("a", model).is_err(), &true);
        rig.clock.advance(Duration::from_micros(1));
        let Ok(probe) = rig.lease("a", model) else { return wrong.push("nobody may probe".to_owned()) };
        same(wrong, "a second probe", &rig.lease("a", model).is_err(), &true);
        probe.succeeded();
        drop(probe);
        same(wrong, "ailing after a good probe", rig.ailing().as_str(), "");
    }
}

fn same<T: Debug + PartialEq<E> + ?Sized, E: Debug + ?Sized>(
    wrong: &mut Vec<String>,
    what: &str,
    got: &T,
    expected: &E,
) {
    if *got != *expected {
        wrong.push(format!("{what}: {got:?} and not {expected:?}"));
    }
}

/// Checks the table of a vendor; `errors` names the file of its answers.
async fn check(vendor: Vendor, errors: &str) {
    let file = format!("{}/tests/it/matrix/{}.toml", env!("CARGO_MANIFEST_DIR"), vendor.id);
    let table: Table = toml::from_str(&std::fs::read_to_string(&file).expect("a table")).expect("rows");
    let answers = vendor::rows(errors);
    let names: BTreeSet<&str> = answers.iter().map(|answer| answer.name.as_str()).collect();
    let told: BTreeSet<&str> = table.row.iter().map(|line| line.answer.as_str()).collect();
    assert_eq!((&names, answers.len()), (&told, table.row.len()), "each answer has one row");
    let labs = Labs::start(vendor);
    let mut wrong = Vec::new();
    for (line, answer) in table.row.iter().map(|line| (line, vendor::row(&format!("{errors}/{}", line.answer)))) {
        let what = format!("{} ({})", line.answer, line.says);
        let with_status = Case {
            labs: &labs,
            vendor,
            script: answer.script(),
            body: vendor.chat(),
            theirs: &answer.body,
            next: line.next,
            status: line.status,
            code: line.code.as_deref(),
            rests: line.rests,
            what: what.clone(),
        };
        with_status.check(&mut wrong).await;
        let json = serde_json::from_str(&answer.body).unwrap_or_default();
        if line.only_a_body || !matches!(json, Value::Object(_)) {
            continue;
        }
        let first = &line.first;
        let rests = match first.rests.as_deref() {
            Some("nobody") => None,
            Some(text) => Some(Rest::try_from(text.to_owned()).expect("a rest")),
            None => line.rests,
        };
        let in_a_stream = Case {
            script: Script::error_first(&json),
            body: vendor.stream(),
            next: first.next.unwrap_or(line.next),
            status: first.status.unwrap_or(line.status),
            // a frame is no body, so the words are ours
            code: Some(first.code.as_deref().or(line.code.as_deref()).unwrap_or("(none)")),
            rests,
            what: format!("{what}, in a stream"),
            ..with_status
        };
        in_a_stream.check(&mut wrong).await;
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vendor.id, wrong.join("\n"));
}

#[tokio::test]
async fn openais_errors_do_what_their_rows_ask_for() {
    check(OPENAI, "openai").await;
}

#[tokio::test]
async fn azures_errors_do_what_their_rows_ask_for() {
    check(AZURE, "azure").await;
}

#[tokio::test]
async fn xais_errors_do_what_their_rows_ask_for() {
    check(XAI, "xai").await;
}

#[tokio::test]
async fn deepseeks_errors_do_what_their_rows_ask_for() {
    check(DEEPSEEK, "deepseek").await;
}

#[tokio::test]
async fn a_users_own_servers_errors_do_what_their_rows_ask_for() {
    check(OWN, "generic").await;
}
