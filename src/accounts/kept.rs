//! What outlives the process: why accounts rest, and until when. Taken from the pool and given back to it; whoever
//! wires the rooms together writes it down.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Pool;
use super::health::{Cooldown, Health, Rests};
use super::seat::Seat;
use crate::config::SecretSource;
use crate::kit::fault::Scope;
use crate::kit::{Kind, Time};

/// Models whose rest is kept, of one account or group: those that rest longest.
const MOST_MODELS: usize = 100;
/// Characters kept of a reason.
const LONGEST: usize = 400;

/// Every rest, without any secret: reasons hold only words that were masked before the pool heard them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Of accounts.
    pub accounts: Vec<KeptAccount>,
    /// Of quota groups, by name.
    pub groups: BTreeMap<String, KeptRests>,
}

/// The rests of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptAccount {
    /// Its id.
    pub id: String,
    /// Its provider. An id that has moved to another provider is another account.
    pub provider: String,
    /// Where its secret came from, without the secret.
    pub source: String,
    /// A mark of the secret itself, where one was made: another secret starts afresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// What is wrong with its key or its models.
    #[serde(default)]
    pub own: KeptRests,
    /// What is wrong with its limits, where it shares them with nobody.
    #[serde(default)]
    pub limits: KeptRests,
}

/// The rests of an account or group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptRests {
    /// For every model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<KeptRest>,
    /// For single models.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, KeptRest>,
}

/// One rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRest {
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
    /// In words.
    pub reason: String,
    /// The code of what it failed with.
    pub code: String,
    /// The step of the ladder.
    pub step: u32,
}

impl Pool {
    /// What there is to keep. `mark` makes the mark of an account's secret, where it can.
    pub fn kept(&self, mark: impl Fn(&crate::config::Account) -> Option<String>) -> Kept {
        let mut kept = Kept::default();
        for seat in &self.roster.load().seats {
            let own = kept_rests(&seat.state.health);
            let shared = kept_rests(&seat.group.health);
            let limits = match &seat.account.quota_group {
                Some(group) => {
                    if shared != KeptRests::default() {
                        kept.groups.insert(group.clone(), shared);
                    }
                    KeptRests::default()
                }
                None => shared,
            };
            if own == KeptRests::default() && limits == KeptRests::default() {
                continue;
            }
            let account = &seat.account;
            let (id, provider) = (account.id.clone(), account.provider.clone());
            kept.accounts.push(KeptAccount { id, provider, source: source(seat), mark: mark(account), own, limits });
        }
        kept
    }

    /// Takes back what was kept, for accounts that are still the same. What has ended by now is over, and probes that
    /// were under way are forgotten.
    pub fn recall(&self, kept: &Kept, mark: impl Fn(&crate::config::Account) -> Option<String>) {
        let now = self.clock.now();
        for seat in &self.roster.load().seats {
            let account = &seat.account;
            if let Some(rests) = account.quota_group.as_ref().and_then(|group| kept.groups.get(group)) {
                seat.group.health.recall(rests.rests(now));
            }
            let same = |old: &&KeptAccount| {
                old.id == account.id && old.provider == account.provider && old.source == source(seat)
            };
            let Some(old) = kept.accounts.iter().find(same) else { continue };
            let another_key = matches!((&old.mark, mark(account)), (Some(old), Some(new)) if *old != new);
            if another_key {
                continue;
            }
            seat.state.health.recall(old.own.rests(now));
            if account.quota_group.is_none() {
                seat.group.health.recall(old.limits.rests(now));
            }
        }
    }
}

impl KeptRests {
    fn rests(&self, now: Time) -> Rests {
        let cooldown = |rest: &KeptRest| {
            let kind = kind(&rest.code).filter(|_| rest.until > now)?;
            let reason = Cow::Owned(rest.reason.clone());
            Some(Cooldown::kept(rest.since, rest.until, reason, kind, rest.step))
        };
        let models = self.models.iter().filter_map(|(name, rest)| Some((name.as_str().into(), cooldown(rest)?)));
        Rests { whole: self.whole.as_ref().and_then(cooldown), models: models.take(MOST_MODELS).collect() }
    }
}

fn kept_rests(health: &Health) -> KeptRests {
    let rests = health.lock();
    let kept = |rest: &Cooldown| KeptRest {
        since: rest.since,
        until: rest.until,
        reason: rest.reason.chars().take(LONGEST).collect(),
        code: rest.kind.code().to_owned(),
        step: rest.step,
    };
    let mut models: Vec<_> = rests.models.iter().collect();
    models.sort_by_key(|(_, rest)| std::cmp::Reverse(rest.until));
    let models = models.into_iter().take(MOST_MODELS).map(|(name, rest)| (name.to_string(), kept(rest))).collect();
    KeptRests { whole: rests.whole.as_ref().map(kept), models }
}

/// Where an account's secret comes from, and who gives it a token. Of a program only its name: arguments may hold what
/// nobody should read.
fn source(seat: &Seat) -> String {
    let place = seat.account.base_url.as_deref().unwrap_or_default();
    let login = seat.account.oauth.as_ref().map(|oauth| {
        let [at, client] = [&oauth.token_url, &oauth.client_id].map(|word| word.as_deref().unwrap_or_default());
        format!(" {:?} {client} {at}", oauth.grant)
    });
    let place = format!("{place}{}", login.unwrap_or_default());
    match &seat.account.secret {
        SecretSource::None => format!("none {place}"),
        SecretSource::Env(name) => format!("env {name} {place}"),
        SecretSource::Vault(name) => format!("vault {name} {place}"),
        SecretSource::Command { argv, .. } => {
            format!("command {} {place}", argv.first().map(String::as_str).unwrap_or_default())
        }
    }
}

/// The kind of a rest by its code; details that only mattered when it began are left out.
fn kind(code: &str) -> Option<Kind> {
    let kinds = [
        Kind::KeyRejected,
        Kind::Blocked,
        Kind::NeedsLogin,
        Kind::StaleToken(std::time::Duration::ZERO),
        Kind::OutOfCredit(None),
        Kind::Throttled(None, Scope::Model),
        Kind::ModelMissing,
    ];
    kinds.into_iter().find(|kind| kind.code() == code)
}
