//! `vault …`: works on the vault's own file, whether or not a gateway runs, and tells the one that does.

use std::path::Path;

use serde::Serialize;

use super::failure::Failure;
use super::{questions, settings};
use crate::cli::entry::{Entry, Typed};
use crate::cli::vault::{By, Export, Import, Passphrase, Rekey, VaultStatus};
use crate::cli::{Lines, VaultVerb};
use crate::config::{Paths, SecretSource, Settings};
use crate::kit::{Clock, Secret};
use crate::operator::{Ask, Handed, Reply, VaultOrder};
use crate::vault::home::Home;
use crate::vault::{Conflict, Label, Opener, Outsiders, Sealed, Status, Strongbox, Vault, VaultError, Way};

/// Does what a verb asks for.
pub(super) fn run(verb: &VaultVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let vault = of(&settings, paths);
    match verb {
        VaultVerb::Status(asked) => status(asked, &settings, &vault, paths, lines),
        VaultVerb::Unlock(passphrase) => unlock(passphrase, &vault, paths, lines),
        VaultVerb::Lock => lock(&vault, paths, lines),
        VaultVerb::Rekey(asked) => rekey(asked, &vault, paths, lines),
        VaultVerb::Export(asked) => export(asked, &vault, lines),
        VaultVerb::Import(asked) => import(asked, &vault, lines),
    }
}

/// The vault of these settings, locked.
pub(super) fn of(settings: &Settings, paths: &Paths) -> Strongbox {
    Strongbox::new(Home::of(&settings.vault, &paths.data, &paths.state), Clock::system())
}

/// Unlocks it, by a person where nothing else does.
pub(super) fn open(vault: &Strongbox, given: &Passphrase, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let status = vault.status().map_err(Failure::new)?;
    let person = status.wraps.iter().any(|(_, way)| *way == Way::Passphrase);
    if person && given.passphrase_file.is_some() {
        return by_passphrase(vault, given, lines);
    }
    let notices = vault.unlock_unattended().map_err(Failure::new)?;
    match notices.as_slice() {
        [] => Ok(()),
        _ if person => by_passphrase(vault, given, lines),
        notices => Err(Failure::new(notices.join("; "))),
    }
}

fn by_passphrase(vault: &Strongbox, given: &Passphrase, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let file = given.passphrase_file.as_deref();
    let entry = Entry { what: "passphrase of the vault", file, flag: "--passphrase-file", typed: Typed::Once };
    let secret = entry.read().map_err(Failure::new)?;
    let told = vault.unlock(&Opener::passphrase(secret)).map_err(Failure::new)?;
    told.into_iter().for_each(|told| lines.say(told));
    Ok(())
}

/// A vault as scripts see it.
#[derive(Serialize)]
struct VaultRow<'a> {
    file: &'a Path,
    exists: bool,
    opens_by: Vec<String>,
    because: Option<String>,
    generation: Option<u64>,
    locked: Option<bool>,
    gateway: Option<&'static str>,
    entries: Option<Vec<EntryRow>>,
}

/// An entry, without its secret.
#[derive(Serialize)]
struct EntryRow {
    name: String,
    kind: String,
    expires_at: Option<String>,
    accounts: Vec<String>,
}

