//! `account …`: accounts are put into the vault and the settings file, whether or not a gateway runs; one that does
//! takes them up by itself.

use std::io::{self, BufRead, IsTerminal};

use super::failure::Failure;
use super::{import, login, on_one_core, questions, settings, switch, trial, vault};
use crate::cli::account::{AddAccount, RmAccounts};
use crate::cli::entry::{Entry, Typed};
use crate::cli::{AccountVerb, Lines};
use crate::config::edit::edit;
use crate::config::roster::{self, NewAccount};
use crate::config::{Account, Limits, Paths, SecretSource, Settings};
use crate::kit::Secret;
use crate::operator::{Ask, Chosen};
use crate::ops;
use crate::vault::{Item, Strongbox, Vault};

/// Does what a verb asks for.
pub(super) fn run(verb: &AccountVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match verb {
        AccountVerb::Add(asked) => add(asked, paths, lines),
        AccountVerb::Enable(asked) => switch::enable(asked, paths, lines),
        AccountVerb::Disable(asked) => switch::disable(asked, paths, lines),
        AccountVerb::Rm(asked) => rm(asked, paths, lines),
        AccountVerb::Login(asked) => login::login(asked, paths, lines),
        AccountVerb::Refresh(asked) => login::refresh(asked, paths, lines),
        AccountVerb::Import(asked) => import::run(asked, paths, lines),
        AccountVerb::Test(asked) => trial::run(asked, paths, lines),
        AccountVerb::List(_) | AccountVerb::Show { .. } => on_one_core(questions::accounts(verb, paths, lines)),
    }
}

fn add(asked: &AddAccount, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let vault = vault::of(&settings, paths);
    let known = settings.account(&asked.id).filter(|account| is_written(account, paths));
    let mut new = new_account(asked, known.map(|account| &**account), &settings)?;
    if let Some(account) = known {
        replace(asked, account, &vault, lines)?;
        // a gateway that runs would see it by itself, only later
        drop(questions::ask_if_running(paths, Ask::Heal(Chosen::Ids(vec![asked.id.clone()]))));
        return Ok(());
    }
    let provider = settings.providers.get(&new.provider);
    let keyless = provider.is_some_and(|provider| provider.auth.optional || provider.auth.header.is_empty());
    if keyless && asked.key_file.is_none() {
        store(paths, &vault, vec![(new, None)])?;
        lines.say(format_args!("account {} is in {}; it needs no key", asked.id, paths.file.display()));
        return Ok(());
    }
    vault::ready(&vault, &asked.passphrase, lines)?;
    new.vault = Some(asked.id.clone());
    let secret = key(asked)?;
    store(paths, &vault, vec![(new, Some(secret))])?;
    lines.say(format_args!(
        "account {0} is in {1}, its key in the vault; try it: keywheel account test {0}",
        asked.id,
        paths.file.display()
    ));
    Ok(())
}

/// What a person asked for, as far as it can be told to be wrong before a key is typed.
fn new_account(asked: &AddAccount, known: Option<&Account>, settings: &Settings) -> Result<NewAccount, Failure> {
    let provider = match (&asked.provider, known) {
        (Some(id), _) => id.clone(),
        (None, Some(known)) => known.provider.clone(),
        (None, None) => {
            return Err(Failure::new("say whose account it is: --provider ID; keywheel provider list shows them"));
        }
    };
    let Some(found) = settings.providers.get(&provider) else {
        return Err(Failure::new(format_args!(
            "there is no provider {provider:?}; keywheel provider list shows those that exist"
        )));
    };
    if found.base_url.is_empty() && asked.base_url.is_none() && known.is_none() {
        return Err(Failure::new(format_args!(
            "each account of {provider} lives at an address of its own; name it with --base-url URL"
        )));
    }
    if asked.proxy.as_ref().is_some_and(|proxy| proxy.contains('@')) {
        return Err(Failure::new(
            "other users of this machine can read the command line; put a proxy with a password into the settings file",
        ));
    }
    Ok(NewAccount {
        id: asked.id.clone(),
        provider,
        vault: None,
        base_url: asked.base_url.clone(),
        quota_group: asked.quota_group.clone(),
        tags: asked.tag.clone(),
        priority: asked.priority,
        weight: asked.weight,
        limits: Limits { rpm: asked.rpm, tpm: asked.tpm, concurrency: asked.concurrency },
        proxy: asked.proxy.clone(),
        models: asked.models.clone(),
    })
}

