//! The real binary, with a cleared environment and a temporary home, killed when dropped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;

const READY: Duration = Duration::from_secs(30);

/// A running gateway.
pub struct Keywheel {
    child: Child,
    home: TempDir,
    addr: SocketAddr,
    words: Arc<Mutex<String>>,
}

/// A gateway about to start.
pub struct Start {
    home: TempDir,
    command: Command,
}

impl Keywheel {
    /// Starts a gateway with this configuration and waits until it listens.
    pub fn start(config: &str) -> Self {
        Self::with(config).start()
    }

    /// A gateway with this configuration, to which arguments and environment may be added.
    pub fn with(config: &str) -> Start {
        let home = tempfile::Builder::new().prefix("kw-").tempdir().expect("a temporary home");
        let mut command = bare(&home);
        let file = home.path().join("keywheel.toml");
        std::fs::write(&file, config).expect("the configuration is written");
        private(&file);
        command.args(["serve", "--no-discover", "--listen", "tcp://127.0.0.1:0", "--listen", "unix:", "--config"]);
        command.arg(file);
        Start { home, command }
    }

    /// Its TCP door.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The key that it made on its first start.
    pub fn key(&self) -> String {
        let file = self.home.path().join("state/client.key");
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.home.path().join("run/keywheel.sock")
    }

    /// Its home.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client at its TCP door with its key.
    pub fn client(&self) -> Client {
        Client::tcp(self.addr).key(&self.key())
    }

    /// All it has said on stderr.
    pub fn words(&self) -> String {
        self.words.lock().expect("the reader does not panic").clone()
    }

    /// Waits until it has said this on stderr.
    pub fn wait_words(&self, text: &str, within: Duration) -> bool {
        let end = Instant::now() + within;
        while !self.words().contains(text) {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Replaces its configuration file in one step.
    pub fn write_config(&self, config: &str) {
        let file = self.home.path().join("keywheel.toml");
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, config).expect("the configuration is written");
        private(&fresh);
        std::fs::rename(fresh, file).expect("the configuration is replaced");
    }

    /// Runs another command of the binary in the same home.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        bare(&self.home).args(args).stdin(Stdio::null()).output().expect("the binary runs")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Keywheel {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Start {
    /// With this variable in its environment, which is otherwise empty.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With this argument after the usual ones.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Its home, before it starts.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Starts it and waits until it listens.
    pub fn start(mut self) -> Keywheel {
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let words = Arc::new(Mutex::new(String::new()));
        let (say, heard) = mpsc::channel();
        let stderr = child.stderr.take().expect("stderr is piped");
        let kept = Arc::clone(&words);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().expect("nobody panics with it").push_str(&format!("{line}\n"));
                // nobody listens any more once it was ready
                drop(say.send(line));
            }
        });
        let end = Instant::now() + READY;
        // from here on the child is killed also when it never gets ready
        let mut keywheel = Keywheel { child, home: self.home, addr: SocketAddr::from(([127, 0, 0, 1], 0)), words };
        loop {
            match heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(addr) = listening(&line) {
                        keywheel.addr = addr;
                        return keywheel;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("not listening after {READY:?}:\n{}", keywheel.words()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended ({:?}) before it listened:\n{}", keywheel.child.wait(), keywheel.words())
                }
            }
        }
    }

    /// Runs it to its end: for starts that must fail.
    pub fn fail(mut self) -> Output {
        let output = self.command.stdin(Stdio::null()).output().expect("the binary runs");
        assert!(!output.status.success(), "it was expected to fail");
        output
    }
}

/// The binary without an environment, in this home.
fn bare(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    command.env_clear().env("HOME", home.path()).env("TMPDIR", home.path()).env("KEYWHEEL_HOME", home.path());
    command.current_dir(home.path());
    command
}

/// Finds the TCP door in a line such as `listening on tcp://127.0.0.1:4141`.
pub fn listening(line: &str) -> Option<SocketAddr> {
    let (_, door) = line.split_once("listening on tcp://")?;
    let end = door.find(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c))).unwrap_or(door.len());
    door[..end].parse().ok()
}

fn private(file: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("the mode is set");
    }
    #[cfg(not(unix))]
    let _ = file;
}
