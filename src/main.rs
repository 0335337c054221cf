//! The `keywheel` binary: a command line in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    match keywheel::cli::parse(std::env::args_os()) {
        Ok(command) => keywheel::app::run(&command),
        Err(exit) => exit.into(),
    }
}
