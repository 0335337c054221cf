//! A home without a gateway in it yet, for tests of how the binary starts, fails and ends.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::Client;
use crate::support::binary::listening;

/// The binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_keywheel");

/// Longer than any command takes.
const ENOUGH: Duration = Duration::from_secs(40);

/// A temporary home. A gateway that leads it is ended with it.
pub struct Home {
    folder: TempDir,
    env: Vec<(String, String)>,
}

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("kw-").tempdir().expect("a temporary home"), env: Vec::new() }
    }

    /// With this settings file.
    pub fn with(config: &str) -> Self {
        let home = Self::new();
        home.write("config/keywheel.toml", config);
        home
    }

    /// With this variable in the environment, which is otherwise empty.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The home's own socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("run/keywheel.sock")
    }

    /// A file of the home as text.
    pub fn read(&self, name: &str) -> String {
        let path = self.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes a file of the home, in one step; it and its folders are private.
    pub fn write(&self, name: &str, text: &str) {
        write_private(&self.path().join(name), text);
    }

    /// A command of the binary in this home, not started yet.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().env("HOME", self.path()).env("TMPDIR", self.path()).env("KEYWHEEL_HOME", self.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(args).current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        finish(self.command(args).spawn().expect("the binary starts"))
    }

    /// Starts a gateway in the background on free ports, without a look around.
    pub fn detach(&self) -> Output {
        self.run(["serve", "-d", "--no-discover", "--listen", "tcp://127.0.0.1:0", "--listen", "unix:"])
    }

    /// The process that leads the home, as its lock says.
    pub fn pid(&self) -> Option<Pid> {
        let words = std::fs::read_to_string(self.path().join("state/leader.lock")).ok()?;
        words.lines().next()?.parse().ok().map(Pid::from_raw)
    }

    /// A client at the TCP door that these words name, with the first client key.
    pub fn client(&self, words: &str) -> Client {
        let addr = words.lines().find_map(listening).unwrap_or_else(|| panic!("no door in: {words}"));
        Client::tcp(addr).key(self.read("state/client.key").trim())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // a lock that nobody holds names a process that is gone; its number may be somebody else's by now
        if let Some(pid) = self.pid().filter(|pid| is_ours(*pid)) {
            let _ended = kill(pid, Signal::SIGKILL);
        }
    }
}

/// Whether this process runs our binary.
fn is_ours(pid: Pid) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.as_os_str() == BINARY)
}

/// Whether a process is there and not only waits to be buried.
pub fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Writes a file in one step; it and the folders that are made for it are private.
pub fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let folder = path.parent().expect("a folder");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("the folder is made");
    let fresh = path.with_extension("fresh");
    let mut options = std::fs::File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).expect("the file is made");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("the file is written");
    std::fs::rename(fresh, path).expect("the file is put in place");
}

/// Waits for a command and takes what it said; one that hangs is ended and fails the test.
pub fn finish(mut child: Child) -> Output {
    let take = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut heard = Vec::new();
            // a process in the background may hold the pipe open; what came is kept
            if let Some(mut pipe) = pipe {
                drop(pipe.read_to_end(&mut heard));
            }
            heard
        })
    };
    let stdout = take(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = take(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let end = Instant::now() + ENOUGH;
    let status = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break status,
            None if Instant::now() > end => {
                drop(child.kill());
                panic!("it hangs: {:?}", String::from_utf8_lossy(&stderr.join().expect("no panic")));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let [stdout, stderr] = [stdout, stderr].map(|words| words.join().expect("no panic"));
    Output { status, stdout, stderr }
}
