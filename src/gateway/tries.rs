//! What has been tried of a call, what that teaches, and what the client is told when nothing is left to try.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Remedy;
use super::router::Plan;
use crate::accounts::{Lease, NotBefore};
use crate::catalog::AdapterName;
use crate::config::{Account, Settings};
use crate::kit::{Blame, Fault, Kind, Next, Secret, Time};
use crate::wire::{Call, Edit};

/// How long to wait, about, before a provider that is short of capacity is asked once more.
const MOMENT: Duration = Duration::from_secs(1);

/// Where the provider itself asks for a longer wait than this, another route is better.
const LONGEST_MOMENT: Duration = Duration::from_secs(5);

/// What the next attempt goes to.
pub(super) struct Chosen {
    /// The route's place in the plan.
    pub(super) at: usize,
    pub(super) lease: Lease,
    /// Newer than the account's secret that was just refused.
    pub(super) newer: Option<Secret>,
}

/// A second chance for an account.
pub(super) struct Repeat {
    pub(super) at: usize,
    pub(super) lease: Lease,
    pub(super) after: Duration,
}

/// What has been tried so far.
pub(super) struct Tries<'a> {
    pub(super) settings: &'a Settings,
    pub(super) plan: &'a Plan,
    /// After this it is better to say no.
    pub(super) deadline: Instant,
    /// Accounts that failed without cooling down.
    pub(super) tried: Vec<Arc<Account>>,
    /// For each route, whether an account got its second chance after a provider's failure.
    pub(super) repeated: Vec<bool>,
    /// For each route, the accounts at an address that is short of capacity.
    pub(super) shut: Vec<Vec<Arc<Account>>>,
    /// What an adapter changed in the call after a refusal; it stays for all that speak the same dialect.
    pub(super) amended: Option<(AdapterName, Vec<Edit>)>,
    pub(super) count: usize,
    pub(super) last: Option<Fault>,
}

impl<'a> Tries<'a> {
    /// Nothing has been tried yet.
    pub(super) fn new(settings: &'a Settings, plan: &'a Plan, deadline: Instant) -> Self {
        Self {
            settings,
            plan,
            deadline,
            tried: Vec::new(),
            repeated: vec![false; plan.routes.len()],
            shut: vec![Vec::new(); plan.routes.len()],
            amended: None,
            count: 0,
            last: None,
        }
    }

    /// The line in which the call waits: with the others of its plan, or alone once it may not use every account of it,
    /// since what keeps it waiting need not keep them.
    pub(super) fn line(&self, call: &Call) -> String {
        let name = call.model.as_deref().unwrap_or_default();
        let providers = self.plan.routes.iter().map(|route| route.provider.id.as_str());
        let of = match name {
            "" => providers.collect::<Vec<_>>().join(", "),
            name => name.to_owned(),
        };
        match self.tried.is_empty() && self.shut.iter().all(Vec::is_empty) {
            true => of,
            false => format!("{of}, call {}", call.id),
        }
    }

    /// Takes in a failed attempt; gives back the lease where the same account gets a second chance. Accounts that cool down
    /// are kept away by the pool itself.
    pub(super) fn learn(&mut self, at: usize, lease: Lease, fault: Fault) -> Option<Repeat> {
        self.count += 1;
        let account = Arc::clone(lease.account());
        let (kind, blame) = (fault.kind, fault.kind.blame());
        // what only the gateway's owner can mend tells the client less than anything else that was said
        if self.last.as_ref().is_none_or(|last| for_the_owner(last.kind) || !for_the_owner(kind)) {
            self.last = Some(fault);
        }
        match kind.next() {
            Next::SameAccount if !self.repeated[at] => {
                self.repeated[at] = true;
                return Some(Repeat { at, lease, after: Duration::ZERO });
            }
            Next::SameLater | Next::OtherRoute => {
                // an account with an address of its own is another place, which may have what this one lacks
                let beside =
                    |other: &&Arc<Account>| other.provider == account.provider && other.base_url == account.base_url;
                self.shut[at].extend(self.settings.accounts.iter().filter(beside).cloned());
                let after = moment(kind, &lease).filter(|_| !self.repeated[at])?;
                self.repeated[at] = true;
                return Some(Repeat { at, lease, after });
            }
            _ if matches!(blame, Blame::Account | Blame::AccountModel) => {}
            _ => self.tried.push(account),
        }
        None
    }

