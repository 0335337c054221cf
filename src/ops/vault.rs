//! Orders about the vault.

use std::sync::Arc;

use crate::config::{SecretSource, Settings};
use crate::operator::{Refusal, Reply, VaultOrder};
use crate::vault::{DataKey, Strongbox, VaultError};

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

/// What a person should know of the vault, where accounts take their keys from it.
pub(super) async fn warning(vault: &Arc<Strongbox>, settings: &Settings) -> Option<String> {
    let mut own = settings.accounts.iter().filter(|account| matches!(account.secret, SecretSource::Vault(_)));
    let first = own.next()?.id.clone();
    let vault = Arc::clone(vault);
    let looked = tokio::task::spawn_blocking(move || vault.look()).await.ok()?;
    match looked {
        Ok(status) if status.locked => Some(VaultError::Locked.to_string()),
        Ok(_) => None,
        Err(VaultError::Missing(_)) => {
            Some(format!("there is no vault yet, but accounts need it; make it: keywheel account add {first}"))
        }
        Err(error) => Some(error.to_string()),
    }
}
