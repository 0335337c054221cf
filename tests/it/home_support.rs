//! The real binary in a temporary home, with an empty environment.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A home that nobody else knows; short, since a socket's path has at most 107 bytes.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("kw").tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn state(&self, file: &str) -> PathBuf {
        self.path().join("state").join(file)
    }

    /// Writes the settings file.
    pub fn configure(&self, text: &str) {
        let folder = self.path().join("config");
        let _ = std::fs::create_dir(&folder);
        set_mode(&folder, 0o700);
        std::fs::write(folder.join("keywheel.toml"), text).unwrap();
        set_mode(&folder.join("keywheel.toml"), 0o600);
    }

    /// The program with these words, on this home and with nothing from the outside.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command.env("KEYWHEEL_HOME", self.path()).current_dir(self.path());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Starts a gateway on a free port and the home's socket, without looking around on this machine.
    pub fn serve(&self) -> Running {
        self.serve_with(&["--listen", "tcp://127.0.0.1:0", "--listen", "unix:", "--no-discover"], |command| command)
    }

    /// Starts a gateway and waits until it has said all.
    pub fn serve_with(&self, args: &[&str], adjust: impl FnOnce(&mut Command) -> &mut Command) -> Running {
        let mut command = self.command(&[&["serve"], args].concat());
        let child = adjust(&mut command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut running = Running::new(child.unwrap());
        running.wait_for("  curl -N ");
        running
    }
}

/// The program with these words and an empty environment.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    command.args(args).env_clear();
    command
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: code(output.status), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The output of a command that did what was asked.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The words of a command that ended with this code and wrote no data.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self.err
    }
}

/// A gateway that runs; killed when dropped.
pub struct Running {
    pub child: Child,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Running {
    fn new(mut child: Child) -> Self {
        let (sender, lines) = channel();
        let words = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || words.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line that holds this text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("nothing like {text:?} within {PATIENCE:?}: {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {text:?}: {:#?}", self.said),
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of its TCP door.
    pub fn address(&self) -> String {
        let door = self.said.iter().find_map(|line| line.strip_prefix("listening on tcp://"));
        door.unwrap_or_else(|| panic!("no TCP door in {:#?}", self.said)).to_owned()
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for its end and returns its exit code.
    #[track_caller]
    pub fn ended(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return code(status);
            }
            assert!(Instant::now() < until, "still running after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An exit code, or minus the signal.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| Some(-status.signal()?)).unwrap()
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A chat call over TCP by hand, so that no client's habits are in the way; the whole answer as text.
pub fn chat(address: &str, key: &str, body: &str) -> String {
    let mut stream = open_chat(address, key, body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The same, with the answer still to be read.
pub fn open_chat(address: &str, key: &str, body: &str) -> std::net::TcpStream {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

/// A streamed call to one of the offline models.
pub fn streamed(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"hello wheel"}}]}}"#)
}

pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
