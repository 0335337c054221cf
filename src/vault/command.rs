//! Runs a program that prints a secret.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::printed::{self, Printed};
use crate::kit::Clock;

/// How long a program may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// More than any token is long; a program that prints without end is cut off here.
const OUTPUT_LIMIT: u64 = 64 << 10;

/// Why a program gave no secret. Neither its output nor its arguments are in it, either may hold the secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("{0} cannot be started: {1}")]
    Start(String, Arc<std::io::Error>),
    /// It ended with another status than 0.
    #[error("{0} failed ({1}); run it by hand to see why")]
    Failed(String, std::process::ExitStatus),
    /// It took too long and was ended.
    #[error("{0} gave no secret within {1:?}; it must not ask questions")]
    Slow(String, Duration),
    /// It printed nothing, several words, or more than a secret is long.
    #[error("{0} must print the secret alone, in one word")]
    Odd(String),
}

/// What `argv` prints, see `printed`. It gets no input and its errors go nowhere: they might repeat the
/// secret. When this future is dropped the program is ended, with those that it started.
pub(super) async fn run(argv: &[String], clock: &Clock) -> Result<Printed, CommandError> {
    let name = argv.first().cloned().unwrap_or_default();
    let mut command = Command::new(&name);
    command.args(argv.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(|error| CommandError::Start(name.clone(), Arc::new(error)))?;
    let mut group = Group::of(child);
    let (status, printed) = match timeout(PATIENCE, group.finish()).await {
        Err(_) => return Err(CommandError::Slow(name, PATIENCE)),
        Ok(Err(error)) => return Err(CommandError::Start(name, Arc::new(error))),
        Ok(Ok(finished)) => finished,
    };
    if printed.len() as u64 >= OUTPUT_LIMIT {
        return Err(CommandError::Odd(name));
    }
    if !status.success() {
        return Err(CommandError::Failed(name, status));
    }
    let text = std::str::from_utf8(&printed).unwrap_or_default();
    printed::read(text, clock.now()).ok_or(CommandError::Odd(name))
}

/// A child with the processes it started: a shell script's `sleep` would outlive the script alone.
struct Group {
    child: Child,
    leader: Option<u32>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = child.id();
        Self { child, leader }
    }

    /// Its exit and what it printed.
    async fn finish(&mut self) -> std::io::Result<(std::process::ExitStatus, Zeroizing<Vec<u8>>)> {
        // full size from the start: growing would leave copies of the secret behind
        let mut printed = Zeroizing::new(Vec::with_capacity(usize::try_from(OUTPUT_LIMIT).unwrap_or(usize::MAX)));
        if let Some(output) = self.child.stdout.take() {
            output.take(OUTPUT_LIMIT).read_to_end(&mut printed).await?;
        }
        let status = self.child.wait().await?;
        self.leader = None;
        Ok((status, printed))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader.and_then(|id| i32::try_from(id).ok()) {
            // it may have ended by itself; then there is nobody to tell
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
