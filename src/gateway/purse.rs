//! What a call has set aside of the budgets that concern it, from before it is sent until its entry is queued.

use super::Inner;
use super::budgets::{Reservation, Scope};
use super::journal::Journal;
use super::router::{Plan, Route};
use super::till::{Asked, Worst};
use super::worst::{Extent, extent};
use crate::accounts::Lease;
use crate::kit::{Fault, Kind, Money};
use crate::redact::Redacted;
use crate::store::{Hold, Spend};
use crate::wire::{Call, Edit, Payload};

/// The longest answer that is allowed where neither the call nor the model limits it.
const SPLICED: u64 = 4096;
/// A shorter one is of no use to anybody, and some providers refuse it.
const LEAST: u64 = 16;

/// What is set aside for one call.
#[derive(Default)]
pub(super) struct Purse {
    /// For the try under way.
    current: Option<Reservation>,
    /// Whether that one has gone out and is not known to have failed.
    sent: bool,
    /// For tries that broke off and may have been billed.
    lost: Vec<Reservation>,
    /// Whether the ledger holds it too.
    held: bool,
    /// What a client is told: soft budgets that are spent, and a limit that was put into its call.
    pub(super) warning: Option<String>,
    pub(super) max_tokens: Option<u64>,
}

impl Purse {
    /// The call goes out now.
    pub(super) const fn sends(&mut self) {
        self.sent = true;
    }

    /// The try under way failed. What a provider refused was not billed; what broke off may have been.
    pub(super) fn failed(&mut self, fault: &Fault, refused: bool) {
        let unclear = match fault.kind {
            Kind::Stalled | Kind::Broken => true,
            Kind::Upstream(_) => !refused,
            _ => false,
        };
        let current = self.current.take();
        if self.sent && unclear {
            self.lost.extend(current);
        }
        self.sent = false;
    }

    /// Lets the entry say what the call is charged: what it cost, else the worst case of what went out.
    pub(super) fn charge(&self, spend: &mut Spend) {
        let current = self.current.as_ref().filter(|_| self.sent && spend.cost.is_none());
        let unknown = current.into_iter().chain(&self.lost).map(Reservation::amount);
        let unknown: Vec<Money> = unknown.filter(|amount| *amount > Money::ZERO).collect();
        if !unknown.is_empty() {
            spend.cost = Some(unknown.into_iter().fold(spend.cost.unwrap_or_default(), Money::saturating_add));
            spend.estimated = true;
        }
    }

    /// All that is set aside, to be given back with the entry; and whether the ledger holds it.
    pub(super) fn empty(&mut self) -> (Vec<Reservation>, bool) {
        let mut all = std::mem::take(&mut self.lost);
        all.extend(self.current.take());
        (all, self.held)
    }
}

impl Inner {
    /// Sets aside what this try may cost, durably, before anything is sent; gives the edits back, with a limit on the answer
    /// where nothing else limits it.
    pub(super) async fn set_aside(
        &self,
        call: &Redacted,
        mut edits: Vec<Edit>,
        (route, lease): (&Route, &Lease),
        journal: &mut Journal,
    ) -> Result<Vec<Edit>, Fault> {
        let budgets = &self.books.budgets;
        if !budgets.any() {
            return Ok(edits);
        }
        let account = lease.account();
        let scope = journal.scope(call, route, Some(&account.id));
        let warning = budgets.spent(&scope).map(|(words, _)| words);
        let holds = budgets.holds(&scope);
        if !holds {
            journal.purse.warning = warning.or(journal.purse.warning.take());
            return Ok(edits);
        }
        if let Some(lag) = self.books.ledger.lag() {
            return Err(lags(&lag.why.unwrap_or_else(|| "the disk is slow".to_owned())));
        }
        let (worst, max_tokens) = self.worst(call, &mut edits, route, budgets.left(&scope));
        let name = name(call, route);
        let why = worst.as_ref().err().map_or("", String::as_str);
        let reservation = budgets.reserve(&scope, worst.as_ref().ok().copied(), &name);
        let reservation = reservation.map_err(|refused| {
            self.books.telemetry.meters.unaffordable(refused.name());
            let fault = refused.fault(why);
            journal.unaffordable(&route.name(), &account.id, &fault);
            fault
        })?;
        let (warning, amount) = (warning.or(journal.purse.warning.take()), reservation.amount());
        journal.purse.current = Some(reservation);
        (journal.purse.warning, journal.purse.max_tokens) = (warning, max_tokens);
        if amount > Money::ZERO {
            let total = journal.purse.lost.iter().map(Reservation::amount).fold(amount, Money::saturating_add);
            let hold = hold(call, route, &account.id, journal, total);
            journal.purse.held = true;
            if !self.books.ledger.hold(call.id, hold).await {
                journal.purse.current = None;
                return Err(lags("what the call may cost could not be recorded in time"));
            }
        }
        Ok(edits)
    }

