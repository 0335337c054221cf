//! The way of one call: for each route and account, park, lease, try, and decide by the fault what comes next.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Opened};
use super::failure::{Failure, Remedy, out_of_date};
use super::journal::Journal;
use super::parking::Ticket;
use super::restore::{restored, veiled};
use super::router::{Plan, Query};
use super::tries::{Chosen, Repeat, Tries};
use super::unnamed::unnamed;
use super::{Inner, Trace, expect, reason, session};
use crate::accounts::{Lease, NotBefore, PROGRAM, Wanted};
use crate::config::{Account, Settings, Strategy};
use crate::kit::{Blame, Fault, Kind, Next, Time};
use crate::redact::Unsent;
use crate::store::Outcome;
use crate::wire::{Call, Payload};

/// The least that an account's secret is waited for, however impatient the client is: longer than a program may take for
/// it, so that what became of the program is known.
const SECRET: Duration = PROGRAM.saturating_add(Duration::from_secs(2));

/// However many accounts there are, a call is sent no oftener. Each eligible account gets it once; what is sent besides
/// counts too: one second chance for each route after a provider's failure, and what an account refused and was mended.
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

impl Inner {
    /// Brings a call to the point where its answer begins.
    pub(super) async fn open(self: Arc<Self>, call: Call, settings: Arc<Settings>) -> Result<Started, Failed> {
        let mut journal = Journal::open(&call, Arc::clone(&self.books));
        journal.tap = self.books.capture.tap(&call, &settings);
        let (named, level) = reason::split(call.model.as_deref(), &settings);
        let query = Query {
            settings: &settings,
            models: &self.models,
            pool: &self.pool,
            caller: &call.caller,
            endpoint: &call.endpoint,
            model: named,
            provider: call.headers.get("x-keywheel-provider").and_then(|value| value.to_str().ok()),
        };
        let hide = call.caller.hide_account;
        self.known.heed(&settings.national_ids);
        let planned = query.plan().and_then(|plan| {
            let asked = reason::asked(&call.headers)?.or(level);
            let other = |route: &str| Query { model: Some(route), ..query }.plan();
            let plan = self.detoured(plan, &call, &mut journal, other);
            self.has_no_room(&call, &plan, &journal).map_or(Ok(Plan { asked, ..plan }), Err)
        });
        let result = match planned {
            Ok(plan) => match self.pool.admit(&call.caller.name, expect::need(&call)) {
                Ok(guest) => {
                    journal.guest = guest;
                    self.dispatch(Unsent::new(call), &settings, &plan, &mut journal).await
                }
                Err(fault) => Err((fault, None)),
            },
            Err(fault) => Err((fault, None)),
        };
        match result {
            Ok((opened, lease)) => {
                journal.opened(&opened);
                Ok(Started { opened, lease, journal })
            }
            Err((fault, reset)) => {
                // also what the gateway itself says may repeat what a client wrote
                let mut fault = self.known.clean_fault(fault);
                if hide {
                    fault.message = unnamed(&fault.message, &settings).into();
                }
                journal.refused(&fault);
                let trace = journal.trace();
                drop(journal.finish(Outcome::Failed, fault.status()));
                Err(Failed { fault, trace, reset })
            }
        }
    }

    async fn dispatch(
        self: &Arc<Self>,
        mut call: Unsent,
        settings: &Settings,
        plan: &Plan,
        journal: &mut Journal,
    ) -> Result<(Opened, Lease), (Fault, Option<Time>)> {
        let affinity = session::affinity(&call);
        let patience =
            call.patience.map_or(settings.parking.max_wait, |own| settings.parking.max_wait.min(own * 9 / 10));
        let mut tries = Tries::new(settings, plan, Instant::now() + patience);
        let deadline = tries.deadline;
        let mut again = None;
        while tries.count < MOST_ATTEMPTS {
            let found = match again.take() {
                Some(found) => Ok(found),
                None => self.lease(&call, &tries, affinity, deadline, journal).await,
            };
            let chosen = match found {
                Ok(found) => found,
                Err(not) => return Err(tries.fail(&not)),
            };
            let upload = matches!(call.payload, Payload::Upload(_));
            // boxed: a call that waits for an account need not hold the room that one under way takes
            let tried = Box::pin(self.attempt(&mut call, &tries, &chosen, journal)).await;
            let Failure { fault, remedy } = match tried {
                Ok(opened) => return Ok((opened, chosen.lease)),
                Err(failure) => failure,
            };
            let fault = self.known.clean_fault(fault);
            journal.fault(&fault);
            journal.failed(&fault);
            let begun = upload && !matches!(call.payload, Payload::Upload(_));
            if let Some(remedy) = remedy {
                if begun {
                    return Err((out_of_date(chosen.lease.account()), None));
                }
                again = Some(tries.mend(chosen, fault, remedy));
                continue;
            }
            let lease = chosen.lease;
            // what broke on the client's side before any answer says nothing of the account
            if fault.kind.blame() != Blame::Client || journal.answered() {
                lease.failed(&fault);
            }
            match fault.kind {
                Kind::KeyRejected => self.credentials.rejected(lease.account()),
                Kind::ModelMissing => self.model_missing(&plan.routes[chosen.at].provider),
                _ => {}
            }
            if begun || fault.kind.next() == Next::Stop {
                return Err((fault, None));
            }
            again = match tries.learn(chosen.at, lease, fault) {
                // nobody waits for a try that will not be
                Some(repeat) if tries.count < MOST_ATTEMPTS => self.repeat(repeat, settings, deadline, journal).await,
                _ => None,
            };
        }
        let outlook = self.outlook(&call, plan);
        let (fault, reset) = tries.give_up(&outlook);
        journal.gave_up(&fault);
        Err((fault, reset))
    }

