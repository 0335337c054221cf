//! What was spent and what is set aside, by budget: plain arithmetic, under the lock of its owner.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::period::Period;
use super::refused::{Full, Refused};
use super::rule::{Bucket, Rule, Scope};
use crate::config::{Budget, Per, Settings};
use crate::kit::{Money, Time};
use crate::store::Spent;

/// So many counters are kept at most, but for those of budgets that cannot do without: see `forget`.
const MOST: usize = 65_536;

/// A counter of one budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    rule: u32,
    since: Time,
    bucket: Bucket,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counter {
    pub(super) spent: Money,
    pub(super) reserved: Money,
    used: Time,
}

/// Every budget with its counters.
pub(super) struct Board {
    pub(super) rules: Vec<Rule>,
    counters: HashMap<Key, Counter>,
    zone: TimeZone,
    /// The day and the month of the last call that was looked at.
    periods: [Period; 2],
    next: u32,
}

impl Default for Board {
    fn default() -> Self {
        let none = Period { start: Time::MAX, end: Some(Time::MAX) };
        Self { rules: Vec::new(), counters: HashMap::new(), zone: TimeZone::UTC, periods: [none; 2], next: 0 }
    }
}

impl Board {
    /// Takes over the budgets of new settings. Those that count the same calls over the same time keep their counters.
    pub(super) fn renew(&mut self, settings: &Settings) {
        let moved = self.zone != settings.time_zone;
        self.zone = settings.time_zone.clone();
        self.periods = Self::default().periods;
        let old = std::mem::take(&mut self.rules);
        // one that was not counted is counted anew
        let same = |rule: &Rule, name: &str, budget: &Budget| {
            let zoned = matches!(budget.counts.per, Per::Day | Per::Month);
            rule.counted && *rule.name == *name && rule.budget.counts == budget.counts && !(moved && zoned)
        };
        for (name, budget) in &settings.budgets {
            let rule = match old.iter().find(|rule| same(rule, name, budget)) {
                Some(rule) => rule.renewed(Arc::clone(budget)),
                None => {
                    self.next += 1;
                    Rule::new(self.next, name, Arc::clone(budget))
                }
            };
            self.rules.push(rule);
        }
        let rules = &self.rules;
        self.counters.retain(|key, _| rules.iter().any(|rule| rule.id == key.rule));
    }

    /// Adds what the ledger knows to a budget that has not been counted yet.
    pub(super) fn count(&mut self, id: u32, period: Period, spent: &[Spent]) {
        let Some(at) = self.rules.iter().position(|rule| rule.id == id && !rule.counted) else { return };
        self.rules[at].counted = true;
        for one in spent {
            if let Some(bucket) = self.rules[at].bucket(&scope_of(one, period.start)) {
                let counter = self.counters.entry(Key { rule: id, since: period.start, bucket }).or_default();
                counter.spent = counter.spent.saturating_add(one.cost);
                counter.used = counter.used.max(one.last);
            }
        }
    }

    /// The period of a budget in which a moment lies.
    pub(super) fn period(&mut self, per: Per, at: Time) -> Period {
        let cached = match per {
            Per::Day => &mut self.periods[0],
            Per::Month => &mut self.periods[1],
            Per::Session | Per::Total => return Period::ALWAYS,
        };
        if !cached.holds(at) {
            *cached = Period::of(per, &self.zone, at);
        }
        *cached
    }

    /// The counters of the budgets that concern a call: the place of the rule, the key, and when it resets.
    pub(super) fn concerned(&mut self, scope: &Scope<'_>) -> Vec<(usize, Key, Period)> {
        let mut found = Vec::new();
        for at in 0..self.rules.len() {
            if let Some(bucket) = self.rules[at].bucket(scope) {
                let period = self.period(self.rules[at].budget.counts.per, scope.at);
                found.push((at, Key { rule: self.rules[at].id, since: period.start, bucket }, period));
            }
        }
        found
    }

    pub(super) fn counter(&self, key: &Key) -> Counter {
        self.counters.get(key).copied().unwrap_or_default()
    }

    /// Sets an amount aside with every hard budget that concerns the call, or with none: then the refusal that leaves
    /// the fewest ways open is told. `None` is a call without a worst case.
    pub(super) fn reserve(&mut self, scope: &Scope<'_>, worst: Option<Money>, name: &str) -> Result<Vec<Key>, Refused> {
        let concerned = self.concerned(scope);
        let hard = concerned.into_iter().filter(|(at, ..)| self.rules[*at].is_hard()).collect::<Vec<_>>();
        let refusals = hard.iter().filter_map(|(at, key, period)| self.refusal(*at, key, *period, worst, name));
        if let Some(refused) = refusals.max_by_key(Refused::within) {
            return Err(refused);
        }
        let Some(worst) = worst else { return Ok(Vec::new()) };
        let keys: Vec<Key> = hard.into_iter().map(|(_, key, _)| key).collect();
        for key in &keys {
            self.forget(key);
            let counter = self.counters.entry(key.clone()).or_default();
            counter.reserved = counter.reserved.saturating_add(worst);
            counter.used = scope.at;
        }
        Ok(keys)
    }