fn status(
    asked: &VaultStatus,
    settings: &Settings,
    vault: &Strongbox,
    paths: &Paths,
    lines: &mut Lines<'_>,
) -> Result<(), Failure> {
    let found = match vault.status() {
        Err(VaultError::Missing(_)) => None,
        found => Some(found.map_err(Failure::new)?),
    };
    let mut notices = Vec::new();
    if found.is_some() {
        match asked.passphrase.passphrase_file {
            Some(_) => open(vault, &asked.passphrase, lines)?,
            None => notices = vault.unlock_unattended().map_err(Failure::new)?,
        }
    }
    let locked = found.is_some().then(|| vault.status().map_err(Failure::new)).transpose()?.map(|now| now.locked);
    let entries = match locked {
        Some(false) => Some(vault.list().map_err(Failure::new)?),
        _ => None,
    };
    let row = VaultRow {
        file: found.as_ref().map_or(&vault.home().file, |found| &found.path),
        exists: found.is_some(),
        opens_by: found.iter().flat_map(Status::ways).map(|way| way.to_string()).collect(),
        because: vault.home().choice().and_then(|choice| choice.because),
        generation: found.as_ref().map(|found| found.generation),
        locked,
        gateway: gateway(paths)?.map(|locked| if locked { "locked" } else { "unlocked" }),
        entries: entries.map(|entries| entries.into_iter().map(|label| entry_row(label, settings)).collect()),
    };
    if asked.format.json {
        return Ok(lines.json(&row)?);
    }
    show(&row, lines)?;
    advise(&row, &notices, lines);
    Ok(())
}

fn entry_row(label: Label, settings: &Settings) -> EntryRow {
    let own = settings.accounts.iter().filter(|account| account.secret == SecretSource::Vault(label.name.clone()));
    let kind = serde_json::to_value(label.kind).ok().and_then(|kind| Some(kind.as_str()?.to_owned()));
    EntryRow {
        kind: kind.unwrap_or_default(),
        expires_at: label.expires_at.map(|at| at.to_string()),
        accounts: own.map(|account| account.id.clone()).collect(),
        name: label.name,
    }
}

fn show(row: &VaultRow<'_>, lines: &mut Lines<'_>) -> Result<(), Failure> {
    lines.data(format_args!("file        {}", row.file.display()))?;
    if let Some(generation) = row.generation {
        lines.data(format_args!("opens by    {}", row.opens_by.join(", ")))?;
        lines.data(format_args!("generation  {generation}"))?;
    }
    if let Some(locked) = row.locked {
        lines.data(format_args!("here        {}", if locked { "locked" } else { "unlocked" }))?;
    }
    if let Some(gateway) = row.gateway {
        lines.data(format_args!("gateway     {gateway}"))?;
    }
    for (at, entry) in row.entries.iter().flatten().enumerate() {
        let used = match entry.accounts.as_slice() {
            [] => "used by no account".to_owned(),
            [one] => format!("account {one}"),
            several => format!("accounts {}", several.join(", ")),
        };
        let until = entry.expires_at.as_ref().map(|at| format!(", until {at}")).unwrap_or_default();
        let head = if at == 0 { "entries" } else { "" };
        lines.data(format_args!("{head:<12}{}  {}, {used}{until}", entry.name, entry.kind))?;
    }
    Ok(())
}

/// What to do next, where something is to be done.
fn advise(row: &VaultRow<'_>, notices: &[String], lines: &mut Lines<'_>) {
    if !row.exists {
        lines.say("there is no vault yet; add an account and it is made: keywheel account add");
        return;
    }
    let by_machine = row.opens_by == [Way::Machine.to_string()];
    if let Some(because) = row.because.as_ref().filter(|_| by_machine) {
        lines.say(format_args!(
            "its key is kept by this machine and not by a keychain: {because}; a passphrase is safer: \
             keywheel vault rekey --by passphrase"
        ));
    }
    if row.gateway == Some("unlocked") && !notices.is_empty() {
        // nothing is to be done: what is locked is this command's own look
        lines.say(
            "the running gateway has it open; this command has not, and would need its passphrase to list the entries",
        );
        return;
    }
    notices.iter().for_each(|notice| lines.say(notice));
    if notices.is_empty() && row.gateway == Some("locked") {
        lines.say("the running gateway has it locked; run: keywheel vault unlock");
    }
}