    /// The most that a call can cost as it is sent, or why nobody knows; and the limit that was put on its answer, where
    /// nothing else limits it and what is `left` pays for one.
    fn worst(
        &self,
        call: &Redacted,
        edits: &mut Vec<Edit>,
        route: &Route,
        left: Money,
    ) -> (Result<Money, String>, Option<u64>) {
        let asked = Asked { provider: &route.provider.id, model: &route.model, at: call.at };
        let sent = match &call.payload {
            Payload::Json(json) => Some(json.edited(edits)),
            _ => None,
        };
        let (bound, field) = match extent(&call.method, &call.endpoint, sent.as_ref()) {
            Extent::Free => return (Ok(Money::ZERO), None),
            Extent::Unbounded(why) => return (Err(why.to_owned()), None),
            Extent::Bounded { bound, field } => (bound, field),
        };
        match self.books.till.worst(&asked, &bound, left, SPLICED) {
            Worst::Known(worst) => (Ok(worst), None),
            Worst::Limited(worst, limit) if limit >= LEAST => {
                edits.push(Edit::Set(field.into(), limit.to_string()));
                (Ok(worst), Some(limit))
            }
            Worst::Limited(..) => {
                (Err("nothing limits the answer, and what is left does not pay for one".to_owned()), None)
            }
            Worst::Unknown(why) => (Err(why.to_string()), None),
        }
    }

    /// Why the call need not even wait for an account: every route is under a budget that is spent, whoever takes it.
    pub(super) fn has_no_room(&self, call: &Call, plan: &Plan, journal: &Journal) -> Option<Fault> {
        let budgets = &self.books.budgets;
        if !budgets.any() {
            return None;
        }
        let mut found = None;
        for route in &plan.routes {
            let scope = journal.scope(call, route, None);
            // the least there is: what fits not even that is full, and edits of the body change nothing about it
            let least = Money::from_pico(1);
            let refused = budgets.refusal(&scope, Some(least), &name(call, route))?;
            let asked = Asked { provider: &route.provider.id, model: &route.model, at: call.at };
            let body = if let Payload::Json(json) = &call.payload { Some(json.edited(&[])) } else { None };
            let worst = match extent(&call.method, &call.endpoint, body.as_ref()) {
                Extent::Bounded { bound, .. } => self.books.till.at_most(&asked, &bound, SPLICED)?,
                // what is free, or may be allowed by name, is looked at when it is sent
                Extent::Free | Extent::Unbounded(_) => return None,
            };
            if worst == Money::ZERO {
                return None;
            }
            found = budgets.refusal(&scope, Some(worst), &name(call, route)).or(Some(refused));
        }
        found.map(|refused| {
            self.books.telemetry.meters.unaffordable(refused.name());
            refused.fault("")
        })
    }

    /// The plan, or the cheaper one of a soft budget that is spent and names a route.
    pub(super) fn detoured(
        &self,
        plan: Plan,
        call: &Call,
        journal: &mut Journal,
        other: impl FnOnce(&str) -> Result<Plan, Fault>,
    ) -> Plan {
        let Some(first) = plan.routes.first().filter(|_| self.books.budgets.any()) else { return plan };
        let scope = journal.scope(call, first, None);
        let Some((words, Some(route))) = self.books.budgets.spent(&scope) else { return plan };
        // where the client may not go there, it goes on as it asked
        match other(&route) {
            Ok(cheaper) => {
                journal.purse.warning = Some(format!("{words}; sent to {route}"));
                cheaper
            }
            Err(_) => plan,
        }
    }
}

/// What `allow_unpriced` is asked for.
fn name(call: &Call, route: &Route) -> String {
    let what = if route.model.is_empty() { call.endpoint.path() } else { &route.model };
    format!("{}/{what}", route.provider.id)
}

fn lags(why: &str) -> Fault {
    let words = format!(
        "calls under a hard budget wait for the ledger, which is behind: {why}; try again in a second, and see: keywheel \
         status"
    );
    Fault::new(Kind::LedgerLag, words)
}

fn hold(call: &Call, route: &Route, account: &str, journal: &Journal, cost: Money) -> Hold {
    let scope: Scope<'_> = journal.scope(call, route, Some(account));
    let text = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Hold {
        at: call.at,
        client: scope.client.to_owned(),
        endpoint: call.endpoint.path().to_owned(),
        asked: call.model.clone().unwrap_or_default(),
        provider: route.provider.id.clone(),
        account: account.to_owned(),
        model: route.model.clone(),
        stream: call.stream,
        bytes_in: match &call.payload {
            Payload::Json(body) => body.bytes().len() as u64,
            _ => 0,
        },
        project: scope.project.map(str::to_owned),
        session_id: scope.session.map(str::to_owned),
        run_id: text("x-keywheel-run"),
        parent_id: text("x-keywheel-parent"),
        cost,
    }
}
