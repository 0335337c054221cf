//! `account import`: shows what would be taken over, without any key, asks, and does it.

use super::accounts::{confirmed, store};
use super::failure::Failure;
use super::{env, settings, vault};
use crate::cli::account::{ImportAccounts, ImportFrom};
use crate::cli::table::Table;
use crate::cli::{Format, Lines};
use crate::config::{Paths, SecretSource, Settings};
use crate::import::{self, Batch, Found};
use crate::vault::{Strongbox, Vault};

/// Does it.
pub(super) fn run(asked: &ImportAccounts, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let mut batch = read(asked, &settings, paths)?;
    for found in &mut batch.found {
        found.account.tags.clone_from(&asked.tag);
    }
    show(&batch, lines)?;
    if asked.dry_run || batch.found.is_empty() {
        return Ok(());
    }
    if !asked.yes && !confirmed(&format!("import {} accounts", batch.found.len()), lines)? {
        return Err(Failure::new("nothing was imported"));
    }
    let vault = vault::of(&settings, paths);
    vault::ready(&vault, &asked.passphrase, lines)?;
    let fresh = fresh(batch.found, &settings, &vault, lines)?;
    let ids: Vec<String> = fresh.iter().map(|found| found.account.id.clone()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    store(paths, &vault, fresh.into_iter().map(|found| (found.account, Some(found.secret))).collect())?;
    lines.say(format_args!("imported {0}; try them: keywheel account test {1}", ids.join(", "), ids.join(" ")));
    if asked.from == ImportFrom::Env && settings.discover {
        lines.say("the variables are still set, and make accounts of their own at each start; unset them");
    }
    Ok(())
}

fn read(asked: &ImportAccounts, settings: &Settings, paths: &Paths) -> Result<Batch, Failure> {
    let path = asked.path.clone().unwrap_or_default();
    let read = match asked.from {
        ImportFrom::Env => Ok(import::environment(settings, &paths.file, &env)),
        ImportFrom::Dotenv => import::dotenv(settings, &paths.file, &path),
        ImportFrom::Litellm => import::litellm(settings, &paths.file, &path, &env),
        ImportFrom::Cliproxyapi => import::cliproxyapi(settings, &paths.file, &path),
    };
    read.map_err(Failure::new)
}

fn show(batch: &Batch, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let mut table = Table::new(["id", "provider", "base url", "from"]);
    for Found { account, from, .. } in &batch.found {
        let base_url = account.base_url.clone().unwrap_or_else(|| "–".to_owned());
        table.row([account.id.clone(), account.provider.clone(), base_url, from.clone()]);
    }
    let rows: Vec<&str> = batch.found.iter().map(|found| found.account.id.as_str()).collect();
    lines.list(Format::default(), &rows, table, "there is no key that could be imported")?;
    for skipped in &batch.skipped {
        lines.say(format_args!("left: {}: {}", skipped.what, skipped.why));
    }
    Ok(())
}

/// Those whose key no account has yet.
fn fresh(
    found: Vec<Found>,
    settings: &Settings,
    vault: &Strongbox,
    lines: &mut Lines<'_>,
) -> Result<Vec<Found>, Failure> {
    let mut fresh = Vec::with_capacity(found.len());
    for found in found {
        let mut same = None;
        for account in settings.accounts.iter().filter(|account| account.provider == found.account.provider) {
            let SecretSource::Vault(name) = &account.secret else { continue };
            let kept = vault.secret(name).map_err(Failure::new)?;
            if kept.is_some_and(|kept| kept.same(&found.secret)) && account.base_url == found.account.base_url {
                same = Some(account.id.as_str());
            }
        }
        match same {
            Some(id) => lines.say(format_args!("left: {}: account {id} has this key already", found.from)),
            None => fresh.push(found),
        }
    }
    Ok(fresh)
}
