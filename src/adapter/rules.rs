//! A provider's own error table: rows from its TOML file, first match first.

use serde_json::Value;
use wildmatch::WildMatch;

use super::classify::{Verdict, refusal};
use super::{Answer, hint};
use crate::catalog::{ErrorRule, FaultName, Provider};
use crate::kit::fault::Scope;
use crate::kit::{Kind, Time};

/// What the first row that fits says.
pub(super) fn first(provider: &Provider, answer: &Answer, now: Time) -> Option<Verdict> {
    let rule = provider.errors.iter().find(|rule| fits(rule, answer))?;
    Some(verdict(rule, answer, now))
}

fn fits(rule: &ErrorRule, answer: &Answer) -> bool {
    let words = &answer.words;
    let any = |list: &[String], text: &str| list.is_empty() || list.iter().any(|one| one == text);
    let message = || words.message.to_lowercase();
    (rule.status.is_empty() || rule.status.contains(&answer.status))
        && any(&rule.code, &words.code)
        && any(&rule.kind, &words.kind)
        && rule.param.as_ref().is_none_or(|param| *param == words.param)
        && (rule.text.is_empty() || rule.text.iter().any(|text| message().contains(&text.to_lowercase())))
        && rule.at.as_ref().is_none_or(|(pointer, value)| stands_at(&words.json, pointer, value))
}

/// Whether a value stands at a pointer; `*` and `?` are wildcards, so `*` asks only that there is one.
fn stands_at(json: &Value, pointer: &str, value: &str) -> bool {
    let glob = WildMatch::new(value);
    match json.pointer(pointer) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => glob.matches(text),
        Some(other) => glob.matches(&other.to_string()),
    }
}

fn verdict(rule: &ErrorRule, answer: &Answer, now: Time) -> Verdict {
    let wait = hint::wait(answer, now).or_else(|| rule.wait(now));
    let kind = match rule.fault {
        FaultName::Invalid => return refusal(answer),
        FaultName::Filtered => Kind::Filtered,
        FaultName::KeyRejected => Kind::KeyRejected,
        FaultName::Blocked => Kind::Blocked,
        FaultName::OutOfCredit => Kind::OutOfCredit(
            hint::resets_at(&answer.words, now).or_else(|| rule.wait(now).map(|wait| now.after(wait))),
        ),
        FaultName::Throttled => Kind::Throttled(wait, Scope::Model),
        FaultName::ThrottledAccount => Kind::Throttled(wait, Scope::Account),
        FaultName::Busy => Kind::Throttled(wait, Scope::Concurrency),
        FaultName::ModelMissing => Kind::ModelMissing,
        FaultName::Overloaded => Kind::Overloaded(wait),
        FaultName::Upstream => Kind::Upstream(answer.status),
    };
    kind.into()
}
