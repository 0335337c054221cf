//! A recorded call in words: every candidate, its terms, and why it was taken or passed over.

use super::legs;
use crate::accounts::choose_again;
use crate::config::Strategy;
use crate::operator::explained::{CandidateRow, ChoiceRow, Explained, PassedRow};
use crate::operator::{Refusal, Reply};
use crate::store::choice::{Choice, Considered};
use crate::store::{Entry, Ledger, Outcome};

/// Explains one call from a ledger. Blocking.
pub fn explain(ledger: &dyn Ledger, id: &str) -> Result<Reply, Refusal> {
    let entry = ledger.find(id).map_err(super::unreadable)?;
    let entry = entry.ok_or_else(|| Refusal::new(format!("no call has an id that begins with {id:?}")))?;
    Ok(Reply::Explained(Box::new(explained(&entry))))
}

fn explained(entry: &Entry) -> Explained {
    let attempt = |attempt: &crate::store::Attempt| {
        let status = attempt.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let why = attempt.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        format!("{} at {}/{}: {status}{why}", attempt.account, attempt.provider, attempt.model)
    };
    let passed = |decision: &crate::store::Decision| PassedRow {
        route: decision.route.clone(),
        account: decision.account.clone(),
        why: decision.verdict.clone(),
    };
    Explained {
        id: entry.id.to_string(),
        asked: entry.asked.clone(),
        sentence: sentence(entry),
        choices: entry.choices.iter().map(choice_row).collect(),
        passed_over: entry
            .decisions
            .iter()
            .filter(|one| legs::has(entry) || !one.account.is_empty())
            .map(passed)
            .collect(),
        attempts: entry.attempts.iter().map(attempt).collect(),
    }
}

fn sentence(entry: &Entry) -> String {
    let waited = match entry.parked_us / 1000 {
        0 => String::new(),
        millis => format!(" after {millis} ms of waiting for an account"),
    };
    let told = told(entry);
    match (&entry.account, entry.outcome) {
        (None, outcome) if legs::has(entry) => {
            let (became, id) = (became(outcome), entry.id);
            format!("several models had the call, which {became}; see them: keywheel requests {id}")
        }
        (None, Outcome::Left) => format!("the client left{waited}, and no account had the call"),
        (None, _) => {
            let why = told.map_or_else(String::new, |told| format!(": {told}"));
            format!("no account took the call{waited}, and it was refused with {}{why}", entry.status)
        }
        (Some(account), outcome) => {
            let why = match (told, entry.choices.len()) {
                (Some(told), _) => format!(": {told}"),
                (None, 0) => "; there was no choice, or it is longer ago than choices are kept (7 days, 100,000 calls)"
                    .to_owned(),
                (None, 1) => "; one choice was made".to_owned(),
                (None, _) => "; several choices were made".to_owned(),
            };
            format!("{account} had the call{waited}; it {}{why}", became(outcome))
        }
    }
}

/// What became of a call.
const fn became(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Failed => "failed",
        Outcome::Broken => "broke off",
        Outcome::Left => "was left by its client",
        Outcome::Interrupted => "was interrupted",
    }
}

/// What a failed call was told in the end, where that was more than what an account said.
fn told(entry: &Entry) -> Option<&str> {
    let last = entry.decisions.last().filter(|last| last.account.is_empty() && entry.outcome == Outcome::Failed)?;
    Some(&last.verdict)
}

