//! Keys in variables: those of this process, or of a dotenv file.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Batch, ImportError, Names};
use crate::config::{Env, Settings};
use crate::kit::Secret;

/// The keys that stand in this process's variables. `file` is the settings file.
pub fn environment(settings: &Settings, file: &Path, env: Env<'_>) -> Batch {
    let mut batch = Batch::default();
    let mut names = Names::of(settings, file);
    for provider in settings.providers.values() {
        let set = |name: &String| env(name).map(Secret::new).filter(|secret| !secret.is_empty());
        for (variable, secret) in provider.env_key.iter().filter_map(|name| Some((name, set(name)?))) {
            let base_url = provider.env_base_url.as_ref().and_then(|name| env(name));
            batch.add(&mut names, provider, base_url.as_deref(), secret, variable.clone());
        }
    }
    batch
}

/// The keys that a dotenv file sets. Variables that hold keys of nobody we know are named as left.
pub fn dotenv(settings: &Settings, file: &Path, path: &Path) -> Result<Batch, ImportError> {
    let opened = File::open(path).map_err(|error| ImportError::Read(path.to_owned(), error))?;
    let mut set: BTreeMap<String, Zeroizing<String>> = BTreeMap::new();
    for pair in dotenvy::from_read_iter(opened) {
        // its error would quote the line
        let (name, value) = pair.map_err(|_| ImportError::Odd(path.to_owned(), "dotenv file", String::new()))?;
        set.insert(name, Zeroizing::new(value));
    }
    let mut batch = environment(settings, file, &|name| set.get(name).map(|value| value.to_string()));
    let known = |name: &String| settings.providers.values().any(|provider| provider.env_key.contains(name));
    for name in set.keys().filter(|name| (name.ends_with("_KEY") || name.ends_with("_TOKEN")) && !known(name)) {
        batch.skip(name, "no provider here takes it; for one of your own say env = { key = [NAME] } in its stanza");
    }
    Ok(batch)
}
