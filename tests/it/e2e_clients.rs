//! How the real clients are run: those that `.ci/install` put into `$KEYWHEEL_CLIENTS`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use keywheel::sim::{Lab, Script};
use serde_json::Value;

use crate::e2e_home::finish;
use crate::e2e_rig::{Rig, words};
use crate::support::Keywheel;

/// A client program that is installed here.
pub struct Program {
    program: PathBuf,
    before: Vec<PathBuf>,
    clients: PathBuf,
}

impl Program {
    /// The OpenAI Python SDK.
    pub fn python() -> Option<Self> {
        let clients = clients();
        let program = clients.join("venv/bin/python");
        present(&[&program]).then(|| Self { program, before: vec![scenario("openai_py.py")], clients })
    }

    /// Prometheus's own parser.
    pub fn prometheus() -> Option<Self> {
        let clients = clients();
        let program = clients.join("venv/bin/python");
        present(&[&program]).then(|| Self { program, before: vec![scenario("exposition.py")], clients })
    }

    /// The OpenAI Node SDK.
    pub fn node() -> Option<Self> {
        let clients = clients();
        let sdk = clients.join("node_modules/openai/package.json");
        let program = PathBuf::from("node");
        present(&[&sdk, &on_path("node")]).then(|| Self { program, before: vec![scenario("openai_node.mjs")], clients })
    }

    /// curl over the Unix socket.
    pub fn curl() -> Option<Self> {
        let program = PathBuf::from("bash");
        present(&[&on_path("curl")]).then(|| Self {
            program,
            before: vec![scenario("curl_uds.sh")],
            clients: clients(),
        })
    }

    /// opencode.
    pub fn opencode() -> Option<Self> {
        let clients = clients();
        let binary = clients.join("node_modules/.bin/opencode");
        let program = PathBuf::from("bash");
        present(&[&binary]).then(|| Self { program, before: vec![scenario("opencode.sh")], clients })
    }

    /// Runs it against a gateway.
    pub fn run<A: AsRef<OsStr>>(&self, keywheel: &Keywheel, args: &[A], env: &[(&str, &str)]) -> Output {
        let mut command = self.command(keywheel, args);
        command.env("KW_BASE", format!("http://{}", keywheel.addr())).env("KW_KEY", keywheel.key());
        finish(command.envs(env.iter().copied()).spawn().expect("the client starts"))
    }

    /// Runs it against the gateway's socket, without a key.
    pub fn run_on_socket<A: AsRef<OsStr>>(&self, keywheel: &Keywheel, args: &[A], env: &[(&str, &str)]) -> Output {
        let mut command = self.command(keywheel, args);
        command.env("KW_SOCKET", keywheel.socket());
        finish(command.envs(env.iter().copied()).spawn().expect("the client starts"))
    }

    /// Runs a scenario and gives what the SDK saw; the scenario must have gone as it should.
    pub fn sees(&self, keywheel: &Keywheel, scenario: &str, env: &[(&str, &str)]) -> Value {
        seen(&self.run(keywheel, &[scenario], env))
    }

    fn command<A: AsRef<OsStr>>(&self, keywheel: &Keywheel, args: &[A]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.before).args(args);
        command.env_clear().env("HOME", keywheel.home()).env("TMPDIR", keywheel.home());
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("KEYWHEEL_CLIENTS", &self.clients).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(keywheel.home()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// The one line that a scenario printed.
pub fn seen(output: &Output) -> Value {
    let (out, err) = words(output);
    assert!(output.status.success(), "{}: {out}{err}", output.status);
    serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

/// The model that the clients ask for.
pub const MODEL: &str = "lab/gpt-4o-mini";

/// Two accounts, the first of which always answers 429.
pub fn first_throttled() -> Rig {
    let rig = Rig::start(&["a", "b"]);
    rig.lab.on("a").always(Script::throttled(keywheel::sim::lab::Hint::Seconds(60)));
    rig
}

/// One account whose next stream breaks off after this many chunks.
pub fn next_cut(after: usize) -> Rig {
    let rig = Rig::start(&["a"]);
    rig.lab.on("a").then(Script::usual().cut(after));
    rig
}

/// A lab's first key seen is the throttled account's, and every answer is the other one's.
pub fn assert_failed_over(lab: &Lab) {
    let keys: Vec<String> =
        lab.seen().into_iter().filter(|seen| seen.method == http::Method::POST).map(|seen| seen.key).collect();
    assert!(keys.first().is_some_and(|key| key == "a") && keys.iter().any(|key| key == "b"), "{keys:?}");
}

fn clients() -> PathBuf {
    let named = std::env::var_os("KEYWHEEL_CLIENTS").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/keywheel-clients"));
    named.or_else(home).unwrap_or_default()
}

fn scenario(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(file)
}

fn on_path(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|program| program.exists());
    found.unwrap_or_else(|| name.into())
}

/// Whether all of it is there. With `KEYWHEEL_TEST_ALL=1` what is missing is a failure.
fn present(needed: &[&Path]) -> bool {
    let Some(missing) = needed.iter().find(|path| !path.exists()) else { return true };
    let all = std::env::var_os("KEYWHEEL_TEST_ALL").is_some_and(|all| all == "1");
    assert!(!all, "{} is missing; run .ci/install", missing.display());
    eprintln!("skipped: {} is missing; run .ci/install", missing.display());
    false
}
