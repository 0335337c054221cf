//! The real binary in front of a lab, and the questions that every acceptance test asks.

use std::fmt::Write as _;
use std::process::Output;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keywheel::sim::lab::{Keys, Seen, Setup};
use keywheel::sim::{Lab, Persona};
use serde_json::{Value, json};

use crate::support::Keywheel;
use crate::support::binary::Start;

/// A gateway whose provider `lab` is a lab.
pub struct Rig {
    pub lab: Lab,
    pub keywheel: Keywheel,
    plan: Config,
}

/// What a rig's settings file says.
#[derive(Clone)]
pub struct Config {
    accounts: Vec<String>,
    adapter: &'static str,
    base_url: String,
    top: String,
    provider: String,
    account: String,
    more: String,
}

impl Config {
    /// Accounts at this lab; their keys come from `KEY_A`, `KEY_B`, …
    pub fn new(lab: &Lab, persona: Persona, accounts: &[&str]) -> Self {
        let adapter = match persona {
            Persona::Azure => "azure",
            Persona::Xai => "xai",
            Persona::Deepseek => "deepseek",
            _ => "openai",
        };
        let none = String::new;
        let provider = if persona == Persona::Azure { "auth = { header = \"api-key\" }".to_owned() } else { none() };
        let accounts = accounts.iter().map(|&id| id.to_owned()).collect();
        Self { accounts, adapter, base_url: lab.base_url(), top: none(), provider, account: none(), more: none() }
    }

    /// With the lab at another name of this machine.
    pub fn hosted(mut self, host: &str) -> Self {
        self.base_url = self.base_url.replace("127.0.0.1", host);
        self
    }

    /// With these lines above all tables.
    pub fn top(mut self, lines: &str) -> Self {
        self.top = lines.to_owned();
        self
    }

    /// With these lines for the provider.
    pub fn provider(mut self, lines: &str) -> Self {
        self.provider += "\n";
        self.provider += lines;
        self
    }

    /// With these lines for every account.
    pub fn account(mut self, lines: &str) -> Self {
        self.account = lines.to_owned();
        self
    }

    /// With these tables at the end.
    pub fn more(mut self, tables: &str) -> Self {
        self.more = tables.to_owned();
        self
    }

    /// The file.
    pub fn text(&self) -> String {
        let Self { adapter, base_url, top, provider, account, more, .. } = self;
        let mut text = format!("{top}\n[providers.lab]\nadapter = \"{adapter}\"\nbase_url = \"{base_url}\"\n");
        text += "endpoints = [\"chat/completions\", \"completions\", \"embeddings\", \"responses\", \"files\", \"files/*\"]\n";
        writeln!(text, "{provider}").unwrap();
        for id in &self.accounts {
            let variable = variable(id);
            writeln!(
                text,
                "[[accounts]]\nid = \"{id}\"\nprovider = \"lab\"\nsecret = {{ env = \"{variable}\" }}\n{account}"
            )
            .unwrap();
        }
        text + more
    }
}

impl Rig {
    /// A gateway with these accounts at a lab with OpenAI's manners.
    pub fn start(accounts: &[&str]) -> Self {
        Self::with(Setup::new(Persona::Openai), accounts, |config| config)
    }

    /// The same with another lab and more settings.
    pub fn with(setup: Setup, accounts: &[&str], settings: impl FnOnce(Config) -> Config) -> Self {
        Self::with_start(setup, accounts, settings, |start| start)
    }

    /// The same with more arguments or environment.
    pub fn with_start(
        setup: Setup,
        accounts: &[&str],
        settings: impl FnOnce(Config) -> Config,
        prepare: impl FnOnce(Start) -> Start,
    ) -> Self {
        let persona = setup.persona;
        let lab = Lab::start_with(setup).expect("a lab");
        let plan = settings(Config::new(&lab, persona, accounts));
        let start =
            accounts.iter().fold(Keywheel::with(&plan.text()), |start, id| start.env(&variable(id), lab.key(id)));
        let keywheel = prepare(start).start();
        Self { lab, keywheel, plan }
    }

    /// Its settings, to write other ones.
    pub fn config(&self) -> Config {
        self.plan.clone()
    }

    /// The calls that the lab saw, without look-ups of models.
    pub fn calls(&self) -> Vec<Seen> {
        self.lab.seen().into_iter().filter(|seen| seen.method == http::Method::POST).collect()
    }

    /// The keys of those calls.
    pub fn keys_seen(&self) -> Vec<String> {
        self.calls().into_iter().map(|seen| seen.key).collect()
    }

    /// `id: state reason` of every account.
    pub fn accounts(&self) -> Vec<String> {
        let rows = json_lines(&self.keywheel.run(["account", "list", "--json"]));
        let line = |row: &Value| format!("{}: {} {}", text(&row["id"]), text(&row["state"]), text(&row["reason"]));
        rows.iter().filter(|row| row["provider"] != "sim").map(|row| line(row).trim_end().to_owned()).collect()
    }

    /// Fails unless no account was punished.
    pub fn assert_untouched(&self, after: &str) {
        let accounts = self.accounts();
        assert!(!accounts.is_empty() && accounts.iter().all(|line| line.ends_with(": ready")), "{after}: {accounts:?}");
    }

    /// Makes a client and gives its key.
    pub fn add_client(&self, name: &str, flags: &[&str]) -> String {
        key(&self.keywheel.run(["client", "add", name].iter().chain(flags)))
    }
}

/// A setup with any key taken and OpenAI's manners.
pub fn open_lab() -> Setup {
    Setup { keys: Keys::Any, ..Setup::new(Persona::Openai) }
}

/// The variable that holds an account's key.
pub fn variable(account: &str) -> String {
    format!("KEY_{}", account.to_uppercase().replace('-', "_"))
}

/// The body of a chat.
pub fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hello there"}]})
}

/// The same as a stream.
pub fn stream(model: &str) -> Value {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hello there"}]})
}

/// What a command wrote to stdout; it must have succeeded.
pub fn said(output: &Output) -> String {
    let (out, err) = words(output);
    assert!(output.status.success(), "{:?}\n{out}\n{err}", output.status);
    out
}

/// Stdout and stderr.
pub fn words(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The rows of a list in JSON.
pub fn json_lines(output: &Output) -> Vec<Value> {
    said(output).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The key that `client add` or `client rotate` printed.
pub fn key(output: &Output) -> String {
    said(output).trim().to_owned()
}

/// A JSON text, or nothing.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Asks until it is so.
pub async fn until(what: &str, within: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + within;
    while !is_so().await {
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Held by tests that measure time and by those that need a whole core, so that they do not disturb each other.
pub fn quiet() -> MutexGuard<'static, ()> {
    static QUIET: Mutex<()> = Mutex::new(());
    QUIET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The middle one and the worst.
pub fn median_and_worst(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort();
    (took[took.len() / 2], took[took.len() - 1])
}
