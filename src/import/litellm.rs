//! A LiteLLM proxy's configuration: each entry of `model_list` names a model, its key and its address. Entries that share
//! all but the model become one account.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Batch, ImportError, Names, named};
use crate::catalog::Provider;
use crate::config::{Env, Limits, Settings};
use crate::kit::Secret;

/// How LiteLLM refers to a variable.
const VARIABLE: &str = "os.environ/";
/// The name, in a provider's `also`, for models that are written without one.
const UNNAMED: &str = "*";

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    model_list: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    litellm_params: Params,
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    model: String,
    custom_llm_provider: Option<String>,
    api_key: Option<Zeroizing<String>>,
    api_base: Option<String>,
    rpm: Option<u32>,
    tpm: Option<u64>,
}

/// An account to be, with the models that share it.
struct Group<'a> {
    provider: &'a Provider,
    models: Vec<&'a Params>,
}

/// The accounts of a LiteLLM configuration. `file` is the settings file; `env` says what the variables hold that it
/// refers to.
pub fn text(settings: &Settings, file: &Path, path: &Path, env: Env<'_>) -> Result<Batch, ImportError> {
    let read = std::fs::read_to_string(path).map_err(|error| ImportError::Read(path.to_owned(), error))?;
    let read = Zeroizing::new(read);
    let config: Config = serde_saphyr::from_str(&read).map_err(|error| {
        let place = error.location().map(|at| format!(" (line {})", at.line())).unwrap_or_default();
        ImportError::Odd(path.to_owned(), "LiteLLM configuration", place)
    })?;
    let mut batch = Batch::default();
    let mut groups: BTreeMap<(&str, &str, &str), Group<'_>> = BTreeMap::new();
    for Entry { litellm_params: params } in &config.model_list {
        let name = match (&params.custom_llm_provider, params.model.split_once('/')) {
            (Some(name), _) => name.as_str(),
            (None, Some((name, _))) => name,
            (None, None) => UNNAMED,
        };
        let Some(provider) = named(settings, name) else {
            batch.skip(&params.model, format!("there is no provider {name:?} here; keywheel provider list"));
            continue;
        };
        let (key, base) = (params.api_key.as_deref().map_or("", String::as_str), params.api_base.as_deref());
        let group = groups.entry((&provider.id, base.unwrap_or_default(), key));
        group.or_insert_with(|| Group { provider, models: Vec::new() }).models.push(params);
    }
    let mut names = Names::of(settings, file);
    for ((_, base, key), group) in &groups {
        group.account((base, key), &mut names, &mut batch, env);
    }
    Ok(batch)
}

impl Group<'_> {
    fn account(&self, (base, key): (&str, &str), names: &mut Names, batch: &mut Batch, env: Env<'_>) {
        let models: Vec<&str> = self.models.iter().map(|params| params.model.as_str()).collect();
        let models = models.join(", ");
        let held = |text: &str| match text.strip_prefix(VARIABLE) {
            Some(name) => env(name).ok_or_else(|| format!("{name} is not set here; set it and import again")),
            None => Ok(text.to_owned()),
        };
        let key = match key {
            "" => self.provider.env_key.iter().find_map(|name| env(name)).ok_or_else(|| "it has no api_key".to_owned()),
            key => held(key),
        };
        let base = if base.is_empty() { Ok(None) } else { held(base).map(Some) };
        let (secret, base) = match (key.map(Secret::new), base) {
            (Ok(secret), Ok(base)) if !secret.is_empty() => (secret, base),
            (Ok(_), Ok(_)) => return batch.skip(models, "its api_key is empty"),
            (Err(why), _) | (_, Err(why)) => return batch.skip(models, why),
        };
        let before = batch.found.len();
        batch.add(names, self.provider, base.as_deref(), secret, models);
        // a limit of LiteLLM is one model's, ours is the account's
        if let ([one], Some(found)) = (self.models.as_slice(), batch.found.get_mut(before)) {
            let positive = |limit: u32| (limit > 0).then_some(limit);
            found.account.limits =
                Limits { rpm: one.rpm.and_then(positive), tpm: one.tpm.filter(|tpm| *tpm > 0), concurrency: None };
        }
    }
}
