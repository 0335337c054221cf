//! Wiring: the only room that knows every concrete type. A `Command` comes in, an exit code goes out.

mod accounts;
mod announce;
mod ask;
mod bodies;
mod calls;
mod clients;
mod detach;
mod dialectics;
mod doctor;
mod explain;
mod failure;
mod history;
mod hooks;
mod import;
mod leader;
mod login;
mod logs;
mod prices;
mod questions;
mod reload;
mod replay;
mod rests;
mod review;
mod secrets;
mod settings;
mod signals;
mod start;
mod switch;
mod tokens;
mod trial;
mod vault;

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use crate::cli::{self, Command, Exit, Lines, Serve, Verb};
use crate::config::{Overrides, Paths};
use failure::Failure;

/// Does what a command asks for.
pub fn run(command: &Command) -> ExitCode {
    install_crypto();
    let (mut data, mut words) = (std::io::stdout().lock(), std::io::stderr());
    let mut lines = Lines::new(&mut data, &mut words);
    let done = act(command, &mut lines).and_then(|()| Ok(data.flush()?));
    match done {
        Ok(()) => Exit::Done.into(),
        Err(Failure { exit, message }) => {
            if !message.is_empty() {
                Lines::new(&mut data, &mut words).say(format_args!("keywheel: {message}"));
            }
            exit.into()
        }
    }
}

/// Installs the crypto provider of the one TLS stack; must come before any connection. Doing it again is harmless.
pub fn install_crypto() {
    // whoever embeds us may have chosen before
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn act(command: &Command, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match &command.verb {
        Verb::Completions { shell } => return Ok(cli::completions(*shell, lines.raw())?),
        Verb::Man => return Ok(cli::manual(lines.raw())?),
        Verb::Provider(cli::ProviderVerb::Check { file }) => return settings::check_provider(file, lines),
        Verb::Config(cli::ConfigVerb::Schema) => return settings::schema(lines),
        // git waits for it: what is wrong with this installation must not keep a commit from being made
        Verb::Hook(verb) => return hooks::run(verb, command, lines),
        _ => {}
    }
    let paths = paths(command)?;
    match &command.verb {
        Verb::Serve(serve) if serve.detach => detach::start(command, serve, &prepared(paths)?, lines),
        Verb::Serve(serve) => on_all_cores(start::serve(serve, prepared(paths)?, lines)),
        Verb::Client(verb) => clients::run(verb, &paths, lines),
        Verb::Vault(verb) => vault::run(verb, &paths, lines),
        Verb::Config(verb) => settings::run(verb, &paths, lines),
        Verb::Price(verb) => prices::run(verb, &paths, lines),
        Verb::Provider(verb) => on_one_core(questions::providers(verb, &paths, lines)),
        Verb::Quota(asked) => switch::quota(asked, &paths, lines),
        Verb::Account(verb) => accounts::run(verb, &paths, lines),
        Verb::Model(verb) => on_one_core(questions::models(verb, &paths, lines)),
        Verb::Requests(asked) => on_one_core(calls::list(asked, &paths, lines)),
        Verb::Cost(asked) => on_one_core(calls::costs(asked, &paths, lines)),
        Verb::Dialectics(asked) => on_one_core(dialectics::run(asked, &paths, lines)),
        Verb::Explain(asked) => on_one_core(explain::explain(asked, &paths, lines)),
        Verb::Replay(asked) => on_one_core(replay::run(asked, &paths, lines)),
        Verb::Status(format) => on_one_core(questions::status(*format, &paths, lines)),
        Verb::Doctor(asked) => on_one_core(doctor::run(*asked, &paths, lines)),
        Verb::Stop => on_one_core(questions::stop(&paths, lines)),
        Verb::Reload => on_one_core(questions::reload(&paths, lines)),
        Verb::Ask(asked) => on_one_core(ask::run(asked, &paths, lines)),
        Verb::Commit(asked) => on_one_core(hooks::commit(asked, &paths, lines)),
        Verb::Review(asked) => on_one_core(review::run(asked, &paths, lines)),
        // done above
        Verb::Completions { .. } | Verb::Man | Verb::Hook(_) => Ok(()),
    }
}

/// Where everything of this installation lies.
fn paths(command: &Command) -> Result<Paths, Failure> {
    #[expect(clippy::disallowed_methods, reason = "relative paths are resolved here, once")]
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(format_args!("the working folder cannot be used: {error}; go to another")))?;
    Paths::resolve(command.home.as_deref(), command.config.as_deref(), &here, &env).map_err(Failure::new)
}

fn prepared(paths: Paths) -> Result<Paths, Failure> {
    paths.prepare().map_err(Failure::new)?;
    Ok(paths)
}

/// What the command line says about settings.
fn overrides(serve: &Serve) -> Overrides {
    Overrides { listen: serve.listen.clone(), no_discover: serve.no_discover }
}

/// An environment variable; one that is not text counts as missing.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment; config gets this function")]
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn on_one_core<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    block_on(&mut tokio::runtime::Builder::new_current_thread(), work)
}

fn on_all_cores<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    block_on(&mut tokio::runtime::Builder::new_multi_thread(), work)
}

fn block_on<T>(
    builder: &mut tokio::runtime::Builder,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::new(format_args!("the system gives no threads: {error}")))?.block_on(work)
}
