//! The upstream, nginx in front of it, and the gateway in front of it, each in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::options::Options;
use super::{Outcome, say, upstream};

/// How long a target may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// Everything that was started; stopped when dropped.
pub(crate) struct Targets {
    pub(crate) all: Vec<Target>,
}

/// Somebody who answers requests.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
    pub(crate) key: String,
    process: Process,
    _home: Option<TempDir>,
}

/// A process that is told to end when dropped, and waited for.
struct Process(Child);

impl Targets {
    /// Starts the upstream, nginx where it is installed, and the gateway.
    pub(crate) fn start(options: &Options) -> Outcome<Self> {
        let direct = direct()?;
        let to = direct.addr;
        let mut all = vec![direct];
        match nginx(to) {
            Ok(nginx) => all.push(nginx),
            Err(error) => say(&format!("without nginx: {error}; install it to compare")),
        }
        all.push(gateway("keywheel", Path::new(env!("CARGO_BIN_EXE_keywheel")), to)?);
        for binary in &options.against {
            let name = binary.file_name().map_or_else(|| "other".into(), |name| name.to_string_lossy().into_owned());
            all.push(gateway(&name, binary, to)?);
        }
        Ok(Self { all })
    }
}

impl Target {
    pub(crate) const fn is_gateway(&self) -> bool {
        !self.key.is_empty()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

fn direct() -> Outcome<Target> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(upstream::ROLE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    let addr = line.trim().parse()?;
    Ok(Target { name: "direct".to_owned(), addr, key: String::new(), process: Process(child), _home: None })
}

/// nginx as one would set it up in front of a model provider: kept connections, bodies in memory, streams unbuffered.
fn nginx(to: SocketAddr) -> Outcome<Target> {
    let home = tempfile::tempdir()?;
    // its workers may run as another user
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
    let addr = free_port()?;
    let at = home.path().display();
    let config = format!(
        "worker_processes 2;\ndaemon off;\npid {at}/nginx.pid;\nerror_log {at}/error.log warn;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 100000000;\n  tcp_nodelay on;\n\
           client_max_body_size 64m;\n  client_body_buffer_size 1m;\n\
           client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n  fastcgi_temp_path {at}/fastcgi;\n\
           uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n\
           upstream provider {{ server {to}; keepalive 256; keepalive_requests 100000000; }}\n\
           server {{\n    listen {addr};\n    location / {{\n      proxy_pass http://provider;\n      \
               proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_buffering off;\n    }}\n  }}\n}}\n"
    );
    let file = home.path().join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(home.path()).arg("-c").arg(&file).arg("-e").arg(home.path().join("error.log"));
    let process = Process(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
    let target = Target { name: "nginx".to_owned(), addr, key: String::new(), process, _home: Some(home) };
    answers(addr)?;
    Ok(target)
}

/// The gateway with everything on that is on by default: client key, `Host` check, ledger.
fn gateway(name: &str, binary: &Path, to: SocketAddr) -> Outcome<Target> {
    let home = tempfile::tempdir()?;
    let config = format!(
        "[providers.bench]\nadapter = \"openai\"\nbase_url = \"http://{to}/v1\"\nmodels = [\"small\", \"large\"]\n\n\
         [[accounts]]\nid = \"bench-a\"\nprovider = \"bench\"\nsecret = {{ env = \"BENCH_KEY\" }}\n"
    );
    let file = home.path().join("keywheel.toml");
    fs::write(&file, config)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let mut command = Command::new(binary);
    command.args(["serve", "--no-discover", "--listen", "tcp://127.0.0.1:0", "--config"]).arg(&file);
    command.env_clear().env("KEYWHEEL_HOME", home.path()).env("BENCH_KEY", "sk-bench-0123456789abcdef");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Process(command.spawn()?);
    let addr = listening(&mut process.0)?;
    let key = fs::read_to_string(home.path().join("state/client.key"))?.trim().to_owned();
    Ok(Target { name: name.to_owned(), addr, key, process, _home: Some(home) })
}

/// Reads the gateway's words until it says where it listens; of what follows only troubles are shown.
fn listening(child: &mut Child) -> Outcome<SocketAddr> {
    let mut lines = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
    let mut said = String::new();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, door)) = line.split_once("listening on tcp://") {
            let end = door.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).unwrap_or(door.len());
            let addr = door[..end].parse()?;
            let troubles = lines.map_while(Result::ok).filter(|line| line.contains(" WARN ") || line.contains("ERROR"));
            std::thread::spawn(move || troubles.for_each(|line| say(&line)));
            return Ok(addr);
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(format!("the gateway ended before it listened:\n{said}").into())
}

fn free_port() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn answers(addr: SocketAddr) -> Outcome<()> {
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(addr).is_err() {
        if Instant::now() > end {
            return Err("it does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            // one that has ended already is waited for below
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let end = Instant::now() + PATIENCE;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