fn unlock(given: &Passphrase, vault: &Strongbox, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    open(vault, given, lines)?;
    if hand_over(vault, paths)? {
        lines.say("the running gateway has unlocked the vault");
        return Ok(());
    }
    let asks = vault.status().map_err(Failure::new)?.ways().contains(&Way::Passphrase);
    lines.say(match (asks, vault.home().kernel_cache) {
        (true, Some(lifetime)) => {
            format!("unlocked; no gateway runs, and the kernel keeps it open for {} s", lifetime.as_secs())
        }
        (true, None) => "the passphrase is right, but no gateway runs that could be unlocked; start one, then unlock \
             it; or let the kernel keep it: keywheel config set vault.unlock_cache 8h"
            .to_owned(),
        (false, _) => "the vault opens by itself; no gateway runs".to_owned(),
    });
    Ok(())
}

fn lock(vault: &Strongbox, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    vault.lock().map_err(Failure::new)?;
    let told = questions::ask_if_running(paths, Ask::Vault(VaultOrder::Lock))?;
    let by_itself = vault.status().map_err(Failure::new)?.ways().into_iter().find(|way| *way != Way::Passphrase);
    match (told, by_itself) {
        (Some(Reply::Done(words)), Some(way)) => lines.say(format_args!(
            "{words} until keywheel vault unlock; since it opens by {way}, also until its next start"
        )),
        (Some(Reply::Done(words)), None) => lines.say(format_args!("{words}; open it with: keywheel vault unlock")),
        (Some(other), _) => return Err(questions::unexpected(&other)),
        (None, Some(way)) => lines.say(format_args!("no gateway runs; the vault opens by {way}, without a person")),
        (None, None) => lines.say("locked; no gateway runs"),
    }
    Ok(())
}

fn rekey(asked: &Rekey, vault: &Strongbox, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    open(vault, &asked.passphrase, lines)?;
    let was_open = gateway(paths)? == Some(false);
    let ways = match asked.by.as_slice() {
        [] => vault.status().map_err(Failure::new)?.ways(),
        by => by.iter().map(|by| by.way()).collect(),
    };
    let openers = ways.iter().map(|way| opener(*way, asked, vault)).collect::<Result<Vec<_>, _>>()?;
    let outsiders = if asked.by.is_empty() { Outsiders::Refuse } else { Outsiders::ShutOut };
    let done = vault.file().rekey(&openers, outsiders).map_err(Failure::new)?;
    let ways: Vec<String> = ways.iter().map(ToString::to_string).collect();
    lines.say(format_args!("the vault has a new key; it opens by {} now", ways.join(", ")));
    for shut_out in &done.shut_out {
        lines.say(format_args!("it no longer opens by: {shut_out}"));
    }
    if was_open && hand_over(vault, paths)? {
        lines.say("the running gateway goes on with the new key");
    }
    Ok(())
}

fn opener(way: Way, asked: &Rekey, vault: &Strongbox) -> Result<Opener, Failure> {
    let home = vault.home();
    Ok(match way {
        Way::Passphrase => {
            let (what, flag) = ("new passphrase of the vault", "--new-passphrase-file");
            let file = asked.new_passphrase_file.as_deref();
            Opener::passphrase(Entry { what, file, flag, typed: Typed::Twice }.read().map_err(Failure::new)?)
        }
        Way::Machine => Opener::Machine(home.machine.clone()),
        Way::Keychain => Opener::Keychain(home.keychain.clone()),
        Way::KeyFile => Opener::KeyFile(home.key_file.clone().ok_or_else(|| {
            Failure::new("no key file is set; name one first: keywheel config set vault.key_file FILE")
        })?),
    })
}

fn export(asked: &Export, vault: &Strongbox, lines: &mut Lines<'_>) -> Result<(), Failure> {
    open(vault, &asked.passphrase, lines)?;
    let (what, flag) = ("passphrase for the exported file", "--new-passphrase-file");
    let entry = Entry { what, file: asked.new_passphrase_file.as_deref(), flag, typed: Typed::Twice };
    let passphrase = entry.read().map_err(Failure::new)?;
    let count = vault.file().export(&asked.file, passphrase).map_err(Failure::new)?;
    lines.say(format_args!(
        "{count} entries are in {}; read them with: keywheel vault import {0}",
        asked.file.display()
    ));
    Ok(())
}