    /// One attempt. A refused key is no rejected key while a newer one can be had.
    async fn attempt(
        &self,
        call: &mut Unsent,
        tries: &Tries<'_>,
        chosen: &Chosen,
        journal: &mut Journal,
    ) -> Result<Opened, Failure> {
        let Tries { settings, plan, .. } = *tries;
        let Chosen { at, lease, newer } = chosen;
        let (route, account) = (&plan.routes[*at], lease.account());
        // what may not be sent is no attempt
        let policy = plan.redact(route, settings.clients.get(&call.caller.name));
        let meters = &self.books.telemetry.meters;
        let call = match call.pass(policy, &self.known) {
            Ok(call) => call,
            Err(fault) => {
                meters.blocked(call.refused());
                return Err(fault.into());
            }
        };
        let amendment = tries.amended.as_ref().filter(|(adapter, _)| *adapter == route.provider.adapter);
        let amendment = amendment.map(|(_, edits)| edits.as_slice());
        let mut attempt = Attempt { inner: self, settings, plan, route, lease, secret: None, amendment };
        let edits = attempt.edits(call, journal);
        let edits = self.set_aside(call, edits, (route, lease), journal).await?;
        journal.attempt(&route.provider.id, &account.id, &route.model);
        let secret = match newer {
            Some(newer) => Some(newer.clone()),
            None => match timeout_at(tries.deadline.max(Instant::now() + SECRET), self.secret(account)).await {
                Ok(secret) => secret?,
                // what fetches it goes on, for the next call
                Err(_) => return Err(late_secret(account).into()),
            },
        };
        attempt.secret = secret.as_ref();
        let failure = match attempt.run(call, &edits, journal).await {
            Ok(opened) => {
                lease.answered();
                let masks = call.masks();
                masks.iter().flat_map(|masks| masks.rules()).for_each(|(rule, texts)| meters.masked(rule, texts));
                let opened = restored(opened, masks);
                return Ok(veiled(opened, reason::show(settings, &call.caller), &call.endpoint));
            }
            Err(failure) => failure,
        };
        match secret {
            Some(refused) if failure.fault.kind == Kind::KeyRejected && newer.is_none() => {
                let newer = self.renewed(account, &refused).await?;
                Err(Failure { remedy: newer.map(Remedy::Secret), ..failure })
            }
            _ => Err(failure),
        }
    }

    /// The same account once more, if need be after a moment; `None` where something stands in its way.
    async fn repeat(
        &self,
        repeat: Repeat,
        settings: &Settings,
        deadline: Instant,
        journal: &mut Journal,
    ) -> Option<Chosen> {
        let Repeat { at, lease, after } = repeat;
        if !after.is_zero() {
            // the lease is kept: where capacity is short, another call in its place would not help
            journal.waits();
            let paused = self.parking.pause(after, deadline, settings.parking.max_parked).await;
            journal.waited();
            if !paused {
                return None;
            }
        }
        lease.again().map(|lease| Chosen { at, lease, newer: None })
    }

    /// The next account along the routes, waiting for one where that helps.
    async fn lease(
        &self,
        call: &Call,
        tries: &Tries<'_>,
        affinity: Option<u64>,
        deadline: Instant,
        journal: &mut Journal,
    ) -> Result<Chosen, NotBefore> {
        let Tries { settings, plan, .. } = *tries;
        let need = expect::need(call);
        let tried: Vec<_> = tries.shut.iter().map(|shut| [tries.tried.as_slice(), shut].concat()).collect();
        let prices = expect::prices(call, plan, &self.books.till, call.at);
        let wanted: Vec<Wanted<'_>> = std::iter::zip(&plan.routes, std::iter::zip(&tried, prices))
            .map(|(route, (tried, price))| Wanted {
                provider: &route.provider.id,
                model: &route.model,
                strategy: plan.strategy,
                affinity,
                tried,
                need,
                price,
            })
            .collect();
        // routes are a chain to fall back along; only a price is compared across them
        let together = if plan.strategy == Strategy::Cheapest { wanted.len() } else { 1 };
        let first = OnceLock::new();
        let seek = || {
            let mut nearest = NotBefore::default();
            for (step, routes) in wanted.chunks(together).enumerate() {
                match self.pool.try_any(routes) {
                    Ok((at, lease)) => return Ok(Chosen { at: step * together + at, lease, newer: None }),
                    Err(not) => nearest.join(not),
                }
            }
            first.get_or_init(|| nearest.clone());
            Err(nearest)
        };
        let name = call.model.as_deref().unwrap_or_default();
        let line = tries.line(call);
        let (client, room) = (&call.caller.name, settings.parking.max_parked);
        let ticket = Ticket { plan: &line, client, deadline, room, call: call.id };
        let began = Instant::now();
        journal.waits();
        let mut found = self.parking.enter(&self.pool, &self.clock, ticket, seek).await;
        if let Err(not) = &found
            && timeout_at(deadline.max(began + SECRET), self.mended(settings, not)).await == Ok(true)
        {
            found = self.parking.enter(&self.pool, &self.clock, ticket, seek).await;
        }
        let waited = journal.waited();
        match &found {
            Ok(Chosen { at, lease, .. }) => {
                if waited {
                    journal.waited_for(name, first.get());
                }
                let route = |beside: usize| plan.routes[at - at % together + beside].name();
                journal.chose(lease.choice(route));
            }
            Err(not) => journal.passed_over(name, not),
        }
        found
    }
}

/// Its key or token did not come in time, which says nothing against the account.
fn late_secret(account: &Account) -> Fault {
    let id = &account.id;
    Fault::new(Kind::NoSecret, format!("the secret of account {id} has not come yet; send the request again"))
}
