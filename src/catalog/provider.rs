//! A provider: one service, described by one TOML file.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::oauth::OauthEntry;
use crate::kit::Time;

/// A provider with every default filled in, as the rest of the house sees it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The id that stands before the slash in `provider/model`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Which dialect it speaks.
    pub adapter: AdapterName,
    /// Where it lives, without a slash at the end: `https://api.openai.com/v1`; `sim:` is answered in process.
    pub base_url: String,
    /// How the secret is attached.
    pub auth: Auth,
    /// How its accounts get tokens; each account's own table goes before it.
    pub oauth: OauthEntry,
    /// Environment variables that hold a key, in order of preference.
    pub env_key: Vec<String>,
    /// Environment variable that must also be set and gives the base URL (Azure: the resource's endpoint).
    pub env_base_url: Option<String>,
    /// Base URL at which a local server is looked for at start.
    pub discover: Option<String>,
    /// The models it offers; `None` means that they are asked of it.
    pub models: Option<Vec<String>>,
    /// Path of the model list below the base URL.
    pub models_path: String,
    /// The call that shows whether a key is good.
    pub probe: Option<Probe>,
    /// The call that tells how much money an account has left.
    pub balance: Option<Balance>,
    /// Its name in the GenAI conventions of OpenTelemetry (`gen_ai.provider.name`).
    pub otel_name: String,
    /// Names that other programs give it; keys of theirs are imported by them.
    pub also: Vec<String>,
    /// Paths below the base URL that it serves, as globs: `chat/completions`, `images/*`.
    pub endpoints: Vec<String>,
    /// Headers set on every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Client headers that are not passed on although they usually are.
    pub drop_headers: Vec<HeaderName>,
    /// Changes to top-level body fields.
    pub body: BodyRules,
    /// What becomes of secrets in prompts.
    pub redact: Redact,
    /// Whether streams are asked for usage where the client did not.
    pub ask_usage: bool,
    /// Outbound proxy: `http://`, `https://` or `socks5h://`.
    pub proxy: Option<String>,
    /// A PEM file with certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Limits over all its accounts together.
    pub limits: Limits,
    /// What its error answers mean, first match first; the adapter's own rules follow.
    pub errors: Vec<ErrorRule>,
    /// Azure: the `api-version`; when set, the classic deployments path is used instead of the v1 path.
    pub api_version: Option<String>,
    /// Azure: model name → deployment name, where they differ.
    pub deployments: BTreeMap<String, String>,
}

/// The dialects that have an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdapterName {
    /// Any OpenAI-compatible service.
    Openai,
    /// Azure OpenAI and Foundry.
    Azure,
    /// xAI.
    Xai,
    /// DeepSeek.
    Deepseek,
}

/// How a provider wants the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The header that carries it; empty for services without a key.
    pub header: String,
    /// The word before it (`Bearer`); empty for the bare secret.
    #[serde(default)]
    pub scheme: String,
    /// Whether an account works without a secret.
    #[serde(default)]
    pub optional: bool,
}

/// A call that a provider answers only to a good key, and that costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// Its path below the base URL; `../` climbs.
    pub path: String,
    /// A JSON body, with which it is a POST and otherwise a GET.
    pub body: Option<serde_json::Value>,
    /// Statuses besides 2xx that show a good key: what the body lacks is found only after the key was looked at.
    pub accepts: Vec<u16>,
}

/// A call that tells how much money an account has left, and where in its JSON answer that stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Balance {
    /// Its path below the base URL; `../` climbs.
    pub path: String,
    /// JSON pointer to what is left, a number or a text.
    pub left: String,
    /// JSON pointer to the currency; where it does not begin with a slash, the currency itself.
    pub unit: String,
}

/// Changes to top-level body fields, applied in the order drop, rename, default, set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodyRules {
    /// Fields that get this value whatever the client sent.
    pub set: BTreeMap<String, serde_json::Value>,
    /// Fields that get this value when the client sent none.
    pub default: BTreeMap<String, serde_json::Value>,
    /// Fields that are taken out.
    pub drop: Vec<String>,
    /// Old name to new name; where the client sent both, the new one stays as it is.
    pub rename: BTreeMap<String, String>,
}

/// What becomes of secrets in a prompt; the later one is the stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// They are sent as the client wrote them.
    #[default]
    Off,
    /// Placeholders are sent in their place, and made undone in the answer.
    Mask,
    /// A call that holds one is refused.
    Block,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS together with the proxy's hello.
    pub connect: Duration,
    /// From the request sent to the first data event of a stream.
    pub first_byte: Duration,
    /// The same for whole answers and reasoning models.
    pub first_byte_whole: Duration,
    /// Between two chunks.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { connect: secs(10), first_byte: secs(120), first_byte_whole: secs(600), stall: secs(90) }
    }
}

/// One row of a provider's error table: all stated conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorRule {
    /// HTTP status; empty means any.
    pub status: Vec<u16>,
    /// `error.code`, compared exactly; empty means any.
    pub code: Vec<String>,
    /// `error.type`, compared exactly; empty means any.
    #[serde(rename = "type")]
    pub kind: Vec<String>,
    /// `error.param`, compared exactly.
    pub param: Option<String>,
    /// Words that the message holds, without regard to case; empty means any, several are alternatives.
    pub text: Vec<String>,
    /// A JSON pointer into the body and the value that must stand there; `*` and `?` in the value are wildcards.
    pub at: Option<(String, String)>,
    /// What it means.
    pub fault: FaultName,
    /// The wait in seconds, where the answer itself gives none.
    pub wait: Option<u64>,
    /// The length in seconds of a window on the wall clock (60: whole minutes), where the wait lasts until the next one
    /// begins and the answer itself gives none.
    pub window: Option<NonZeroU32>,
}

impl ErrorRule {
    /// The wait that the row itself states, for an answer that came now.
    pub fn wait(&self, now: Time) -> Option<Duration> {
        let window = || {
            let window = i64::from(self.window?.get());
            u64::try_from(window - now.as_secs().rem_euclid(window)).ok()
        };
        self.wait.or_else(window).map(Duration::from_secs)
    }
}

/// The names by which data speaks of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultName {
    /// The client's own mistake.
    #[default]
    Invalid,
    /// A content filter refused.
    Filtered,
    /// The key is wrong.
    KeyRejected,
    /// The account is on hold, or calls from the wrong place.
    Blocked,
    /// The account's money is spent.
    OutOfCredit,
    /// Over a limit of account × model.
    Throttled,
    /// Over a limit of the whole account.
    ThrottledAccount,
    /// Too many calls at once.
    Busy,
    /// The account cannot call the model.
    ModelMissing,
    /// The provider is short of capacity.
    Overloaded,
    /// The provider failed.
    Upstream,
}