    /// Takes in a refusal that can be mended: the account is not to blame, and gets the call once more.
    pub(super) fn mend(&mut self, refused: Chosen, fault: Fault, remedy: Remedy) -> Chosen {
        self.count += 1;
        self.last = Some(fault);
        match remedy {
            Remedy::Secret(newer) => Chosen { newer: Some(newer), ..refused },
            Remedy::Edits(edits) => {
                self.amended = Some((self.plan.routes[refused.at].provider.adapter, edits));
                refused
            }
        }
    }

    /// What the client is told once the call was sent as often as it may be: what the last attempt failed with, and when
    /// another call could do better.
    pub(super) fn give_up(self, outlook: &NotBefore) -> (Fault, Option<Time>) {
        let fault = self.last.unwrap_or_else(|| exhausted(outlook));
        (given_up(fault, self.count), outlook.at)
    }

    /// What the client is told when nothing is left to try: what the last attempt failed with, unless waiting for an
    /// account would have helped.
    pub(super) fn fail(self, not: &NotBefore) -> (Fault, Option<Time>) {
        let waiting_helps = not.busy || not.verdicts.iter().any(|verdict| passes(verdict.kind));
        let own = |fault: &Fault| matches!(fault.kind.blame(), Blame::Account | Blame::AccountModel);
        let fault = match self.last {
            Some(fault) if !(own(&fault) && waiting_helps) => fault,
            _ => exhausted(not),
        };
        (fault, not.at)
    }
}

/// The fault of the last attempt, saying that it was the last.
fn given_up(mut fault: Fault, count: usize) -> Fault {
    let Fault { message, said, .. } = &mut fault;
    *message = format!("given up after {count} attempts, the most that one call gets; the last one: {message}").into();
    // its status stays the provider's, its words are ours
    said.iter_mut().for_each(|said| said.body.clear());
    fault
}

/// When a second try at the same account makes sense; `None` where it does not.
fn moment(kind: Kind, lease: &Lease) -> Option<Duration> {
    match kind {
        Kind::Overloaded(Some(hint)) => Some(hint).filter(|hint| *hint <= LONGEST_MOMENT),
        Kind::Overloaded(None) => Some(lease.spread(MOMENT)),
        _ => None,
    }
}

/// Whether a failure concerns the gateway's owner and not its client.
const fn for_the_owner(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::KeyRejected | Kind::Blocked | Kind::NeedsLogin | Kind::StaleToken(_) | Kind::VaultLocked | Kind::NoSecret
    )
}

/// Whether a failure passes by itself within a client's reach.
const fn passes(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::Throttled(..)))
}

/// No account is left. Where only people could mend that, the client hears what it heard when it was found out, and no
/// 429 that it would answer by asking again.
fn exhausted(not: &NotBefore) -> Fault {
    let why: Vec<String> = not.verdicts.iter().take(5).map(|v| format!("{}: {}", v.account, v.why)).collect();
    let when = not.at.map_or(String::new(), |at| format!(" before {at}"));
    let lacking = |kind: Option<Kind>| kind.is_some_and(Kind::lacks_secret);
    // each of these says itself what to do
    let what = match not.verdicts.iter().all(|verdict| lacking(verdict.kind)) {
        true if !not.verdicts.is_empty() => "",
        _ => "; wait, add an account, or route to another provider",
    };
    let kinds = || not.verdicts.iter().filter_map(|verdict| verdict.kind);
    let kind = match kinds().next_back() {
        _ if not.busy || kinds().any(|kind| passes(Some(kind))) => Kind::Exhausted(not.at),
        // none of them is for this model, and that does not change with time
        None if not.at.is_none() && !not.verdicts.is_empty() => Kind::ModelMissing,
        None => Kind::Exhausted(not.at),
        Some(last) => kinds().find(|kind| matches!(kind, Kind::Overloaded(_))).unwrap_or(last),
    };
    if let ([only], "") = (not.verdicts.as_slice(), what) {
        let (named, why) = (format!("account {}", only.account), only.why.clone());
        // some say themselves whose secret is not to be had
        return Fault::new(kind, if why.starts_with(&named) { why } else { format!("{named}: {why}") });
    }
    Fault::new(kind, format!("no account can take this call{when} ({}){what}", why.join("; ")))
}
