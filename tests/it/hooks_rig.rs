//! A real repository made by real git, with nothing of whoever runs the tests, in front of a gateway and a lab.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use keywheel::sim::lab::{Script, Seen};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::e2e_rig::{Rig, open_lab, said};

/// What the lab answers unless a test says otherwise.
pub const MESSAGE: &str = "feat: teach it to greet";

/// A gateway with a lab behind it, and a folder for repositories.
pub struct Bench {
    pub rig: Rig,
    folder: TempDir,
}

/// A repository.
pub struct Repo {
    pub path: PathBuf,
    folder: PathBuf,
    home: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bench {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With these lines in `[commit]`.
    pub fn with(commit: &str) -> Self {
        Self::start(commit, &["text-embedding-3-small", "gpt-4o-mini"])
    }

    /// With these models.
    pub fn offering(models: &[&str]) -> Self {
        Self::start("", models)
    }

    fn start(commit: &str, models: &[&str]) -> Self {
        let rig = Rig::with(open_lab(), &["a"], |config| {
            config.provider(&format!("models = {models:?}\nask_usage = true")).more(&format!("[commit]\n{commit}\n"))
        });
        let _ = rig.lab.on_any().always(says(MESSAGE));
        Self { rig, folder: tempfile::Builder::new().prefix("kwg").tempdir().unwrap() }
    }

    /// Puts a price file of the lab in force.
    pub fn price(&self, text: &str) {
        let folder = self.rig.keywheel.home().join("config/pricing");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("lab.toml"), text).unwrap();
        said(&self.rig.keywheel.run(["reload"]));
    }

    /// A repository with one commit.
    pub fn repo(&self, name: &str) -> Repo {
        let repo = self.empty(name);
        repo.write("first.txt", "one\n");
        repo.git(["add", "."]).done();
        repo.git(["commit", "-q", "-m", "chore: begin"]).done();
        repo
    }

    /// A repository without a commit.
    pub fn empty(&self, name: &str) -> Repo {
        let (path, folder) = (self.folder.path().join(name), self.folder.path().to_owned());
        std::fs::create_dir_all(&path).unwrap();
        let repo = Repo { path, folder, home: self.rig.keywheel.home().to_owned() };
        repo.git(["init", "-q", "-b", "main"]).done();
        repo
    }

    /// The calls that the lab saw.
    pub fn calls(&self) -> usize {
        self.rig.calls().len()
    }

    /// All that the lab was sent, byte for byte.
    pub fn heard(&self) -> String {
        let body = |seen: Seen| String::from_utf8_lossy(&seen.body).into_owned();
        self.rig.calls().into_iter().map(body).collect()
    }

    /// What the model was asked last.
    pub fn asked(&self) -> String {
        let body: Value = serde_json::from_slice(&self.rig.calls().last().unwrap().body).unwrap();
        body["messages"][1]["content"].as_str().unwrap().to_owned()
    }
}

impl Repo {
    /// The same environment in another folder.
    pub fn at(&self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), folder: self.folder.clone(), home: self.home.clone() }
    }

    /// A program in the repository.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &self.folder);
        command.env("GIT_CONFIG_GLOBAL", self.folder.join("gitconfig")).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.com");
        }
        command.env("GIT_EDITOR", "true").env("GIT_ALLOW_PROTOCOL", "file");
        command.env("KEYWHEEL_HOME", &self.home).env("KEYWHEEL_CONFIG", self.home.join("keywheel.toml"));
        command
    }

    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ended {
        Ended::of(self.command("git").args(args).output().unwrap())
    }

    pub fn keywheel<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ended {
        Ended::of(self.command(env!("CARGO_BIN_EXE_keywheel")).args(args).output().unwrap())
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes and stages a file.
    pub fn stage(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(name, text);
        self.git(["add", "--", name]).done();
    }

    /// Writes a program.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The last commit's message.
    pub fn message(&self) -> String {
        self.git(["log", "-1", "--format=%B"]).done().trim_end().to_owned()
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// What it wrote; it must have succeeded.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// What it said; it must have ended with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self.err
    }
}

/// A streamed answer with this text.
pub fn says(text: &str) -> Script {
    let chunk = |delta: Value, finish: Option<&str>, usage: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "gpt-4o-mini",
            "choices": [choice], "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010});
    Script::events([
        chunk(json!({"role": "assistant", "content": text}), None, Value::Null),
        chunk(json!({}), Some("stop"), usage),
        "data: [DONE]\n\n".to_owned(),
    ])
}

/// A key that passes for a real one and is none.
pub fn planted() -> String {
    format!("ghp_{}", "aZ3bY5cX7dW9eV1fU2gT4hS6iR8jQ0kPlOmN")
}
