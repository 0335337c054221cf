//! The vault and the accounts.

use super::Running;
use crate::app::env;
use crate::cli::doctor::Finding;
use crate::config::{Account, Paths, SecretSource, Settings};
use crate::kit::Clock;
use crate::ops::without_key;
use crate::vault::home::Home;
use crate::vault::{Strongbox, Vault, VaultError};

/// Whether the vault is there and open, where an account needs it.
pub(super) fn vault(settings: &Settings, paths: &Paths, running: Option<&Running>) -> Vec<Finding> {
    const CHECK: &str = "vault";
    let needs = settings.accounts.iter().filter(|account| matches!(account.secret, SecretSource::Vault(_))).count();
    let vault = Strongbox::new(Home::of(&settings.vault, &paths.data, &paths.state), Clock::system());
    let unlock = "unlock it: keywheel vault unlock";
    let found = match (vault.status(), running.and_then(|running| running.locked)) {
        (Err(VaultError::Missing(_)), _) if needs == 0 => Finding::ok(CHECK, "none, and no account needs one"),
        (Err(VaultError::Missing(_)), _) => Finding::fail(
            CHECK,
            format!("there is none, and {needs} accounts take their keys from it"),
            "give them their keys: keywheel account add ID --provider PROVIDER --replace",
        ),
        (Err(error), _) => Finding::fail(CHECK, error.to_string(), ""),
        (Ok(_), Some(true)) if needs > 0 => Finding::fail(CHECK, "the running gateway has it locked", unlock),
        (Ok(_), Some(true)) => Finding::warn(CHECK, "the running gateway has it locked; no account needs it", unlock),
        (Ok(status), Some(false)) => {
            Finding::ok(CHECK, format!("open in the running gateway ({})", status.path.display()))
        }
        (Ok(status), None) => Finding::ok(CHECK, format!("sound ({})", status.path.display())),
    };
    // a running gateway tells it among its warnings, also where the vault opens for it alone
    let open = running.is_none() && vault.look().is_ok_and(|status| !status.locked);
    let labels = if open { vault.list().ok() } else { None };
    let keyless = labels.and_then(|labels| without_key(settings, &labels));
    let keyless = keyless.map(|words| Finding::warn(CHECK, words, ""));
    std::iter::once(found).chain(keyless).collect()
}

/// How the accounts are; of a gateway that does not run, whether the variables that it would need are set here.
pub(super) fn look(settings: &Settings, running: Option<&Running>) -> Vec<Finding> {
    const CHECK: &str = "accounts";
    let own =
        |provider: &str| settings.providers.get(provider).is_none_or(|provider| !provider.base_url.starts_with("sim:"));
    let Some(running) = running else {
        let accounts: Vec<&Account> =
            settings.accounts.iter().map(|account| &**account).filter(|account| own(&account.provider)).collect();
        let mut findings: Vec<Finding> = accounts.iter().filter_map(|account| unset(CHECK, account)).collect();
        if findings.is_empty() {
            findings.push(counted(CHECK, accounts.len(), "configured"));
        }
        return findings;
    };
    let rows: Vec<_> = running.accounts.iter().filter(|row| own(&row.provider)).collect();
    let ready = rows.iter().filter(|row| matches!(row.state.as_str(), "ready" | "half_open")).count();
    let off = rows.iter().filter(|row| row.state == "disabled").count();
    let mut findings = Vec::new();
    for row in &rows {
        let advice = match row.state.as_str() {
            "cooling" => format!("it heals by itself; try it: keywheel account test {}", row.id),
            // its sentence says what to do
            "no_secret" => String::new(),
            "needs_login" => format!("log in: keywheel account login {}", row.id),
            _ => continue,
        };
        findings.push(Finding::warn(CHECK, row.says.clone(), advice));
    }
    match (ready, rows.len() - off) {
        (0, usable) if usable > 0 => {
            findings.push(Finding::fail(
                CHECK,
                format!("none of {usable} can take a call now"),
                "see why: keywheel account list",
            ));
        }
        (_, usable) if findings.is_empty() || ready > 0 => findings.push(counted(CHECK, usable, "switched on")),
        _ => {}
    }
    findings
}

fn counted(check: &'static str, count: usize, how: &str) -> Finding {
    match count {
        0 => Finding::warn(
            check,
            "there is none, so only the offline models answer",
            "add one: keywheel account add ID --provider PROVIDER",
        ),
        _ => Finding::ok(check, format!("{count} {how}")),
    }
}

/// A variable that is missing here may be there where the gateway is started.
fn unset(check: &'static str, account: &Account) -> Option<Finding> {
    let SecretSource::Env(name) = &account.secret else { return None };
    if env(name).is_some_and(|value| !value.is_empty()) {
        return None;
    }
    let says = format!("{} takes its key from {name}, which is not set here", account.id);
    Some(Finding::warn(check, says, format!("set it where the gateway starts: export {name}=…")))
}
