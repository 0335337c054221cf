//! CLIProxyAPI's auth folder: one JSON file a credential. Nearly all of them are logins that were given to another
//! program's client id; those are left. API keys are taken.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Batch, ImportError, Names, named};
use crate::config::Settings;
use crate::kit::Secret;

/// More than any credential file has.
const LONGEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Credential {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    disabled: bool,
    api_key: Option<Zeroizing<String>>,
    #[serde(alias = "base-url")]
    base_url: Option<String>,
    // what shows a login, read only to see that it is there
    access_token: Option<serde::de::IgnoredAny>,
    refresh_token: Option<serde::de::IgnoredAny>,
    id_token: Option<serde::de::IgnoredAny>,
    token: Option<serde::de::IgnoredAny>,
    cookie: Option<serde::de::IgnoredAny>,
    service_account: Option<serde::de::IgnoredAny>,
}

/// The accounts of such a folder. `file` is the settings file.
pub fn folder(settings: &Settings, file: &Path, folder: &Path) -> Result<Batch, ImportError> {
    let entries = fs::read_dir(folder).map_err(|error| ImportError::Read(folder.to_owned(), error))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let (mut batch, mut names) = (Batch::default(), Names::of(settings, file));
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match credential(&path) {
            Ok(read) => take(settings, &mut batch, &mut names, read, name),
            Err(why) => batch.skip(name, why),
        }
    }
    Ok(batch)
}

fn take(settings: &Settings, batch: &mut Batch, names: &mut Names, read: Credential, name: String) {
    let kind = if read.kind.is_empty() { "unknown" } else { &read.kind };
    if read.is_login() {
        let why = "a login that was given to another program, which we do not pass ourselves off as; make an API key";
        return batch.skip(name, format!("{kind}: {why}"));
    }
    if read.service_account.is_some() {
        return batch.skip(name, format!("{kind}: a service account, which no provider here takes"));
    }
    let Some(key) = read.api_key.filter(|key| !key.trim().is_empty()) else {
        return batch.skip(name, format!("{kind}: there is no API key in it"));
    };
    if read.disabled {
        return batch.skip(name, format!("{kind}: it is switched off there"));
    }
    match named(settings, kind) {
        Some(provider) => {
            batch.add(names, provider, read.base_url.as_deref(), Secret::new(key.as_str()), name);
        }
        None => batch.skip(name, format!("there is no provider {kind:?} here; keywheel provider list")),
    }
}

/// Reads a file; the words of a failure quote nothing of it.
fn credential(path: &Path) -> Result<Credential, String> {
    let seen = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if seen.len() > LONGEST {
        return Err("too large for a credential".to_owned());
    }
    let text = fs::read(path).map(Zeroizing::new).map_err(|error| format!("cannot be read: {error}"))?;
    serde_json::from_slice(&text).map_err(|_| "not a credential in JSON".to_owned())
}

impl Credential {
    fn is_login(&self) -> bool {
        let marks = [&self.access_token, &self.refresh_token, &self.id_token, &self.token, &self.cookie];
        marks.into_iter().any(Option::is_some)
    }
}
