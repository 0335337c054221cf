//! Accounts as the settings write them: their secret's source and what must hold between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::Check;
use super::key::Key;
use super::oauth;
use super::settings::{Account, Limits, SecretSource};
use super::shape::AccountEntry;
use crate::catalog::{Grant, Provider, SecretEntry};

/// The offline provider's accounts, which always exist, so that rotation can be seen without any key.
const SIM: &[&str] = &["sim-a", "sim-b"];

/// The accounts of the settings in their order, then the built-in ones.
pub(super) fn checked(
    check: &mut Check<'_>,
    entries: Vec<AccountEntry>,
    providers: &BTreeMap<String, Arc<Provider>>,
) -> Vec<Arc<Account>> {
    let mut accounts: Vec<Arc<Account>> = Vec::with_capacity(entries.len() + SIM.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let key = Key::of(&["accounts"]).index(index);
        // what is missing was told when the file was read
        if entry.id.is_empty() || entry.provider.is_empty() {
            continue;
        }
        if accounts.iter().any(|account| account.id == entry.id) {
            check.wrong(&key.name("id"), "another account has this id; give each its own");
        }
        if !fits_header(&entry.id) {
            check.wrong(&key.name("id"), "an id has at most 64 letters, digits and `-_.@+`");
        }
        check.provider(&key.name("provider"), &entry.provider);
        let provider = providers.get(&entry.provider);
        if entry.base_url.is_none() && provider.is_some_and(|provider| provider.base_url.is_empty()) {
            check.wrong(&key, "this provider lives at another address for each account; set `base_url`");
        }
        accounts.push(Arc::new(account(check, &key, entry, provider)));
    }
    for id in SIM {
        if !accounts.iter().any(|account| account.id == *id) {
            let account = Account::found(id, "sim", SecretSource::None, "built-in");
            accounts.push(Arc::new(account));
        }
    }
    accounts
}

impl Account {
    /// An account without any limits or preferences.
    pub(super) fn found(id: &str, provider: &str, secret: SecretSource, origin: &str) -> Self {
        Self {
            id: id.to_owned(),
            provider: provider.to_owned(),
            secret,
            oauth: None,
            base_url: None,
            quota_group: None,
            tags: Vec::new(),
            priority: 0,
            weight: 1,
            limits: Limits::default(),
            proxy: None,
            models: Vec::new(),
            disabled: false,
            origin: origin.to_owned(),
        }
    }
}

fn account(check: &mut Check<'_>, key: &Key, entry: AccountEntry, provider: Option<&Arc<Provider>>) -> Account {
    let keyless = provider.is_some_and(|provider| provider.auth.optional || provider.auth.header.is_empty());
    let tokens = match provider {
        Some(provider) => entry.oauth.over(&provider.oauth),
        None => entry.oauth,
    };
    let identity = tokens.grant == Some(Grant::ManagedIdentity);
    let secret = match entry.secret {
        Some(secret) => source(check, &key.name("secret"), secret),
        None if keyless || identity => SecretSource::None,
        None => SecretSource::Vault(entry.id.clone()),
    };
    let oauth = oauth::checked(check, &key.name("oauth"), tokens, &secret).map(Arc::new);
    let origin = check.origins.of(key).place.map_or_else(|| "built-in".to_owned(), |place| place.file);
    Account {
        id: entry.id,
        provider: entry.provider,
        secret,
        oauth,
        base_url: entry.base_url.map(|url| url.0),
        quota_group: entry.quota_group,
        tags: entry.tags,
        priority: entry.priority,
        weight: entry.weight,
        limits: entry.limits,
        proxy: entry.proxy.map(|url| url.0),
        models: entry.models,
        disabled: entry.disabled,
        origin,
    }
}

pub(super) fn source(check: &mut Check<'_>, key: &Key, entry: SecretEntry) -> SecretSource {
    let ttl = entry.ttl.map(|ttl| ttl.0);
    if ttl.is_some() && entry.command.is_none() {
        check.wrong(&key.name("ttl"), "only what a command printed has a ttl");
    }
    match (entry.env, entry.command, entry.vault) {
        (Some(name), None, None) => SecretSource::Env(name.0),
        (None, Some(argv), None) => {
            if argv.first().is_none_or(String::is_empty) {
                check.wrong(&key.name("command"), "name the program first, then its arguments");
            }
            SecretSource::Command { argv, ttl }
        }
        (None, None, Some(name)) => SecretSource::Vault(name),
        _ => {
            check.wrong(key, "name exactly one of `env`, `command` and `vault`");
            SecretSource::None
        }
    }
}

/// Ids are shown in the header `x-keywheel-account`.
fn fits_header(id: &str) -> bool {
    id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@+".contains(c))
}
