//! `serve -d`: the same program again, in a session of its own. Whoever started it waits until it is ready, or hears
//! why it is not.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};

use super::failure::Failure;
use crate::cli::{Command, Exit, Lines, LogFormat, Serve};
use crate::config::Paths;

/// The line by which the process in the background says that its doors are open.
pub(super) const READY: &str = "ready";

/// Starts the gateway in the background and returns once it is ready.
pub(super) fn start(command: &Command, serve: &Serve, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let log_file = paths.state.join("keywheel.log");
    let (log, length) = open_log(&log_file)?;
    let mut child = spawn(command, serve, log)?;
    let pid = child.id();
    let mut ready = false;
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        match line {
            Ok(line) if line == READY => {
                ready = true;
                break;
            }
            Ok(line) => lines.say(line),
            Err(_) => break,
        }
    }
    if ready {
        lines.say(format_args!("\nin the background as pid {pid}; its log is {}", log_file.display()));
        lines.say("stop it with: keywheel stop");
        return Ok(());
    }
    Err(explain(&mut child, &log_file, length))
}

/// Leaves the session of the terminal, so that closing it does not end the gateway.
pub(super) fn leave_session() {
    // it fails only for a process that leads a session already
    #[cfg(unix)]
    let _ = nix::unistd::setsid();
}

fn spawn(command: &Command, serve: &Serve, log: File) -> Result<Child, Failure> {
    let failed = |error: std::io::Error| Failure::new(format_args!("cannot start in the background: {error}"));
    let mut program = Program::new(std::env::current_exe().map_err(failed)?);
    program.arg("serve").arg("--detached");
    for (flag, path) in [("--home", &command.home), ("--config", &command.config)] {
        if let Some(path) = path {
            program.arg(flag).arg(path);
        }
    }
    for url in &serve.listen {
        program.arg("--listen").arg(url);
    }
    if serve.no_discover {
        program.arg("--no-discover");
    }
    if serve.log == LogFormat::Json {
        program.args(["--log", "json"]);
    }
    #[cfg(windows)]
    {
        const DETACHED_PROCESS: u32 = 0x8;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(
            &mut program,
            DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP,
        );
    }
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().map_err(failed)
}

/// The log, 0600, and how long it is already.
fn open_log(path: &Path) -> Result<(File, u64), Failure> {
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error| Failure::new(format_args!("cannot write the log {}: {error}", path.display()));
    let log = options.open(path).map_err(failed)?;
    let length = fs::metadata(path).map_or(0, |about| about.len());
    Ok((log, length))
}

/// Why the process ended before it was ready: its exit code, and what it has written to the log.
fn explain(child: &mut Child, log: &Path, length: u64) -> Failure {
    let code = child.wait().ok().and_then(|status| status.code());
    let exit = Exit::ALL.into_iter().find(|exit| Some(i32::from(exit.code())) == code);
    let mut words = String::new();
    if let Ok(mut log) = File::open(log) {
        let read = log.seek(SeekFrom::Start(length)).and_then(|_| log.read_to_string(&mut words));
        // what cannot be read is not told
        drop(read);
    }
    let message = words.trim().trim_start_matches("keywheel: ");
    let message = if message.is_empty() { "the gateway ended before it was ready" } else { message };
    Failure { exit: exit.filter(|exit| *exit != Exit::Done).unwrap_or(Exit::Failed), message: message.to_owned() }
}