fn import(asked: &Import, vault: &Strongbox, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let from = Sealed::at(&asked.file);
    // a wrong file is told before anybody types anything
    from.status().map_err(|error| match error {
        VaultError::Missing(file) => Failure::new(format_args!("there is no file {}", file.display())),
        other => Failure::new(other),
    })?;
    ready(vault, &asked.passphrase, lines)?;
    let (what, flag) = ("passphrase of the exported file", "--import-passphrase-file");
    let entry = Entry { what, file: asked.import_passphrase_file.as_deref(), flag, typed: Typed::Once };
    let passphrase: Secret = entry.read().map_err(Failure::new)?;
    from.unlock(&Opener::passphrase(passphrase)).map_err(|error| match error {
        VaultError::WrongPassphrase => Failure::new("that is not the passphrase of the exported file"),
        other => Failure::new(other),
    })?;
    let conflict = if asked.replace { Conflict::Replace } else { Conflict::Keep };
    let done = vault.file().import(&from, conflict).map_err(Failure::new)?;
    let told = [("added", &done.added), ("replaced", &done.replaced), ("kept as it was", &done.kept)];
    for (what, names) in told.into_iter().filter(|(_, names)| !names.is_empty()) {
        lines.say(format_args!("{what}: {}", names.join(", ")));
    }
    if !done.kept.is_empty() {
        lines.say("--replace takes what comes instead");
    }
    Ok(())
}

/// The vault, made where there is none, and unlocked.
pub(super) fn ready(vault: &Strongbox, given: &Passphrase, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match vault.status() {
        Err(VaultError::Missing(_)) if given.passphrase_file.is_some() => by_new_passphrase(vault, given, lines),
        Err(VaultError::Missing(_)) => match vault.open_or_create() {
            Ok(notices) => {
                notices.iter().for_each(|notice| lines.say(notice));
                Ok(())
            }
            Err(VaultError::NoMachineId) => {
                lines.say("no keychain here, and this system has no machine id: the new vault needs a passphrase");
                by_new_passphrase(vault, given, lines)
            }
            Err(error) => Err(Failure::new(error)),
        },
        _ => open(vault, given, lines),
    }
}

/// Makes the vault so that a passphrase opens it.
fn by_new_passphrase(vault: &Strongbox, given: &Passphrase, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let file = given.passphrase_file.as_deref();
    let entry = Entry { what: "passphrase for the new vault", file, flag: "--passphrase-file", typed: Typed::Twice };
    let passphrase = entry.read().map_err(Failure::new)?;
    vault.create(&Opener::passphrase(passphrase)).map_err(Failure::new)?;
    lines.say(format_args!("made a vault that your passphrase opens: {}", vault.home().file.display()));
    Ok(())
}

/// Whether the running gateway has the vault locked; `None` when none runs, or it has none.
fn gateway(paths: &Paths) -> Result<Option<bool>, Failure> {
    match questions::ask_if_running(paths, Ask::Vault(VaultOrder::Look))? {
        None => Ok(None),
        Some(Reply::Vault { locked }) => Ok(locked),
        Some(other) => Err(questions::unexpected(&other)),
    }
}

/// Opens the running gateway's vault by the key that was found here; whether one runs.
fn hand_over(vault: &Strongbox, paths: &Paths) -> Result<bool, Failure> {
    let key = vault.file().data_key().map_err(Failure::new)?.hand_over();
    match questions::ask_if_running(paths, Ask::Vault(VaultOrder::Unlock(Handed(key))))? {
        None => Ok(false),
        Some(Reply::Done(_)) => Ok(true),
        Some(other) => Err(questions::unexpected(&other)),
    }
}

impl By {
    const fn way(self) -> Way {
        match self {
            Self::Passphrase => Way::Passphrase,
            Self::Keychain => Way::Keychain,
            Self::Machine => Way::Machine,
            Self::KeyFile => Way::KeyFile,
        }
    }
}