/// A key for an account that is written down already.
fn replace(asked: &AddAccount, account: &Account, vault: &Strongbox, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let id = &account.id;
    let plain = AddAccount {
        id: asked.id.clone(),
        provider: asked.provider.clone().filter(|provider| *provider == account.provider),
        key_file: asked.key_file.clone(),
        replace: asked.replace,
        passphrase: asked.passphrase.clone(),
        ..AddAccount::default()
    };
    if plain != *asked {
        return Err(Failure::new(format_args!(
            "account {id} is there already; change it in {}, or remove it first: keywheel account rm {id}",
            account.origin
        )));
    }
    let SecretSource::Vault(name) = &account.secret else {
        return Err(Failure::new(format_args!(
            "account {id} is there already and does not take its key from the vault; change its `secret` in {}",
            account.origin
        )));
    };
    if account.oauth.is_some() {
        return Err(Failure::new(format_args!(
            "account {id} logs in and sends no key; run: keywheel account login {id}, or take its oauth out of {} first",
            account.origin
        )));
    }
    vault::ready(vault, &asked.passphrase, lines)?;
    if !asked.replace && vault.get(name).map_err(Failure::new)?.is_some() {
        return Err(Failure::new(format_args!(
            "account {id} has a key already; give it another with: keywheel account add {id} --replace"
        )));
    }
    vault.put(name, Item::key(key(asked)?)).map_err(Failure::new)?;
    lines.say(format_args!("the key of account {id} is in the vault; try it: keywheel account test {id}"));
    Ok(())
}

fn key(asked: &AddAccount) -> Result<Secret, Failure> {
    let what = format!("key of account {}", asked.id);
    let file = asked.key_file.as_deref();
    Entry { what: &what, file, flag: "--key-file", typed: Typed::Once }.read().map_err(Failure::new)
}

/// Puts keys into the vault, then all accounts into the settings file in one step. Where that is refused, the vault is
/// as it was: an account without a key would fail calls, a key without an account hurts nobody.
pub(super) fn store(
    paths: &Paths,
    vault: &Strongbox,
    accounts: Vec<(NewAccount, Option<Secret>)>,
) -> Result<(), Failure> {
    let mut before: Vec<(String, Option<Item>)> = Vec::new();
    let mut stanzas = Vec::with_capacity(accounts.len());
    let mut failed = None;
    for (account, secret) in accounts {
        if let (Some(name), Some(secret)) = (&account.vault, secret) {
            let mut fresh = Some(Item::key(secret));
            let mut old = None;
            let put = vault.update(name, &mut |stored| old = std::mem::replace(stored, fresh.take()));
            if let Err(error) = put {
                failed = Some(Failure::new(error));
                break;
            }
            before.push((name.clone(), old));
        }
        stanzas.push(account);
    }
    let written = match failed {
        Some(failure) => Err(failure),
        None => edit(paths, |document| roster::add(document, &stanzas)).map(drop).map_err(settings::edit_failed),
    };
    let Err(mut failure) = written else { return Ok(()) };
    for (name, mut old) in before {
        if let Err(error) = vault.update(&name, &mut |stored| *stored = old.take()) {
            failure.message.push_str(&format!("\nand the vault still holds a new key under {name:?}: {error}"));
        }
    }
    Err(failure)
}

fn rm(asked: &RmAccounts, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let accounts = ops::chosen(&settings, &asked.chosen.record()).map_err(Failure::new)?;
    if let Some(found) = accounts.iter().find(|account| !is_written(account, paths)) {
        return Err(Failure::new(format_args!(
            "account {} is not in {}: {}",
            found.id,
            paths.file.display(),
            how_to_leave_out(found)
        )));
    }
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    if ids.len() > 1 && !asked.yes && !confirmed(&format!("remove {}", ids.join(", ")), lines)? {
        return Err(Failure::new("nothing was removed"));
    }
    let stays = |name: &str| {
        let others = settings.accounts.iter().filter(|account| !ids.contains(&account.id.as_str()));
        others.into_iter().any(|account| account.secret == SecretSource::Vault(name.to_owned()))
    };
    let names: Vec<&String> = accounts
        .iter()
        .filter_map(|account| match &account.secret {
            SecretSource::Vault(name) if !asked.keep_secret && !stays(name) => Some(name),
            _ => None,
        })
        .collect();
    let vault = vault::of(&settings, paths);
    // opened first: a vault that stays locked shall not leave an account half removed
    let names = if vault.status().is_ok() { names } else { Vec::new() };
    if !names.is_empty() {
        vault::open(&vault, &asked.passphrase, lines)?;
    }
    edit(paths, |document| roster::remove(document, &ids)).map_err(settings::edit_failed)?;
    for name in names {
        vault.remove(name).map_err(|error| {
            Failure::new(format_args!("the accounts are gone, but {name:?} is still in the vault: {error}"))
        })?;
    }
    lines.say(format_args!("removed {}", ids.join(", ")));
    Ok(())
}

/// Whether a person at the terminal says yes. Nobody there: no, and how to say yes.
pub(super) fn confirmed(what: &str, lines: &mut Lines<'_>) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(format_args!("nobody can be asked whether to {what}; say so with --yes")));
    }
    lines.say(format_args!("{what}? [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::from)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What to do about an account that stands in no file of ours.
pub(super) fn how_to_leave_out(account: &Account) -> String {
    let origin = &account.origin;
    match &account.secret {
        SecretSource::Env(name) => {
            format!("it was found ({origin}); unset {name} where keywheel is started, or start it with --no-discover")
        }
        _ => format!("it was found ({origin}); start keywheel with --no-discover to leave it out"),
    }
}

/// Whether an account stands in the settings file, and was not found in the environment or built in.
pub(super) fn is_written(account: &Account, paths: &Paths) -> bool {
    account.origin == paths.file.display().to_string()
}
