//! The way of one call: for each route and account, park, lease, try, and decide by the fault what comes next.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{Attempt, Opened};
use super::journal::Journal;
use super::parking::Ticket;
use super::restore::restored;
use super::router::{Plan, Query};
use super::{Inner, Trace, session};
use crate::accounts::{Lease, NotBefore, Wanted};
use crate::config::{Account, Settings};
use crate::kit::{Blame, Fault, Kind, Next, Time};
use crate::redact::Unsent;
use crate::store::Outcome;
use crate::wire::{Call, Payload};

/// However many accounts there are, a call is tried no oftener.
const MOST_ATTEMPTS: usize = 5;

/// A call whose answer has begun.
pub(super) struct Started {
    pub(super) opened: Opened,
    pub(super) lease: Lease,
    pub(super) journal: Journal,
}

/// A call that failed before any byte went to the client.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) trace: Trace,
    /// When it could succeed, where that is known.
    pub(super) reset: Option<Time>,
}

/// What has been tried so far.
struct Tries {
    /// Accounts that failed without cooling down.
    tried: Vec<Arc<Account>>,
    /// Accounts that get one more chance after a provider's failure.
    repeated: Vec<Arc<Account>>,
    /// For each route, the accounts at an address that is short of capacity.
    shut: Vec<Vec<Arc<Account>>>,
    count: usize,
    last: Option<Fault>,
}

impl Inner {
    /// Brings a call to the point where its answer begins.
    pub(super) async fn open(self: Arc<Self>, call: Call, settings: Arc<Settings>) -> Result<Started, Failed> {
        let mut journal = Journal::open(&call, Arc::clone(&self.ledger), Arc::clone(&self.in_flight));
        let query = Query {
            settings: &settings,
            models: &self.models,
            pool: &self.pool,
            caller: &call.caller,
            endpoint: &call.endpoint,
            model: call.model.as_deref(),
            provider: call.headers.get("x-keywheel-provider").and_then(|value| value.to_str().ok()),
        };
        let result = match query.plan() {
            Ok(plan) => self.dispatch(Unsent::new(call), &settings, &plan, &mut journal).await,
            Err(fault) => Err((fault, None)),
        };
        match result {
            Ok((opened, lease)) => Ok(Started { opened, lease, journal }),
            Err((fault, reset)) => {
                let trace = journal.trace();
                drop(journal.finish(Outcome::Failed, fault.status()));
                Err(Failed { fault, trace, reset })
            }
        }
    }

    async fn dispatch(
        &self,
        mut call: Unsent,
        settings: &Settings,
        plan: &Plan,
        journal: &mut Journal,
    ) -> Result<(Opened, Lease), (Fault, Option<Time>)> {
        let affinity = session::affinity(&call);
        let mut tries = Tries {
            tried: Vec::new(),
            repeated: Vec::new(),
            shut: vec![Vec::new(); plan.routes.len()],
            count: 0,
            last: None,
        };
        let patience =
            call.patience.map_or(settings.parking.max_wait, |own| settings.parking.max_wait.min(own * 9 / 10));
        let deadline = Instant::now() + patience;
        self.known.heed(&settings.national_ids);
        let mut again = None;
        while tries.count < MOST_ATTEMPTS {
            let found = match again.take() {
                Some(found) => Ok(found),
                None => self.lease(&call, settings, plan, &tries, affinity, deadline, journal).await,
            };
            let (at, lease) = match found {
                Ok(found) => found,
                Err(not) => return Err(tries.fail(&not)),
            };
            let route = &plan.routes[at];
            let policy = plan.redact(route, settings.clients.get(&call.caller.name));
            let passed = call.pass(policy, &self.known).map_err(|fault| (fault, None))?;
            journal.attempt(&route.provider.id, &lease.account().id, &route.model);
            let upload = matches!(passed.payload, Payload::Upload(_));
            let attempt = Attempt { inner: self, settings, plan, route, lease: &lease };
            match attempt.run(passed, journal).await {
                Ok(opened) => return Ok((restored(opened, passed.masks()), lease)),
                Err(fault) => {
                    journal.fault(&fault);
                    // what broke on the client's side before any answer says nothing of the account
                    if fault.kind.blame() != Blame::Client || journal.answered() {
                        lease.failed(&fault);
                    }
                    if fault.kind == Kind::KeyRejected {
                        self.credentials.rejected(lease.account());
                    }
                    let begun = upload && !matches!(call.payload, Payload::Upload(_));
                    if begun || fault.kind.next() == Next::Stop {
                        return Err((fault, None));
                    }
                    again = tries.learn(at, lease, fault, settings).map(|lease| (at, lease));
                }
            }
        }
        Err(tries.fail(&NotBefore::default()))
    }

