//! Budgets that hold: what a call may cost at most is set aside before it is sent, and settled once when it is over.

mod board;
pub mod period;
mod refused;
mod rule;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use board::{Board, Counter, Key};
use period::Period;
pub use refused::{Full, Refused};
use rule::Rule;
pub use rule::Scope;

use crate::config::{BudgetKind, Each, Per, Settings};
use crate::kit::{Money, Time};
use crate::store::{Durable, Entry, Ledger, Over};

/// Every budget in force, and what is spent of it.
#[derive(Default)]
pub struct Budgets {
    /// Whether there is any, so that whoever has none pays for one load.
    any: AtomicBool,
    // a std mutex, one for all budgets, since a call takes of several or of none; held for a few look-ups and for packing
    // and queueing an entry, never across an await or a disk access
    board: Mutex<Board>,
}

/// What is set aside for a call; given back when it is dropped.
#[must_use = "dropped, it is given back"]
pub struct Reservation {
    budgets: Arc<Budgets>,
    keys: Vec<Key>,
    amount: Money,
}

/// A budget, or one part of it that is counted by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: Arc<str>,
    /// What this part is: a client, a model, a session; empty when all is counted together.
    pub of: String,
    /// What happens when it is spent.
    pub kind: BudgetKind,
    /// Over which time it counts.
    pub per: Per,
    /// What was spent.
    pub spent: Money,
    /// What calls under way may yet cost.
    pub reserved: Money,
    /// What may be spent.
    pub limit: Money,
    /// When it begins anew.
    pub resets: Option<Time>,
    /// Whether what the ledger knows is in it.
    pub counted: bool,
}

impl Budgets {
    /// Whether there is any budget.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Puts the budgets of these settings in force, and waits until the new ones know what the ledger knows. Limits change
    /// at once and counters stay; a hard budget refuses until it is counted.
    pub async fn apply(&self, ledger: &dyn Ledger, settings: &Settings, now: Time) {
        let mut counts = Vec::new();
        {
            let mut board = self.board();
            board.renew(settings);
            self.any.store(!board.rules.is_empty(), Ordering::Relaxed);
            let new: Vec<(u32, Per)> =
                board.rules.iter().filter(|rule| !rule.counted).map(|rule| (rule.id, rule.budget.counts.per)).collect();
            for (id, per) in new {
                let period = board.period(per, now);
                // asked under the lock: entries queued before it are in the sum, later ones are charged here
                let over = match per {
                    Per::Session => Over::Sessions,
                    Per::Total => Over::Since(None),
                    Per::Day | Per::Month => Over::Since(Some(period.start)),
                };
                counts.push((id, period, ledger.spent(over)));
            }
        }
        for (id, period, counting) in counts {
            match counting.await {
                Some(spent) => self.board().count(id, period, &spent),
                None => tracing::error!("a budget could not be counted, since the ledger closed"),
            }
        }
    }

    /// Whether a hard budget concerns the call.
    pub fn holds(&self, scope: &Scope<'_>) -> bool {
        let mut board = self.board();
        board.concerned(scope).iter().any(|(at, ..)| board.rules[*at].is_hard())
    }

    /// The most that the hard budgets leave for the call.
    pub fn left(&self, scope: &Scope<'_>) -> Money {
        let mut board = self.board();
        let concerned = board.concerned(scope);
        let hard = concerned.iter().filter(|(at, ..)| board.rules[*at].is_hard());
        let left = hard.map(|(at, key, _)| {
            let Counter { spent, reserved, .. } = board.counter(key);
            board.rules[*at].budget.limit.saturating_sub(spent).saturating_sub(reserved)
        });
        left.min().unwrap_or_default()
    }

    /// Sets aside what a call may cost with every hard budget that concerns it, all or none. A call without a worst case
    /// (`None`) goes on only where each of them allows it by this name.
    ///
    /// # Errors
    /// The budget that has no room for it.
    pub fn reserve(
        self: &Arc<Self>,
        scope: &Scope<'_>,
        worst: Option<Money>,
        name: &str,
    ) -> Result<Reservation, Refused> {
        let keys = self.board().reserve(scope, worst, name)?;
        Ok(Reservation { budgets: Arc::clone(self), keys, amount: worst.unwrap_or_default() })
    }

