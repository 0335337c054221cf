//! What a person reads when there is no token: each sentence names the account and what to do.

use std::time::Duration;

use super::exchange::Refusal;
use crate::config::Account;
use crate::kit::{Fault, Kind, Time};
use crate::vault::VaultError;

/// The vault did not do it.
pub(super) fn vault(account: &Account, error: &VaultError) -> Fault {
    let id = &account.id;
    match error {
        VaultError::Locked => Fault::new(Kind::VaultLocked, format!("account {id}: {error}")),
        VaultError::Missing(_) => no_login(account),
        VaultError::Busy(_) => Fault::new(
            Kind::StaleToken(Duration::from_secs(5)),
            format!("account {id}: another process is renewing its token and does not end; see what it does"),
        ),
        _ => Fault::new(Kind::NoSecret, format!("account {id}: {error}")),
    }
}

/// Nobody has logged in yet.
pub(super) fn no_login(account: &Account) -> Fault {
    let id = &account.id;
    Fault::new(Kind::NeedsLogin, format!("account {id}: nobody has logged in yet; run: keywheel account login {id}"))
}

/// A login without a refresh token, or one that has been used up.
pub(super) fn no_refresh_token(account: &Account) -> Fault {
    let id = &account.id;
    Fault::new(
        Kind::NeedsLogin,
        format!(
            "account {id}: its token has expired and came without a refresh token; add what asks for one to \
             oauth.login_scope, then run: keywheel account login {id}"
        ),
    )
}

/// There is no document to sign with.
pub(super) fn no_document(account: &Account) -> Fault {
    let id = &account.id;
    Fault::new(
        Kind::NoSecret,
        format!("account {id}: the service account's JSON is not there; put it into the vault as {id}"),
    )
}

/// The identity provider takes the refresh token no more.
pub(super) fn needs_login(account: &Account, refusal: &Refusal, interrupted: Option<Time>) -> Fault {
    let id = &account.id;
    let what = match interrupted {
        Some(at) => format!("a refresh was interrupted at {at}, and the old token is no longer taken: {refusal}"),
        None => refusal.to_string(),
    };
    Fault::new(Kind::NeedsLogin, format!("account {id}: {what}; run: keywheel account login {id}"))
}

/// The same, found out before by this process or another.
pub(super) fn ended(account: &Account, interrupted: Option<Time>) -> Fault {
    let id = &account.id;
    let what = match interrupted {
        Some(at) => format!("a refresh was interrupted at {at}, and the old token is no longer taken"),
        None => "its login has ended".to_owned(),
    };
    Fault::new(Kind::NeedsLogin, format!("account {id}: {what}; run: keywheel account login {id}"))
}

/// There is no new token for now.
pub(super) fn stale(account: &Account, refusal: &Refusal) -> Fault {
    let words = format!("account {}: no new token: {refusal}", account.id);
    Fault::new(Kind::StaleToken(Duration::ZERO), words)
}

/// There is one, and the vault does not take it.
pub(super) fn unsaved(account: &Account, error: &VaultError) -> Fault {
    let words = format!("account {}: its new token cannot be stored and is kept in memory: {error}", account.id);
    Fault::new(Kind::StaleToken(Duration::ZERO), words)
}

/// The fault with the wait until the next try.
pub(super) fn again_in(mut fault: Fault, wait: Duration) -> Fault {
    fault.message = format!("{}; tried again in {} s", fault.message, wait.as_secs()).into();
    fault.kind = Kind::StaleToken(wait);
    fault
}
