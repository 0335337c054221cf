//! Reads every layer and hands out settings, or everything that is wrong with them.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::check::Check;
use super::discover;
use super::home::{Env, Paths};
use super::layers::{Gathered, Layer, Overrides, provider_source, settings_source};
use super::merge::merge;
use super::origins::Origins;
use super::problem::{Problem, Problems};
use super::settings::{SecretSource, Settings};
use super::shape::Shape;
use crate::catalog::Provider;
use crate::catalog::urls::is_loopback;

/// Settings, and what may be said about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings, with the accounts found in the environment.
    pub settings: Settings,
    /// Who set what.
    pub origins: Origins,
    /// What is allowed and yet worth a word.
    pub warnings: Vec<String>,
}

/// Reads all layers. On failure the caller keeps the settings it has.
pub fn load(paths: &Paths, overrides: &Overrides, env: Env<'_>) -> Result<Loaded, Problems> {
    let mut gathered = Gathered::built_in();
    gathered.user(paths, None);
    if let Some(file) = &paths.project {
        gathered.project(file);
    }
    gathered.environment(env);
    gathered.flags(overrides);
    let mut loaded = settle(gathered, &paths.config)?;
    if loaded.settings.discover {
        let (found, warnings) = discover::in_environment(&loaded.settings, env);
        loaded.settings.adopt(found);
        loaded.warnings.extend(warnings);
    }
    loaded.warnings.extend(remarks(&loaded.settings, env));
    Ok(loaded)
}

/// Settings from this text over what is built in: no environment, no other file.
pub fn parse(text: &str) -> Result<Settings, Problems> {
    let mut gathered = Gathered::built_in();
    gathered.add(Layer::User, settings_source("keywheel.toml".to_owned(), text.to_owned()));
    settle(gathered, Path::new("")).map(|loaded| loaded.settings)
}

/// The provider that a file of the user's own describes, over what is built in. Its id is the file's name without
/// `.toml`.
pub fn check_provider(file: &Path, text: &str) -> Result<Arc<Provider>, Problems> {
    let name = file.display().to_string();
    let id = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let mut gathered = Gathered::built_in();
    gathered.add(Layer::User, provider_source(name.clone(), id, text.to_owned()));
    let provider = settle(gathered, file.parent().unwrap_or(Path::new("")))?.settings.providers.remove(id);
    provider.ok_or_else(|| Problems(vec![Problem::in_file(name, "describes no provider; state at least its base_url")]))
}

/// Whether the user's files would be right with `text` as the settings file.
pub(super) fn validate(paths: &Paths, text: &str) -> Result<(), Problems> {
    let mut gathered = Gathered::built_in();
    gathered.user(paths, Some(text));
    settle(gathered, &paths.config).map(drop)
}

fn settle(gathered: Gathered, folder: &Path) -> Result<Loaded, Problems> {
    let Gathered { layers, problems, gaps } = gathered;
    // what an unreadable file defines is unknown, so nothing can be said about what refers to it
    if gaps {
        return Err(Problems::sorted(problems));
    }
    let origins = merge(layers);
    let shape = match Shape::deserialize(toml::Value::Table(origins.table().clone())) {
        Ok(shape) => shape,
        Err(error) if problems.is_empty() => {
            let problem = Problem::in_file("", format!("the settings do not fit together: {}", error.message()));
            return Err(Problems(vec![problem]));
        }
        Err(_) => return Err(Problems::sorted(problems)),
    };
    let mut check = Check { origins: &origins, problems, folder, known: Vec::new() };
    let settings = check.settings(shape);
    let problems = check.problems;
    if !problems.is_empty() {
        return Err(Problems::sorted(problems));
    }
    Ok(Loaded { settings, origins, warnings: Vec::new() })
}

fn remarks(settings: &Settings, env: Env<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    for account in &settings.accounts {
        match &account.secret {
            SecretSource::Env(name) if env(name).is_none_or(|value| value.trim().is_empty()) => {
                remarks.push(format!("account {}: {name} is not set, so it cannot be used", account.id));
            }
            _ => {}
        }
        let provider = settings.providers.get(&account.provider);
        let base = account.base_url.as_ref().or(provider.map(|provider| &provider.base_url));
        let url = base.and_then(|base| url::Url::parse(base).ok());
        let naked = url.is_some_and(|url| url.scheme() == "http" && !is_loopback(&url));
        if naked && account.secret != SecretSource::None {
            remarks.push(format!("account {}: its key travels unencrypted, since its base_url is http://", account.id));
        }
    }
    remarks
}
