//! `account enable` and `disable`, and `quota`.

use super::failure::Failure;
use super::{accounts, questions, settings};
use crate::cli::Lines;
use crate::cli::account::{Chosen, EnableAccounts};
use crate::cli::quota::{self, Quota};
use crate::config::edit::edit;
use crate::config::{Paths, roster};
use crate::operator::{Ask, Reply};
use crate::ops;

/// Switches accounts on in the settings file, and ends their rests in the gateway that runs.
pub(super) fn enable(asked: &EnableAccounts, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let written = write(&asked.chosen, false, asked.now, paths, lines)?;
    if !asked.now {
        if written == 0 {
            lines.say("switched on already; to end a cooldown, add --now");
        }
        return Ok(());
    }
    match questions::ask_if_running(paths, Ask::Heal(asked.chosen.record()))? {
        Some(Reply::Done(words)) => lines.say(words),
        Some(other) => return Err(questions::unexpected(&other)),
        None => return Err(Failure::not_running("no gateway runs in which a cooldown could be ended")),
    }
    Ok(())
}

/// Switches accounts off in the settings file; a gateway that runs follows within a second.
pub(super) fn disable(asked: &Chosen, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    if write(asked, true, false, paths, lines)? == 0 {
        lines.say("switched off already");
    }
    Ok(())
}

/// What accounts have used and have left.
pub(super) fn quota(asked: &Quota, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let question = Ask::Quota { ids: asked.ids.clone(), refresh: asked.refresh };
    match questions::ask_if_running(paths, question)? {
        Some(Reply::Quota(rows)) => Ok(quota::show(lines, asked.format, &rows)?),
        Some(other) => Err(questions::unexpected(&other)),
        None => Err(Failure::not_running("no gateway runs, and what is left is known to nobody else; keywheel serve")),
    }
}

/// Writes the switch; gives how many were turned. `lenient`: those that stand in no file are left alone.
fn write(
    asked: &Chosen,
    disabled: bool,
    lenient: bool,
    paths: &Paths,
    lines: &mut Lines<'_>,
) -> Result<usize, Failure> {
    let settings = settings::loaded(paths)?.settings;
    // one that was found in the environment stands in no file and is known to the running gateway alone
    let chosen = match ops::chosen(&settings, &asked.record()) {
        Ok(chosen) => chosen,
        Err(_) if lenient => return Ok(0),
        Err(refusal) => return Err(Failure::new(refusal)),
    };
    let own = paths.file.display().to_string();
    if let Some(found) = chosen.iter().find(|account| !lenient && !accounts::is_written(account, paths)) {
        let (id, why) = (&found.id, accounts::how_to_leave_out(found));
        return Err(Failure::new(format_args!("account {id} is not in {own}, so it cannot be switched there: {why}")));
    }
    let ids: Vec<&str> = chosen
        .iter()
        .filter(|account| !lenient || account.disabled || accounts::is_written(account, paths))
        .map(|account| account.id.as_str())
        .collect();
    let mut turned = Vec::new();
    let change = |document: &mut toml_edit::DocumentMut| {
        turned = roster::switch(document, &ids, disabled)?;
        Ok(())
    };
    edit(paths, change).map_err(Failure::new)?;
    let word = if disabled { "off" } else { "on" };
    for id in &turned {
        lines.say(format_args!("{id} is switched {word} in {own}"));
    }
    Ok(turned.len())
}
