//! Orders about the vault.

use std::sync::Arc;

use crate::config::{Account, SecretSource, Settings};
use crate::operator::{Refusal, Reply, VaultOrder};
use crate::vault::{DataKey, Label, Strongbox, Vault, VaultError};

/// Does what is asked, off the async threads.
pub(super) async fn obey(vault: &Arc<Strongbox>, order: VaultOrder) -> Result<Reply, Refusal> {
    let vault = Arc::clone(vault);
    let done = tokio::task::spawn_blocking(move || match order {
        VaultOrder::Look => match vault.look() {
            Err(VaultError::Missing(_)) => Ok(Reply::Vault { locked: None }),
            looked => looked.map(|status| Reply::Vault { locked: Some(status.locked) }),
        },
        VaultOrder::Lock => vault.lock().map(|()| Reply::Done("the running gateway has locked the vault".to_owned())),
        VaultOrder::Unlock(handed) => {
            let key = DataKey::handed_over(&handed.0).ok_or(VaultError::Locked)?;
            vault.take_key(key).map(|()| Reply::Done("the running gateway has unlocked the vault".to_owned()))
        }
    });
    let done = done.await.map_err(|defect| Refusal::new(format!("the vault could not be asked: {defect}")))?;
    done.map_err(|error| Refusal::new(error.to_string()))
}

/// Which accounts take their keys from the open vault, which has none for them, and what to do. Those that log in say so
/// themselves.
pub fn without_key(settings: &Settings, labels: &[Label]) -> Option<String> {
    let offline = |provider: &str| settings.providers.get(provider).is_some_and(|it| it.base_url.starts_with("sim:"));
    let missing = |account: &&Arc<Account>| match &account.secret {
        SecretSource::Vault(name) if account.oauth.is_none() && !account.disabled => {
            !offline(&account.provider) && !labels.iter().any(|label| label.name == *name)
        }
        _ => false,
    };
    let missing: Vec<&Arc<Account>> = settings.accounts.iter().filter(missing).collect();
    let first = missing.first()?;
    let ids: Vec<&str> = missing.iter().map(|account| account.id.as_str()).collect();
    let what = if ids.len() == 1 { "the key of this account is" } else { "the keys of these accounts are" };
    let advice = format!("keywheel account add {} --provider {} --replace", first.id, first.provider);
    Some(format!("{what} not kept here: {}; give it: {advice}", ids.join(", ")))
}

/// What a person should know of the vault, where accounts take their keys from it.
pub(super) async fn warning(vault: &Arc<Strongbox>, settings: &Settings) -> Option<String> {
    let mut own = settings.accounts.iter().filter(|account| matches!(account.secret, SecretSource::Vault(_)));
    let first = own.next()?.id.clone();
    let vault = Arc::clone(vault);
    match tokio::task::spawn_blocking(move || vault.list()).await.ok()? {
        Ok(labels) => without_key(settings, &labels),
        Err(VaultError::Missing(_)) => {
            Some(format!("there is no vault yet, but accounts need it; make it: keywheel account add {first}"))
        }
        Err(error) => Some(error.to_string()),
    }
}
