//! The `keywheel` binary: a command line in, an exit code out.

use std::process::ExitCode;

/// A call makes some two hundred small allocations, and bodies are large ones that the system's allocator gives back to
/// the kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match keywheel::cli::parse(std::env::args_os()) {
        Ok(command) => keywheel::app::run(&command),
        Err(exit) => exit.into(),
    }
}