    /// Why a hard budget has no room for a call.
    pub(super) fn refusal(
        &self,
        at: usize,
        key: &Key,
        period: Period,
        worst: Option<Money>,
        name: &str,
    ) -> Option<Refused> {
        let rule = &self.rules[at];
        let (limit, within) = (rule.budget.limit, rule.within());
        if !rule.counted {
            return Some(Refused::Counting { name: Arc::clone(&rule.name) });
        }
        let Some(worst) = worst else {
            let unbounded = Refused::Unbounded { name: Arc::clone(&rule.name), within };
            return (!rule.allows_unpriced(name)).then_some(unbounded);
        };
        let Counter { spent, reserved, .. } = self.counter(key);
        let fits = spent.saturating_add(reserved).saturating_add(worst) <= limit;
        let (name, per, resets) = (Arc::clone(&rule.name), rule.budget.counts.per, period.end);
        (!fits).then_some(Refused::Spent(Full { name, spent, reserved, limit, worst, per, resets, within }))
    }

    /// Gives back what was set aside. A budget that is gone has nothing to take it.
    pub(super) fn release(&mut self, keys: &[Key], amount: Money) {
        for key in keys {
            if let Some(counter) = self.counters.get_mut(key) {
                counter.reserved = counter.reserved.saturating_sub(amount).max(Money::ZERO);
            }
        }
    }

    /// Charges every budget that concerns a call; names the soft ones that it has spent.
    pub(super) fn charge(&mut self, scope: &Scope<'_>, cost: Money) -> Vec<(Arc<str>, Counter, Money)> {
        let mut crossed = Vec::new();
        for (at, key, _) in self.concerned(scope) {
            self.forget(&key);
            let (limit, hard) = (self.rules[at].budget.limit, self.rules[at].is_hard());
            let counter = self.counters.entry(key).or_default();
            let before = counter.spent;
            counter.spent = before.saturating_add(cost);
            counter.used = scope.at;
            if !hard && before < limit && counter.spent >= limit {
                crossed.push((Arc::clone(&self.rules[at].name), *counter, limit));
            }
        }
        crossed
    }

    /// Every counter that says something now, by its rule.
    pub(super) fn now(&mut self, at: Time) -> Vec<(usize, Bucket, Period, Counter)> {
        let mut rows = Vec::new();
        for index in 0..self.rules.len() {
            let period = self.period(self.rules[index].budget.counts.per, at);
            let id = self.rules[index].id;
            let mine = self.counters.iter().filter(|(key, _)| key.rule == id && key.since == period.start);
            let mut mine: Vec<_> = mine.map(|(key, counter)| (index, key.bucket.clone(), period, *counter)).collect();
            let counts = &self.rules[index].budget.counts;
            if mine.is_empty() && counts.each.is_none() && counts.per != Per::Session {
                mine.push((index, Bucket::default(), period, Counter::default()));
            }
            mine.sort_by(|one, other| (other.3.spent, &one.1).cmp(&(one.3.spent, &other.1)));
            rows.extend(mine);
        }
        rows
    }

    /// The part of every budget that has most of it spent or set aside now.
    pub(super) fn fullest(&mut self, at: Time) -> Vec<(usize, Period, Counter)> {
        let periods: Vec<Period> =
            (0..self.rules.len()).map(|index| self.period(self.rules[index].budget.counts.per, at)).collect();
        let mut fullest: Vec<_> = std::iter::zip(0.., periods).map(|(at, of)| (at, of, Counter::default())).collect();
        let places: HashMap<u32, usize> = std::iter::zip(self.rules.iter().map(|rule| rule.id), 0..).collect();
        let full = |counter: &Counter| counter.spent.saturating_add(counter.reserved);
        for (key, counter) in &self.counters {
            let mine = places.get(&key.rule).map(|place| &mut fullest[*place]);
            if let Some((_, _, most)) = mine.filter(|(_, period, _)| period.start == key.since)
                && full(counter) > full(most)
            {
                *most = *counter;
            }
        }
        fullest
    }

    /// Lets go of what a new counter makes needless: those before the last period, and, where clients name ever new
    /// sessions, those that were not used for a day before this call. Calls that name no session share a counter that stays.
    fn forget(&mut self, fresh: &Key) {
        if self.counters.contains_key(fresh) {
            return;
        }
        let Some(rule) = self.rules.iter().find(|rule| rule.id == fresh.rule) else { return };
        let per = rule.budget.counts.per;
        if matches!(per, Per::Day | Per::Month) && fresh.since > Period::ALWAYS.start {
            let before = Time::from_micros(fresh.since.as_micros().saturating_sub(1));
            // a call that waited over midnight is counted where it arrived
            let last = Period::of(per, &self.zone, before).start;
            self.counters
                .retain(|key, counter| key.rule != fresh.rule || key.since >= last || counter.reserved > Money::ZERO);
        }
        if per == Per::Session && self.counters.len() >= MOST {
            let newest = self.counters.values().map(|counter| counter.used).max().unwrap_or_default();
            let old = Time::from_micros(newest.as_micros().saturating_sub(86_400_000_000));
            self.counters.retain(|key, counter| {
                let (_, session) = &key.bucket;
                let needed = session.is_empty() || counter.used >= old || counter.reserved > Money::ZERO;
                key.rule != fresh.rule || needed
            });
        }
    }
}

/// A sum of the ledger as a call that a budget can look at.
fn scope_of(spent: &Spent, at: Time) -> Scope<'_> {
    Scope {
        at,
        client: &spent.client,
        project: spent.project.as_deref(),
        session: spent.session_id.as_deref(),
        provider: spent.provider.as_deref().unwrap_or_default(),
        account: Some(spent.account.as_deref().unwrap_or_default()),
        model: spent.model.as_deref().unwrap_or_default(),
    }
}
