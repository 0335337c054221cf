//! Which accounts there are: made anew from the settings, while those that stay keep their state.

use std::collections::HashMap;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::breaker::Breaker;
use super::health::Health;
use super::pace::Pace;
use super::seat::Seat;
use super::shared::Shared;
use crate::config::{Account, Limits, Settings};
use crate::kit::Clock;

/// The accounts in the order of the configuration.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) seats: Vec<Arc<Seat>>,
    pub(super) by_provider: HashMap<String, Vec<usize>>,
    breakers: HashMap<Place, Arc<Breaker>>,
    /// The limits of providers, and of clients.
    providers: HashMap<String, Arc<Pace>>,
    clients: HashMap<String, Arc<Pace>>,
}

/// A provider, and the address of an account that has its own: when one region fails, another may be well.
type Place = (String, Option<String>);

/// What the accounts of one quota group share.
type Group = (Arc<Health>, Arc<Shared>);

impl Roster {
    /// The accounts of new settings; those that stay keep their state.
    pub(super) fn renewed(&self, settings: &Settings, clock: &Clock) -> Self {
        let mut groups: HashMap<&str, Group> = HashMap::new();
        for seat in &self.seats {
            if let Some(group) = &seat.account.quota_group {
                groups.insert(group, (Arc::clone(&seat.group), Arc::clone(&seat.shared)));
            }
        }
        let providers = settings.providers.iter().map(|(id, provider)| (id, provider.limits));
        let clients = settings.clients.iter().map(|(name, rules)| (name, rules.limits));
        let mut roster = Self {
            providers: paces(&self.providers, providers, clock),
            clients: paces(&self.clients, clients, clock),
            ..Self::default()
        };
        for account in &settings.accounts {
            let same =
                |old: &Account| (&old.id, &old.secret, &old.oauth) == (&account.id, &account.secret, &account.oauth);
            let known = self.seats.iter().find(|seat| same(&seat.account));
            let (group, shared) = match &account.quota_group {
                Some(name) => groups.entry(name).or_default().clone(),
                None => {
                    let own = known.filter(|s| s.account.quota_group.is_none());
                    own.map(|s| (Arc::clone(&s.group), Arc::clone(&s.shared))).unwrap_or_default()
                }
            };
            let breaker = self.breaker(&mut roster, account);
            let state = known.map(|s| Arc::clone(&s.state)).unwrap_or_default();
            let pace = match known {
                Some(known) => known.pace.renewed(account.limits, clock),
                None => Arc::new(Pace::new(account.limits, clock, Arc::clone(&state.busy))),
            };
            roster.by_provider.entry(account.provider.clone()).or_default().push(roster.seats.len());
            roster.seats.push(Arc::new(Seat {
                account: Arc::clone(account),
                state,
                group,
                shared,
                breaker,
                models: account.models.iter().map(|glob| WildMatch::new(glob)).collect(),
                disabled: account.disabled,
                weight: account.weight.max(1),
                priority: account.priority,
                pace,
                provider_pace: roster.providers.get(&account.provider).cloned(),
            }));
        }
        roster
    }

    fn breaker(&self, roster: &mut Self, account: &Account) -> Arc<Breaker> {
        let place: Place = (account.provider.clone(), account.base_url.clone());
        let known = roster.breakers.get(&place).or_else(|| self.breakers.get(&place));
        let breaker = known.map(Arc::clone).unwrap_or_default();
        roster.breakers.insert(place, Arc::clone(&breaker));
        breaker
    }

    /// The limits of a client, where a person set any.
    pub(super) fn client(&self, name: &str) -> Option<&Arc<Pace>> {
        self.clients.get(name)
    }
}

/// The paces of those who have limits; where these are as before, so is what is left of them.
fn paces<'a>(
    old: &HashMap<String, Arc<Pace>>,
    limits: impl Iterator<Item = (&'a String, Limits)>,
    clock: &Clock,
) -> HashMap<String, Arc<Pace>> {
    let limited = limits.filter(|(_, limits)| *limits != Limits::default());
    let pace = |(name, limits): (&String, Limits)| {
        let known = old.get(name).map(|pace| pace.renewed(limits, clock));
        (name.clone(), known.unwrap_or_else(|| Arc::new(Pace::new(limits, clock, Arc::default()))))
    };
    limited.map(pace).collect()
}