    /// Why a call could not go on, as things are; nothing is set aside.
    pub fn refusal(&self, scope: &Scope<'_>, worst: Option<Money>, name: &str) -> Option<Refused> {
        let mut board = self.board();
        let concerned = board.concerned(scope);
        let hard = concerned.into_iter().filter(|(at, ..)| board.rules[*at].is_hard());
        let refusals = hard.filter_map(|(at, key, period)| board.refusal(at, &key, period, worst, name));
        refusals.max_by_key(Refused::within)
    }

    /// The call is over: what was set aside goes back, what it cost is charged, and its entry is queued in one step, so that
    /// a budget which begins to count meets it exactly once.
    pub fn settle(&self, entry: Entry, held: Vec<Reservation>, record: impl FnOnce(Entry) -> Durable) -> Durable {
        let cost = entry.spend.cost.unwrap_or_default();
        let mut board = self.board();
        for mut reservation in held {
            board.release(&std::mem::take(&mut reservation.keys), reservation.amount);
        }
        let crossed = if cost > Money::ZERO { board.charge(&Scope::of(&entry), cost) } else { Vec::new() };
        let durable = record(entry);
        drop(board);
        for (name, counter, limit) in crossed {
            tracing::warn!("the budget {name} is spent: {} of {limit}", counter.spent);
        }
        durable
    }

    /// The soft budgets that concern a call and are spent, in words for a header; and where they send it.
    pub fn spent(&self, scope: &Scope<'_>) -> Option<(String, Option<String>)> {
        let mut board = self.board();
        let mut words = Vec::new();
        let mut route = None;
        for (at, key, period) in board.concerned(scope) {
            let rule = &board.rules[at];
            let (spent, limit) = (board.counter(&key).spent, rule.budget.limit);
            if !rule.is_hard() && spent >= limit {
                let resets = period.end.map_or_else(String::new, |end| format!(", resets at {end}"));
                words.push(format!("{}: {spent} of {limit}{resets}", rule.name));
                route = route.or_else(|| rule.budget.route.clone());
            }
        }
        (!words.is_empty()).then(|| (words.join("; "), route))
    }

    /// How every budget stands now: by name, the dearest part first.
    pub fn lines(&self, now: Time) -> Vec<Line> {
        let mut board = self.board();
        let rows = board.now(now);
        let line_of = |(at, (apart, session), period, counter): (usize, (String, String), Period, Counter)| {
            let rule = &board.rules[at];
            let counts = &rule.budget.counts;
            let parts = [
                counts.each.map(|each| (word(each), apart)),
                (counts.per == Per::Session).then_some(("session", session)),
            ];
            let of = parts.into_iter().flatten().map(|(what, which)| match which.as_str() {
                "" => format!("no {what}"),
                which => format!("{what} {which}"),
            });
            line(rule, of.collect::<Vec<_>>().join(", "), period, counter)
        };
        rows.into_iter().map(line_of).collect()
    }

    /// How every budget stands now, by the one part of it that has the least room; which part that is is not said.
    pub fn fullest(&self, now: Time) -> Vec<Line> {
        let mut board = self.board();
        let rows = board.fullest(now);
        rows.into_iter().map(|(at, period, counter)| line(&board.rules[at], String::new(), period, counter)).collect()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// How much it is.
    pub const fn amount(&self) -> Money {
        self.amount
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            self.budgets.board().release(&self.keys, self.amount);
        }
    }
}

fn line(rule: &Rule, of: String, period: Period, counter: Counter) -> Line {
    Line {
        name: Arc::clone(&rule.name),
        of,
        kind: rule.budget.kind,
        per: rule.budget.counts.per,
        spent: counter.spent,
        reserved: counter.reserved,
        limit: rule.budget.limit,
        resets: period.end,
        counted: rule.counted,
    }
}

const fn word(each: Each) -> &'static str {
    match each {
        Each::Client => "client",
        Each::Project => "project",
        Each::Account => "account",
        Each::Provider => "provider",
        Each::Model => "model",
    }
}
