//! What a client asks of a dialectic in headers; all of them may be left out.

use http::HeaderMap;

use crate::kit::{Fault, Money};

/// The headers that are read here and not passed on to legs.
const OWN: [&str; 6] = [LEGS, SYNTHESIS, ROUNDS, MAX_COST, REPORT, LIVE];
const LEGS: &str = "x-keywheel-legs";
const SYNTHESIS: &str = "x-keywheel-synthesis";
const ROUNDS: &str = "x-keywheel-rounds";
const MAX_COST: &str = "x-keywheel-max-cost";
const REPORT: &str = "x-keywheel-report";
const LIVE: &str = "x-keywheel-live";

/// The most legs of one call.
const MOST_LEGS: usize = 8;
const MOST_ROUNDS: u32 = 5;

/// What a client asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Models instead of the usual legs.
    pub(super) legs: Option<Vec<String>>,
    /// The model that plans, judges and writes the answer.
    pub(super) synthesis: Option<String>,
    /// How often the sides of a debate speak.
    pub(super) rounds: Option<u32>,
    /// A call that could cost more is not begun.
    pub(super) max_cost: Option<Money>,
    /// Whether the answer comes with a report.
    pub(super) report: Option<bool>,
    /// Whether the legs' words come as they are spoken, mixed, for a client that tells them apart.
    pub(super) live: bool,
}

impl Wishes {
    /// Reads the headers.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Fault> {
        let text = |name: &'static str| match headers.get(name).map(|value| value.to_str()) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text.trim())),
            Some(Err(_)) => Err(wrong(name, "is no text")),
        };
        let flag = |name| match text(name)? {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(wrong(name, "is true or false")),
        };
        let legs = text(LEGS)?.map(|list| list.split(',').map(|leg| leg.trim().to_owned()).collect::<Vec<_>>());
        let several = |legs: &Vec<String>| (2..=MOST_LEGS).contains(&legs.len()) && legs.iter().all(|leg| model(leg));
        if legs.as_ref().is_some_and(|legs| !several(legs)) {
            return Err(wrong(LEGS, "names two to eight models, with commas between them"));
        }
        let synthesis = text(SYNTHESIS)?.map(str::to_owned);
        if synthesis.as_ref().is_some_and(|name| !model(name)) {
            return Err(wrong(SYNTHESIS, "names one model"));
        }
        let rounds = text(ROUNDS)?.map(|text| text.parse().ok().filter(|rounds| (1..=MOST_ROUNDS).contains(rounds)));
        let max_cost = text(MAX_COST)?.map(|text| Money::parse(text).ok().filter(|most| most.pico() >= 0));
        Ok(Self {
            legs,
            synthesis,
            rounds: rounds.map(|rounds| rounds.ok_or_else(|| wrong(ROUNDS, "is a number from 1 to 5"))).transpose()?,
            max_cost: max_cost
                .map(|most| most.ok_or_else(|| wrong(MAX_COST, "is an amount in USD, such as 0.25")))
                .transpose()?,
            report: flag(REPORT)?,
            live: flag(LIVE)?.unwrap_or(false),
        })
    }
}

/// The headers that legs get: all but those that are read here.
pub(super) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    OWN.iter().for_each(|name| drop(headers.remove(*name)));
    headers
}

/// Whether a name can be a leg's: a dialectic inside of another would multiply without end.
fn model(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(super::PREFIX)
}

fn wrong(name: &'static str, what: &str) -> Fault {
    super::dialect::wrong(name, format!("the header {name} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, value: &'static str) -> Result<Wishes, Fault> {
        Wishes::read(&HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))]))
    }

    #[test]
    fn wishes_are_read_and_wrong_ones_are_named() {
        assert_eq!(Wishes::read(&HeaderMap::new()).ok(), Some(Wishes::default()));
        assert_eq!(read(LEGS, "a/b, c").ok().and_then(|wishes| wishes.legs), Some(vec!["a/b".into(), "c".into()]));
        assert_eq!(read(MAX_COST, "0.5").ok().and_then(|wishes| wishes.max_cost), Money::parse("0.5").ok());
        for (name, value) in [
            (LEGS, "one"),
            (LEGS, "a,,b"),
            (LEGS, "a,dialectics/debate"),
            (SYNTHESIS, "dialectics/debate"),
            (ROUNDS, "0"),
            (ROUNDS, "6"),
            (MAX_COST, "-1"),
            (MAX_COST, "cheap"),
            (REPORT, "perhaps"),
        ] {
            let fault = read(name, value).expect_err(value);
            assert!(fault.message.contains(name) && fault.status() == 400, "{fault:?}");
        }
    }
}