fn choice_row(choice: &Choice) -> ChoiceRow {
    let same_again = choose_again(choice) == Some(choice.chosen);
    let chosen = choice.candidates.get(choice.chosen);
    let name = chosen.map_or("nobody", |one| one.account.as_str());
    let again = if same_again { "the same" } else { "another: this version chooses in another way" };
    let because = match chosen {
        Some(one) if choice.home => {
            format!("the session's last call used {}, and its prompt cache is there", one.account)
        }
        Some(one) => reason(choice, one),
        None => "the record is damaged".to_owned(),
    };
    let row = |(at, one): (usize, &Considered)| CandidateRow {
        account: one.account.clone(),
        route: one.route.clone(),
        chosen: at == choice.chosen,
        busy: one.busy,
        weight: one.weight,
        priority: one.priority,
        quota_left: one.share.map(|(left, _)| left),
        quota_reset: one.share.map(|(_, reset)| reset.to_string()),
        first_byte_ms: one.first_byte_us.map(|micros| u64::from(micros) / 1000),
        price_usd: one.price.map(|price| price.exact()),
        why: if at == choice.chosen {
            because.clone()
        } else {
            chosen.map_or_else(String::new, |won| lost(choice, one, won))
        },
    };
    let passed = |passed: &crate::store::choice::PassedOver| PassedRow {
        route: passed.route.clone(),
        account: passed.account.clone(),
        why: passed.why.clone(),
    };
    ChoiceRow {
        strategy: word(choice.strategy),
        sentence: format!(
            "{name}, by {}, among {}: {because}; made again from the record, the choice is {again}",
            word(choice.strategy),
            choice.candidates.len()
        ),
        same_again,
        candidates: choice.candidates.iter().enumerate().map(row).collect(),
        passed_over: choice.passed_over.iter().map(passed).collect(),
    }
}

/// The strategy as the settings write it.
fn word(strategy: Strategy) -> String {
    serde_json::to_value(strategy).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// Why the one that was taken was.
fn reason(choice: &Choice, one: &Considered) -> String {
    match choice.strategy {
        Strategy::Sticky | Strategy::FillFirst => "it is the first in the order of the configuration".to_owned(),
        Strategy::RoundRobin => format!("it was its turn, number {}", choice.turn),
        Strategy::Weighted => format!("the dice fell on it, at weight {}", one.weight),
        Strategy::LeastBusy => format!("{}, the least per weight", calls(one)),
        Strategy::QuotaOptimized => format!("{}, the most", quota(one)),
        Strategy::Cheapest => format!("{}, the least", price(one)),
        Strategy::Latency => format!("{}, the soonest", first_byte(one)),
        Strategy::Hybrid => format!("{}, {} and {} weigh best together", quota(one), first_byte(one), calls(one)),
    }
}

/// Why one that could have been taken was not.
fn lost(choice: &Choice, one: &Considered, won: &Considered) -> String {
    if choice.home {
        return format!("the session stays with {}", won.account);
    }
    if one.priority < won.priority {
        return format!("priority {} is below {}", one.priority, won.priority);
    }
    let compared = |own: String, other: String| {
        let tie = own == other;
        if tie { format!("{own} as well; the tie fell on {}", won.account) } else { format!("{own}, against {other}") }
    };
    match choice.strategy {
        Strategy::Sticky | Strategy::FillFirst => format!("it stands after {}", won.account),
        Strategy::RoundRobin => format!("it was the turn of {}", won.account),
        Strategy::Weighted => format!("the dice fell on {}", won.account),
        Strategy::LeastBusy => compared(calls(one), calls(won)),
        Strategy::QuotaOptimized => compared(quota(one), quota(won)),
        Strategy::Cheapest => compared(price(one), price(won)),
        Strategy::Latency => compared(first_byte(one), first_byte(won)),
        Strategy::Hybrid => compared(
            format!("{}, {} and {}", quota(one), first_byte(one), calls(one)),
            format!("{}, {} and {}", quota(won), first_byte(won), calls(won)),
        ),
    }
}

fn calls(one: &Considered) -> String {
    format!("{} calls under way at weight {}", one.busy, one.weight)
}

fn quota(one: &Considered) -> String {
    match one.share {
        Some((left, _)) => format!("{}.{} % of its tightest limit left", left / 10, left % 10),
        None => "no limit known".to_owned(),
    }
}

fn price(one: &Considered) -> String {
    one.price.map_or_else(|| "no price known".to_owned(), |price| format!("at most {} USD", price.exact()))
}

fn first_byte(one: &Considered) -> String {
    let millis = one.first_byte_us.map(|micros| micros / 1000);
    millis.map_or_else(|| "not measured yet".to_owned(), |millis| format!("a first byte after {millis} ms"))
}
