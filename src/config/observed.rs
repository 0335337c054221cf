//! What others may watch: the page of counters, and the collector that calls are told to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts;
use super::check::Check;
use super::key::Key;
use super::settings::Account;
use crate::catalog::stanza::header_flaw;
use crate::catalog::urls::is_loopback;
use crate::catalog::{BaseUrl, SecretEntry, Wait};

/// The page of counters, `/metrics`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MetricsEntry {
    /// Whether it is shown without a client key. Accounts are then left out.
    pub public: bool,
}

/// A collector of OpenTelemetry that takes OTLP over gRPC. Nothing that was said in a call is sent to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OtlpEntry {
    /// Where it listens: `http://127.0.0.1:4317`; nothing is sent when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<BaseUrl>,
    /// Headers of every request to it.
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are secrets, such as `authorization`.
    pub secrets: BTreeMap<String, SecretEntry>,
    /// A PEM file with certificate authorities to trust besides the system's, relative to the configuration folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long one request to it may take.
    pub timeout: Wait,
    /// The longest that a call waits to be sent.
    pub every: Wait,
    /// The most calls of one request.
    #[schemars(range(min = 1))]
    pub batch: u32,
}

/// The collector that calls are told to.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// Where it listens.
    pub endpoint: String,
    /// Headers of every request.
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are secrets, each had as an account's is.
    pub secrets: Vec<(String, Arc<Account>)>,
    /// Certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// The longest that a call waits to be sent.
    pub every: Duration,
    /// The most calls of one request.
    pub batch: usize,
}

impl Default for OtlpEntry {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            ca_file: None,
            timeout: Wait(Duration::from_secs(10)),
            every: Wait(Duration::from_secs(1)),
            batch: 512,
        }
    }
}

/// The collector, where one is named.
pub(super) fn checked(check: &mut Check<'_>, entry: OtlpEntry) -> Option<Otlp> {
    let key = Key::of(&["otlp"]);
    for (name, value) in &entry.headers {
        if let Some(message) = header_flaw(name, value) {
            let credential = message.starts_with("a credential");
            let message =
                if credential { "a credential belongs into `secrets`, never into this file" } else { message };
            check.wrong(&key.name("headers").name(name), message);
        }
    }
    let mut secrets = Vec::new();
    for (name, secret) in entry.secrets {
        let key = key.name("secrets").name(&name);
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            check.wrong(&key, "not the name of a header");
        }
        let source = accounts::source(check, &key, secret);
        secrets.push((name.clone(), Arc::new(Account::found(&format!("otlp.{name}"), "otlp", source, "otlp"))));
    }
    let endpoint = entry.endpoint?.0;
    let url = url::Url::parse(&endpoint).ok().filter(url::Url::has_host);
    match url {
        None => check.wrong(&key.name("endpoint"), "name the collector's address, such as http://127.0.0.1:4317"),
        Some(url) if url.scheme() == "http" && !is_loopback(&url) && !secrets.is_empty() => {
            check.wrong(&key.name("endpoint"), "its secrets would travel unencrypted; use https://");
        }
        Some(_) => {}
    }
    Some(Otlp {
        endpoint,
        headers: entry.headers,
        secrets,
        ca_file: entry.ca_file.map(|file| check.folder.join(file)),
        timeout: entry.timeout.0,
        every: entry.every.0,
        batch: usize::try_from(entry.batch).unwrap_or(usize::MAX).max(1),
    })
}
