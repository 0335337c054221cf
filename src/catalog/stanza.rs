//! A provider as a file or a stanza of the settings writes it: only what it names, the rest is inherited.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::oauth::OauthEntry;
use super::provider::{AdapterName, Auth, Balance, BodyRules, ErrorRule, Probe, Provider, Redact, Timeouts};
use super::urls::{BaseUrl, EnvName, LocalUrl, ProxyUrl};
use super::wait::Waits;

/// What a provider TOML may say; `[providers.ID]` in the settings has the same keys and overrides only those it names.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stanza {
    /// Its name for people; the id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which dialect it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterName>,
    /// Where it lives: `https://api.example.com/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<BaseUrl>,
    /// How the secret is attached; `Authorization: Bearer` when absent. Overridden as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// How accounts get tokens, where they do not send a key; an account's own table overrides single keys.
    pub oauth: OauthEntry,
    /// Environment variables from which an account is made when they are set.
    pub env: Env,
    /// Base URL at which a local server is looked for at start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discover: Option<LocalUrl>,
    /// The models it offers; when absent they are asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Path of the model list below the base URL; `models` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models_path: Option<String>,
    /// The call by which `account test` sees whether a key is good; its list of models when absent. Overridden as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The call that tells how much money an account has left, for `quota`. Overridden as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// Its name in the GenAI conventions of OpenTelemetry; the id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel_name: Option<String>,
    /// Names that other programs give it, for `account import`.
    pub also: Vec<String>,
    /// Paths below the base URL that it serves, as globs; chat, completions and embeddings when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    /// Headers set on every request.
    pub headers: BTreeMap<String, String>,
    /// Client headers that are not passed on although they usually are.
    pub drop_headers: Vec<String>,
    /// Changes to top-level body fields.
    pub body: BodyRules,
    /// What becomes of secrets in prompts; the strictest of route, provider and client counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<Redact>,
    /// Whether it takes `stream_options.include_usage`: streams are then asked for what they consumed, and the extra frame
    /// is kept from clients that did not ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_usage: Option<bool>,
    /// Outbound proxy: `http://`, `https://` or `socks5h://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyUrl>,
    /// A PEM file with certificate authorities to trust besides the system's, relative to the configuration folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long to wait for what; the global `timeouts` when absent.
    pub timeouts: Waits,
    /// Limits over all its accounts together.
    pub limits: Limits,
    /// What its error answers mean, first match first. Rules of a stanza come before inherited ones.
    pub errors: Vec<ErrorRule>,
    /// Azure: the `api-version`; when set, the classic deployments path is used instead of the v1 path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Azure: model name → deployment name, where they differ.
    pub deployments: BTreeMap<String, String>,
}

/// Environment variables of a provider.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Env {
    /// Variables that hold a key, in order of preference.
    pub key: Vec<EnvName>,
    /// A variable that must also be set and gives the base URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<EnvName>,
}

/// What is wrong with a stanza once everything is inherited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The key at fault and, inside a table, the key below it.
    pub key: Vec<String>,
    /// Why, in words that never hold the value.
    pub message: String,
}

impl Flaw {
    fn new(key: &[&str], message: impl Into<String>) -> Self {
        Self { key: key.iter().map(|part| (*part).to_owned()).collect(), message: message.into() }
    }
}

/// Headers that the gateway or the HTTP library writes; a second hand would break framing.
const FRAMING: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];

/// Headers that carry credentials; those belong into accounts, where they are kept safe.
const CREDENTIALS: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key"];

impl Stanza {
    /// The provider that this stanza describes; `base` holds the waits it inherits and `folder` the place from which
    /// relative paths are meant.
    pub fn provider(self, id: &str, base: Timeouts, folder: &Path) -> Result<Provider, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let headers = header_pairs(&self.headers, &mut flaws);
        let drop_headers = header_names(&self.drop_headers, &mut flaws);
        let env_base_url = self.env.base_url.map(|name| name.0);
        if self.adapter.is_none() {
            flaws.push(Flaw::new(
                &["adapter"],
                "missing; say which dialect the provider speaks; `keywheel config schema` lists them",
            ));
        }
        if self.auth.as_ref().is_some_and(|auth| !auth.header.is_empty() && HeaderName::from_str(&auth.header).is_err())
        {
            flaws.push(Flaw::new(&["auth", "header"], "not the name of a header"));
        }
        if self.base_url.is_none() && env_base_url.is_none() {
            flaws.push(Flaw::new(&["base_url"], "missing; say where the provider lives"));
        }
        let Some(adapter) = self.adapter.filter(|_| flaws.is_empty()) else { return Err(flaws) };
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Ok(Provider {
            id: id.to_owned(),
            name: self.name.unwrap_or_else(|| id.to_owned()),
            adapter,
            base_url: self.base_url.map(|url| url.0).unwrap_or_default(),
            auth: self.auth.unwrap_or_default(),
            oauth: self.oauth,
            env_key: self.env.key.into_iter().map(|name| name.0).collect(),
            env_base_url,
            discover: self.discover.map(|url| url.0),
            models: self.models,
            models_path: self.models_path.unwrap_or_else(|| "models".to_owned()),
            probe: self.probe,
            balance: self.balance,
            otel_name: self.otel_name.unwrap_or_else(|| id.to_owned()),
            also: self.also,
            endpoints: self.endpoints.unwrap_or_else(|| texts(&["chat/completions", "completions", "embeddings"])),
            headers,
            drop_headers,
            body: self.body,
            redact: self.redact.unwrap_or_default(),
            ask_usage: self.ask_usage.unwrap_or_default(),
            proxy: self.proxy.map(|url| url.0),
            ca_file: self.ca_file.map(|file| folder.join(file)),
            timeouts: self.timeouts.over(base),
            limits: self.limits,
            errors: self.errors,
            api_version: self.api_version,
            deployments: self.deployments,
        })
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self { header: "authorization".to_owned(), scheme: "Bearer".to_owned(), optional: false }
    }
}

/// Why a header may not be set by hand, or nothing when it may.
pub fn header_flaw(name: &str, value: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if FRAMING.contains(&lower.as_str()) {
        return Some("this header is written by the gateway itself; take it out");
    }
    if CREDENTIALS.contains(&lower.as_str()) {
        return Some("a credential does not belong in a header here; make an account with `secret` instead");
    }
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some("not the name of a header");
    }
    HeaderValue::from_str(value).is_err().then_some("a header's value is one line of visible characters")
}

fn header_pairs(headers: &BTreeMap<String, String>, flaws: &mut Vec<Flaw>) -> Vec<(HeaderName, HeaderValue)> {
    let mut pairs = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        if let Some(message) = header_flaw(name, value) {
            flaws.push(Flaw::new(&["headers", name], message));
        } else if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            pairs.push((name, value));
        }
    }
    pairs
}

fn header_names(names: &[String], flaws: &mut Vec<Flaw>) -> Vec<HeaderName> {
    let parse = |name: &String| HeaderName::from_bytes(name.as_bytes());
    if names.iter().any(|name| parse(name).is_err()) {
        flaws.push(Flaw::new(&["drop_headers"], "not the name of a header"));
    }
    names.iter().filter_map(|name| parse(name).ok()).collect()
}
