//! An account's state as a sentence for people: what it is, why, until when, and what to do.

use crate::accounts::{Row, Standing};
use crate::kit::Time;

/// The sentence.
pub(super) fn of(row: &Row, now: Time) -> String {
    let id = &row.account.id;
    let why = if row.reason.is_empty() { String::new() } else { format!(", because: {}", row.reason) };
    let group = match (&row.account.quota_group, row.standing) {
        (Some(group), Standing::Cooling | Standing::HalfOpen) => {
            format!("; the other accounts of {group} share its limits")
        }
        _ => String::new(),
    };
    match row.standing {
        Standing::Ready if row.reason.is_empty() => format!("{id} is ready and takes calls"),
        Standing::Ready => format!("{id} is ready, but not for every model: {}", row.reason),
        Standing::Cooling => {
            let until = row.until.map_or_else(String::new, |at| format!(" until {at} ({})", left(at, now)));
            format!(
                "{id} rests{until}{why}; then one call tries it; end it now: keywheel account enable {id} --now{group}"
            )
        }
        Standing::HalfOpen => format!("{id} has rested, and the next call tries whether it is well again{why}{group}"),
        Standing::NoSecret => format!("{id} takes no calls, since it has no secret: {}", row.reason),
        Standing::NeedsLogin => {
            format!("{id} takes no calls until somebody logs in{why}; run: keywheel account login {id}")
        }
        Standing::Disabled => format!("{id} is switched off by a person; switch it on: keywheel account enable {id}"),
    }
}

/// How long it still is, in the two largest units.
fn left(at: Time, now: Time) -> String {
    let seconds = at.since(now).as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s left"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s left"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min left"),
        (days, hours, ..) => format!("{days} d {hours} h left"),
    }
}
