//! Which accounts there are: made anew from the settings, while those that stay keep their state.

use std::collections::HashMap;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::breaker::Breaker;
use super::health::Health;
use super::seat::Seat;
use crate::config::Settings;

/// The accounts in the order of the configuration.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) seats: Vec<Arc<Seat>>,
    pub(super) by_provider: HashMap<String, Vec<usize>>,
    breakers: HashMap<Place, Arc<Breaker>>,
}

/// A provider, and the address of an account that has its own: when one region fails, another may be well.
type Place = (String, Option<String>);

impl Roster {
    /// The accounts of new settings; those that stay keep their state.
    pub(super) fn renewed(&self, settings: &Settings) -> Self {
        let mut groups: HashMap<&str, Arc<Health>> = HashMap::new();
        for seat in &self.seats {
            if let Some(group) = &seat.account.quota_group {
                groups.insert(group, Arc::clone(&seat.group));
            }
        }
        let mut roster = Roster::default();
        for account in &settings.accounts {
            let known = self.seats.iter().find(|s| s.account.id == account.id && s.account.secret == account.secret);
            let group = match &account.quota_group {
                Some(name) => Arc::clone(groups.entry(name).or_default()),
                None => {
                    known.filter(|s| s.account.quota_group.is_none()).map(|s| Arc::clone(&s.group)).unwrap_or_default()
                }
            };
            let place: Place = (account.provider.clone(), account.base_url.clone());
            let breaker = match roster.breakers.get(&place).or_else(|| self.breakers.get(&place)) {
                Some(breaker) => Arc::clone(breaker),
                None => Arc::default(),
            };
            roster.breakers.insert(place, Arc::clone(&breaker));
            roster.by_provider.entry(account.provider.clone()).or_default().push(roster.seats.len());
            roster.seats.push(Arc::new(Seat {
                account: Arc::clone(account),
                state: known.map(|s| Arc::clone(&s.state)).unwrap_or_default(),
                group,
                breaker,
                models: account.models.iter().map(|glob| WildMatch::new(glob)).collect(),
            }));
        }
        roster
    }
}
