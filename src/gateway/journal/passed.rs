//! What a call's record says of accounts that did not take it, and of a call that none was asked for.

use super::Journal;
use crate::accounts::NotBefore;
use crate::kit::Fault;
use crate::store::{Decision, Entry};

/// Of what kept a call waiting, so many accounts are named.
const NAMED: usize = 5;

impl Journal {
    /// Notes why the accounts of a route were passed over.
    pub(in crate::gateway) fn passed_over(&mut self, route: &str, not: &NotBefore) {
        let all = not.verdicts.iter().map(|verdict| Decision {
            route: route.to_owned(),
            account: verdict.account.clone(),
            verdict: verdict.why.clone(),
        });
        self.with(|entry| entry.decisions.extend(all));
    }

    /// Notes why the call had to wait before it got its account; nothing is known of one that stood behind others.
    pub(in crate::gateway) fn waited_for(&mut self, route: &str, not: Option<&NotBefore>) {
        let named = not.into_iter().flat_map(|not| not.verdicts.iter().take(NAMED)).map(|verdict| Decision {
            route: route.to_owned(),
            account: verdict.account.clone(),
            verdict: format!("{}; the call waited", verdict.why),
        });
        self.with(|entry| entry.decisions.extend(named));
    }

    /// Notes that the call was sent as often as it may be.
    pub(in crate::gateway) fn gave_up(&mut self, fault: &Fault) {
        self.with(|entry| entry.decisions.push(in_words(entry, fault)));
    }

    /// Notes why no account was asked, where no account says as much.
    pub(super) fn unasked(&mut self, fault: &Fault) {
        self.with(|entry| {
            if entry.attempts.is_empty() && entry.decisions.is_empty() {
                entry.decisions.push(in_words(entry, fault));
            }
        });
    }
}

/// What no account is the reason of.
fn in_words(entry: &Entry, fault: &Fault) -> Decision {
    Decision { route: entry.asked.clone(), account: String::new(), verdict: fault.message.to_string() }
}
