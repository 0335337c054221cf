//! The way of one call: for each route and account, park, lease, try, and decide by the fault what comes next.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{Attempt, Opened};
use super::journal::Journal;
use super::parking::Ticket;
use super::router::{Plan, Query};
use super::{Inner, Trace, session};
use crate::accounts::{Lease, NotBefore, Wanted};
use crate::config::{Account, Settings};
use crate::kit::{Blame, Fault, Kind, Next, Secret, Time};
use crate::redact::{self, Redacted};
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

/// What the next attempt goes to.
struct Chosen {
    /// The route's place in the plan.
    at: usize,
    lease: Lease,
    /// Newer than the account's secret that was just refused.
    newer: Option<Secret>,
}

/// Why an attempt failed.
struct Failure {
    fault: Fault,
    /// With this secret the same account may take the call after all.
    newer: Option<Secret>,
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
            Ok(plan) => self.dispatch(redact::pass(call), &settings, &plan, &mut journal).await,
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
        mut call: Redacted,
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
        let mut again = None;
        while tries.count < MOST_ATTEMPTS {
            let found = match again.take() {
                Some(found) => Ok(found),
                None => self.lease(&call, settings, plan, &tries, affinity, deadline, journal).await,
            };
            let chosen = match found {
                Ok(found) => found,
                Err(not) => return Err(tries.fail(&not)),
            };
            let upload = matches!(call.payload, Payload::Upload(_));
            let Failure { fault, newer } = match self.attempt(&mut call, settings, plan, &chosen, journal).await {
                Ok(opened) => return Ok((opened, chosen.lease)),
                Err(failure) => failure,
            };
            journal.fault(&fault);
            let begun = upload && !matches!(call.payload, Payload::Upload(_));
            if let Some(secret) = newer {
                if begun {
                    return Err((out_of_date(chosen.lease.account()), None));
                }
                again = Some(tries.renew(chosen, fault, secret));
                continue;
            }
            let lease = chosen.lease;
            // what broke on the client's side before any answer says nothing of the account
            if fault.kind.blame() != Blame::Client || journal.answered() {
                lease.failed(&fault);
            }
            if fault.kind == Kind::KeyRejected {
                self.credentials.rejected(lease.account());
            }
            if begun || fault.kind.next() == Next::Stop {
                return Err((fault, None));
            }
            again = tries.learn(chosen.at, lease, fault, settings);
        }
        Err(tries.fail(&NotBefore::default()))
    }

    /// One attempt. A refused key is no rejected key while a newer one can be had.
    async fn attempt(
        &self,
        call: &mut Redacted,
        settings: &Settings,
        plan: &Plan,
        chosen: &Chosen,
        journal: &mut Journal,
    ) -> Result<Opened, Failure> {
        let Chosen { at, lease, newer } = chosen;
        let (route, account) = (&plan.routes[*at], lease.account());
        journal.attempt(&route.provider.id, &account.id, &route.model);
        let secret = match newer {
            Some(newer) => Some(newer.clone()),
            None => self.secret(account).await?,
        };
        let attempt = Attempt { inner: self, settings, plan, route, lease, secret: secret.as_ref() };
        let fault = match attempt.run(call, journal).await {
            Ok(opened) => return Ok(opened),
            Err(fault) => fault,
        };
        match secret {
            Some(refused) if fault.kind == Kind::KeyRejected && newer.is_none() => {
                let newer = self.renewed(account, &refused).await?;
                Err(Failure { fault, newer })
            }
            _ => Err(fault.into()),
        }
    }

    /// The next account along the routes, waiting for one where that helps.
    #[expect(clippy::too_many_arguments, reason = "everything that a choice depends on, named at its only call")]
    async fn lease(
        &self,
        call: &Redacted,
        settings: &Settings,
        plan: &Plan,
        tries: &Tries,
        affinity: Option<u64>,
        deadline: Instant,
        journal: &mut Journal,
    ) -> Result<Chosen, NotBefore> {
        let seek = || {
            let mut nearest = NotBefore::default();
            for (at, route) in plan.routes.iter().enumerate() {
                let (provider, model) = (route.provider.id.as_str(), route.model.as_str());
                let tried = [tries.tried.as_slice(), tries.shut[at].as_slice()].concat();
                let wanted = Wanted { provider, model, strategy: plan.strategy, affinity, tried: &tried };
                match self.pool.try_lease(wanted) {
                    Ok(lease) => return Ok(Chosen { at, lease, newer: None }),
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
    /// Takes in a failed attempt; gives back what is chosen for one more where the same account gets a second chance.
    /// Accounts that cool down are kept away by the pool itself.
    fn learn(&mut self, at: usize, lease: Lease, fault: Fault, settings: &Settings) -> Option<Chosen> {
        self.count += 1;
        let account = Arc::clone(lease.account());
        let (next, blame) = (fault.kind.next(), fault.kind.blame());
        self.last = Some(fault);
        match next {
            Next::SameAccount if !self.repeated.iter().any(|other| other.id == account.id) => {
                self.repeated.push(account);
                return lease.again().map(|lease| Chosen { at, lease, newer: None });
            }
            Next::OtherRoute => {
                // an account with an address of its own is another place, which may have what this one lacks
                let beside =
                    |other: &&Arc<Account>| other.provider == account.provider && other.base_url == account.base_url;
                self.shut[at].extend(settings.accounts.iter().filter(beside).cloned());
            }
            _ if matches!(blame, Blame::Account | Blame::AccountModel) => {}
            _ => self.tried.push(account),
        }
        None
    }

    /// Takes in a refused secret: the account is not to blame, and gets the call once more with a newer one.
    fn renew(&mut self, refused: Chosen, fault: Fault, secret: Secret) -> Chosen {
        self.count += 1;
        self.last = Some(fault);
        Chosen { newer: Some(secret), ..refused }
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

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, newer: None }
    }
}

/// An upload was refused for a secret that has been renewed since; its bytes are gone, so only the client can send it
/// once more.
fn out_of_date(account: &Account) -> Fault {
    let id = &account.id;
    let words = format!("the secret of account {id} was out of date and has been renewed; send the upload again");
    Fault::new(Kind::StaleToken(Duration::ZERO), words)
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
