//! Which accounts there are: made anew from the settings, while those that stay keep their state.

use std::collections::HashMap;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::breaker::Breaker;
use super::choose::Candidate;
use super::group::Group;
use super::learned;
use super::pace::Pace;
use super::seat::Seat;
use super::verdict::{NotBefore, Stop};
use super::wanted::Wanted;
use crate::config::{Account, Limits, Settings};
use crate::kit::{Clock, Time};

/// The accounts in the order of the configuration.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) seats: Vec<Arc<Seat>>,
    pub(super) by_provider: HashMap<String, Vec<u32>>,
    by_id: HashMap<String, u32>,
    breakers: HashMap<Place, Arc<Breaker>>,
    /// The limits of providers, and of clients.
    providers: HashMap<String, Arc<Pace>>,
    clients: HashMap<String, Arc<Pace>>,
}

/// A provider, and the address of an account that has its own: when one region fails, another may be well.
type Place = (String, Option<String>);

impl Roster {
    /// The accounts of new settings; those that stay keep their state.
    pub(super) fn renewed(&self, settings: &Settings, clock: &Clock) -> Self {
        let mut groups: HashMap<&str, Arc<Group>> = HashMap::new();
        for seat in &self.seats {
            if let Some(group) = &seat.account.quota_group {
                groups.insert(group, Arc::clone(&seat.group));
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
            let group = match &account.quota_group {
                Some(name) => groups.entry(name).or_default().clone(),
                None => {
                    let own = known.filter(|s| s.account.quota_group.is_none());
                    own.map(|s| Arc::clone(&s.group)).unwrap_or_default()
                }
            };
            let breaker = self.breaker(&mut roster, account);
            let state = known.map(|s| Arc::clone(&s.state)).unwrap_or_default();
            let pace = match known {
                Some(known) => known.pace.renewed(account.limits, clock),
                None => Arc::new(Pace::new(account.limits, clock, Arc::clone(&state.busy))),
            };
            let at = u32::try_from(roster.seats.len()).unwrap_or(u32::MAX);
            roster.by_provider.entry(account.provider.clone()).or_default().push(at);
            roster.by_id.entry(account.id.clone()).or_insert(at);
            roster.seats.push(Arc::new(Seat {
                account: Arc::clone(account),
                state,
                group,
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

    /// Asks every account of a route's provider whether it could take the call: those that could with their terms, the
    /// others with what stands in their way, by route and seat.
    pub(super) fn ask(
        &self,
        (route, wanted): (u32, &Wanted<'_>),
        now: Time,
        candidates: &mut Vec<Candidate>,
        stops: &mut Vec<(u32, u32, Stop)>,
    ) {
        let hash = learned::hash(wanted.model);
        let seats = self.by_provider.get(wanted.provider).map_or(&[][..], Vec::as_slice);
        candidates.reserve(seats.len());
        // what the accounts of one provider share is asked once
        let mut shared: Option<(&Arc<Breaker>, bool)> = None;
        for &at in seats {
            let seat = self.seat(at);
            let known = shared.filter(|(breaker, _)| Arc::ptr_eq(breaker, &seat.breaker));
            let (_, clear) = *shared.insert(known.unwrap_or_else(|| (&seat.breaker, seat.is_provider_clear(now))));
            match if clear && seat.is_clear(wanted, now) { Ok(()) } else { seat.stands(wanted, now) } {
                Ok(()) => candidates.push(seat.terms((route, at), wanted, hash, now)),
                Err(stop) => stops.push((route, at, stop)),
            }
        }
    }

    /// Notes with the accounts that a call passed over for want of a secret that it would have had them.
    pub(super) fn miss(&self, stops: &[(u32, u32, Stop)]) {
        let lacking = |stop: &Stop| matches!(stop, Stop::Person(_, kind) if kind.lacks_secret());
        let missed = stops.iter().filter(|(.., stop)| lacking(stop));
        missed.for_each(|(_, at, _)| self.seat(*at).state.lacks.miss());
    }

    /// These stops together, in the order of the configuration, as people know them.
    pub(super) fn not_before(&self, mut stops: Vec<(u32, u32, Stop)>) -> NotBefore {
        let mut not = NotBefore::default();
        stops.sort_by_key(|(route, seat, _)| (*route, *seat));
        stops.iter().for_each(|(_, seat, stop)| not.note(&self.seat(*seat).account.id, stop));
        not
    }

    /// The account at a place in the order of the configuration, as the lists of this roster name it.
    pub(super) fn seat(&self, at: u32) -> &Arc<Seat> {
        &self.seats[at as usize]
    }

    /// The place of an account.
    pub(super) fn place(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// An account by its id.
    pub(super) fn find(&self, id: &str) -> Option<&Arc<Seat>> {
        self.place(id).map(|at| self.seat(at))
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
