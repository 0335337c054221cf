//! `config …` and `provider check`: settings are read and changed as files, whether or not a gateway runs.

use std::path::Path;

use super::env;
use super::failure::Failure;
use crate::cli::{ConfigVerb, Lines};
use crate::config::edit::{EditError, Edited, edit, set, undo};
use crate::config::{self, Loaded, Overrides, Paths, load};

/// Does what a verb asks for.
pub(super) fn run(verb: &ConfigVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match verb {
        ConfigVerb::Show { origin } => show(paths, *origin, lines),
        ConfigVerb::Check => check(paths, lines),
        ConfigVerb::Schema => schema(lines),
        ConfigVerb::Path => path(paths, lines),
        ConfigVerb::Undo => {
            let kept = undo(paths).map_err(edit_failed)?;
            lines.say(format_args!(
                "{} is as it was before the last change; what it replaced, edits by hand included, is kept in {}",
                paths.file.display(),
                kept.display()
            ));
            Ok(())
        }
        ConfigVerb::Set { key, value } => change(paths, key, value, lines),
    }
}

/// The settings in force, without local servers: those are looked for only at start.
pub(super) fn loaded(paths: &Paths) -> Result<Loaded, Failure> {
    load(paths, &Overrides::default(), &env).map_err(Failure::bad_config)
}

fn show(paths: &Paths, origin: bool, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let rows = loaded(paths)?.origins.rows();
    for row in rows {
        // with origins it still is TOML: they stand in comments
        let from = if origin { format!("  # {}", row.origin) } else { String::new() };
        lines.data(format_args!("{} = {}{from}", row.key, row.value))?;
    }
    Ok(())
}

fn check(paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let loaded = loaded(paths)?;
    for warning in &loaded.warnings {
        lines.say(format_args!("warning: {warning}"));
    }
    let (providers, accounts) = (loaded.settings.providers.len(), loaded.settings.accounts.len());
    lines.say(format_args!("the configuration is valid: {providers} providers, {accounts} accounts"));
    Ok(())
}

/// Writes the JSON Schema of the settings file.
pub(super) fn schema(lines: &mut Lines<'_>) -> Result<(), Failure> {
    Ok(lines.data(format_args!("{:#}", config::schema::settings()))?)
}

fn path(paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    lines.data(paths.file.display())?;
    if let Some(project) = &paths.project {
        lines.data(project.display())?;
    }
    if !paths.file.exists() {
        lines.say("the first of these does not exist; keywheel works without it");
    }
    Ok(())
}

fn change(paths: &Paths, key: &str, value: &str, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let path: Vec<&str> = key.split('.').collect();
    let edited = edit(paths, |document| set(document, &path, toml_value(value))).map_err(edit_failed)?;
    lines.say(match edited {
        Edited::Written => format!("{key} is set in {}; take it back with: keywheel config undo", paths.file.display()),
        Edited::Unchanged => format!("{key} has that value already"),
    });
    Ok(())
}

/// A value as TOML; bare words are text, so that nobody has to quote twice for the shell.
fn toml_value(text: &str) -> toml_edit::Value {
    text.parse().unwrap_or_else(|_| text.into())
}

pub(super) fn edit_failed(error: EditError) -> Failure {
    match error {
        EditError::Broken(_) | EditError::Wrong(_) => Failure::bad_config(error),
        other => Failure::new(other),
    }
}

/// Checks a provider's file.
pub(super) fn check_provider(file: &Path, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(format_args!("cannot read {}: {error}", file.display())))?;
    let provider = config::check_provider(file, &text).map_err(Failure::bad_config)?;
    lines.say(format_args!(
        "{} is a valid provider; put it into the folder providers beside your keywheel.toml",
        provider.id
    ));
    Ok(())
}