    /// The next account along the routes, waiting for one where that helps.
    #[expect(clippy::too_many_arguments, reason = "everything that a choice depends on, named at its only call")]
    async fn lease(
        &self,
        call: &Call,
        settings: &Settings,
        plan: &Plan,
        tries: &Tries,
        affinity: Option<u64>,
        deadline: Instant,
        journal: &mut Journal,
    ) -> Result<(usize, Lease), NotBefore> {
        let seek = || {
            let mut nearest = NotBefore::default();
            for (at, route) in plan.routes.iter().enumerate() {
                let (provider, model) = (route.provider.id.as_str(), route.model.as_str());
                let tried = [tries.tried.as_slice(), tries.shut[at].as_slice()].concat();
                let wanted = Wanted { provider, model, strategy: plan.strategy, affinity, tried: &tried };
                match self.pool.try_lease(wanted) {
                    Ok(lease) => return Ok((at, lease)),
                    Err(not) => nearest.join(not),
                }
            }
            Err(nearest)
        };
        let name = call.model.as_deref().unwrap_or_default();
        let (client, room, returns) = (&call.caller.name, settings.parking.max_parked, tries.count > 0);
        let ticket = Ticket { plan: name, client, deadline, room, returns };
        let began = Instant::now();
        let found = self.parking.enter(&self.pool, &self.clock, ticket, seek).await;
        let waited = began.elapsed();
        if waited > Duration::from_millis(1) {
            journal.parked(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        }
        if let Err(not) = &found {
            journal.passed_over(name, not);
        }
        found
    }
}

impl Tries {
    /// Takes in a failed attempt; gives back the lease for one more where the same account gets a second chance.
    /// Accounts that cool down are kept away by the pool itself.
    fn learn(&mut self, route: usize, lease: Lease, fault: Fault, settings: &Settings) -> Option<Lease> {
        self.count += 1;
        let account = Arc::clone(lease.account());
        let (next, blame) = (fault.kind.next(), fault.kind.blame());
        self.last = Some(fault);
        match next {
            Next::SameAccount if !self.repeated.iter().any(|other| other.id == account.id) => {
                self.repeated.push(account);
                return lease.again();
            }
            Next::OtherRoute => {
                // an account with an address of its own is another place, which may have what this one lacks
                let beside =
                    |other: &&Arc<Account>| other.provider == account.provider && other.base_url == account.base_url;
                self.shut[route].extend(settings.accounts.iter().filter(beside).cloned());
            }
            _ if matches!(blame, Blame::Account | Blame::AccountModel) => {}
            _ => self.tried.push(account),
        }
        None
    }

    /// What the client is told when nothing is left to try: what the last attempt failed with, unless waiting for an
    /// account would have helped.
    fn fail(self, not: &NotBefore) -> (Fault, Option<Time>) {
        let waiting_helps = not.busy || not.verdicts.iter().any(|verdict| passes(verdict.kind));
        let own = |fault: &Fault| matches!(fault.kind.blame(), Blame::Account | Blame::AccountModel);
        let fault = match self.last {
            Some(fault) if !(own(&fault) && waiting_helps) => fault,
            _ => exhausted(not),
        };
        (fault, not.at)
    }
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
    let what = "wait, add an account, or route to another provider";
    let kinds = || not.verdicts.iter().filter_map(|verdict| verdict.kind);
    let kind = match kinds().next_back() {
        _ if not.busy || kinds().any(|kind| passes(Some(kind))) => Kind::Exhausted(not.at),
        // none of them is for this model, and that does not change with time
        None if not.at.is_none() && !not.verdicts.is_empty() => Kind::ModelMissing,
        None => Kind::Exhausted(not.at),
        Some(last) => kinds().find(|kind| matches!(kind, Kind::Overloaded(_))).unwrap_or(last),
    };
    Fault::new(kind, format!("no account can take this call{when} ({}); {what}", why.join("; ")))
}
