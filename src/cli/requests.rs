//! `requests`: which calls are asked for, and where the time of one went.

use std::io;

use clap::Args;
use serde_json::Value;

use super::since::{Since, since};
use super::{Format, Lines};
use crate::kit::Time;
use crate::operator::Like;

/// What calls are to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Narrow {
    /// Only of this model: as it was asked for, as it answered, or provider/model
    #[arg(long, value_name = "MODEL", conflicts_with = "id")]
    pub model: Option<String>,
    /// Only of this client
    #[arg(long, value_name = "NAME", conflicts_with = "id")]
    pub client: Option<String>,
    /// Only of this provider
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub provider: Option<String>,
    /// Only of this account
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub account: Option<String>,
    /// Only of this project
    #[arg(long, value_name = "NAME", conflicts_with = "id")]
    pub project: Option<String>,
    /// Only with this status: 429, 4xx or 400-499
    #[arg(long, value_name = "CODE", value_parser = status, conflicts_with = "id")]
    pub status: Option<(u16, u16)>,
    /// Only since then: 30d, 12h, or a day in UTC such as 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "id")]
    pub since: Option<Since>,
    /// Only before then
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "id")]
    pub until: Option<Since>,
}

impl Narrow {
    /// The question for the ledger.
    pub fn like(&self, now: Time) -> Like {
        let Self { model, client, provider, account, project, status, since, until } = self.clone();
        let [since, until] = [since, until].map(|at| at.map(|at| at.moment(now).as_micros()));
        Like { model, client, provider, account, project, status, since, until }
    }
}

fn status(text: &str) -> Result<(u16, u16), String> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..1000).contains(code));
    let hundred = |digit: &str| digit.parse::<u16>().ok().filter(|digit| (1..10).contains(digit));
    let range = match (text.split_once('-'), text.strip_suffix("xx")) {
        (Some((first, last)), _) => code(first).zip(code(last)),
        (None, Some(digit)) => hundred(digit).map(|digit| (digit * 100, digit * 100 + 99)),
        (None, None) => code(text).map(|code| (code, code)),
    };
    range.ok_or_else(|| "write a status (429), a class (4xx) or a range (400-499)".to_owned())
}

/// Where the time of a call went. Every figure counts from the call's arrival.
pub fn timing(lines: &mut Lines<'_>, format: Format, record: &Value) -> io::Result<()> {
    if format.json {
        return lines.json(&record["timing"]);
    }
    let of = &record["timing"];
    let steps = |attempt: &Value| {
        let names = ["sent", "connected", "head", "first byte", "last byte"];
        let keys = ["start_us", "connected_us", "head_us", "first_us", "last_us"];
        let known = names.iter().zip(keys).filter_map(|(name, key)| Some((*name, attempt[key].as_u64()?)));
        known.collect::<Vec<_>>()
    };
    let mut line = |name: &str, micros: u64| lines.data(format_args!("{name:<34}{:>12}", millis(micros)));
    for (name, key) in [("waiting for an account", "parked_us"), ("before the first attempt, else", "queue_us")] {
        if let Some(micros) = of[key].as_u64() {
            line(name, micros)?;
        }
    }
    for (at, attempt) in of["attempts"].as_array().into_iter().flatten().enumerate() {
        for (name, micros) in steps(attempt) {
            line(&format!("attempt {}: {name}", at + 1), micros)?;
        }
    }
    for (name, key) in
        [("first byte for the client", "client_first_us"), ("last byte for the client", "client_last_us")]
    {
        if let Some(micros) = of[key].as_u64() {
            line(name, micros)?;
        }
    }
    Ok(())
}

fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_is_one_or_a_class_or_a_range() {
        assert_eq!(status("429"), Ok((429, 429)));
        assert_eq!(status("5xx"), Ok((500, 599)));
        assert_eq!(status("400-404"), Ok((400, 404)));
        for wrong in ["", "xx", "0xx", "12", "1000", "400-", "4x", "-1"] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
    }
}
