//! Verbs that ask the running gateway. Some can be answered from files when none runs.

use std::time::Duration;

use serde_json::json;

use super::failure::Failure;
use super::start::GRACE;
use super::{leader, settings};
use crate::catalog::Provider;
use crate::cli::{AccountVerb, Exit, Format, Lines, ModelVerb, ProviderVerb, show};
use crate::client::Remote;
use crate::config::Paths;
use crate::operator::{AccountRow, Ask, Operator, Reason, Refusal, Reply};
use crate::ops;

/// Between two looks whether a gateway that stops is gone.
const LOOK: Duration = Duration::from_millis(50);

/// How the gateway is doing.
pub(super) async fn status(format: Format, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match ask(paths, Ask::Status).await? {
        Reply::Status(status) => Ok(show::status(lines, format, &status)?),
        other => Err(unexpected(&other)),
    }
}

/// Stops it, over the socket or by a signal where it has opened none, and waits until it has let go of the home.
pub(super) async fn stop(paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    order(paths, Ask::Stop, lines).await?;
    let gone = async {
        while leader::holder(&paths.state).is_some() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = tokio::time::timeout(GRACE + LOOK * 20, gone).await;
    waited.map_err(|_| Failure::new("the gateway is still stopping; look at its log"))?;
    lines.say("stopped");
    Ok(())
}

/// Has it read its configuration again.
pub(super) async fn reload(paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    order(paths, Ask::Reload, lines).await
}

/// Accounts and their state.
pub(super) async fn accounts(verb: &AccountVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let rows = match ask(paths, Ask::Accounts).await? {
        Reply::Accounts(rows) => rows,
        other => return Err(unexpected(&other)),
    };
    match verb {
        AccountVerb::List(asked) => {
            let tagged = |row: &AccountRow| asked.tag.as_ref().is_none_or(|tag| row.tags.contains(tag));
            let rows: Vec<AccountRow> = rows.into_iter().filter(tagged).collect();
            Ok(show::accounts(lines, asked.format, &rows)?)
        }
        AccountVerb::Show { id, format } => {
            let row: &AccountRow = rows
                .iter()
                .find(|row| row.id == *id)
                .ok_or_else(|| Failure::new(format_args!("there is no account {id:?}; run: keywheel account list")))?;
            if !format.json {
                lines.data(&row.says)?;
            }
            Ok(show::record(lines, *format, row)?)
        }
        // done on files, in `accounts`
        AccountVerb::Add(_) | AccountVerb::Import(_) | AccountVerb::Rm(_) | AccountVerb::Test(_) => Ok(()),
        AccountVerb::Enable(_) | AccountVerb::Disable(_) => Ok(()),
        AccountVerb::Login(_) | AccountVerb::Refresh(_) => Ok(()),
    }
}

/// The models that can be called.
pub(super) async fn models(verb: &ModelVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let ModelVerb::List { why, format } = verb;
    match ask(paths, Ask::Models { why: *why }).await? {
        Reply::Models(rows) => Ok(show::models(lines, *format, &rows, *why)?),
        other => Err(unexpected(&other)),
    }
}

/// Providers; read from the configuration when no gateway runs.
pub(super) async fn providers(verb: &ProviderVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match verb {
        ProviderVerb::List(format) => {
            let rows = match Remote::find(&paths.socket()).await {
                Ok(gateway) => match gateway.ask(Ask::Providers).await.map_err(refused)? {
                    Reply::Providers(rows) => rows,
                    other => return Err(unexpected(&other)),
                },
                Err(_) => ops::provider_rows(&settings::loaded(paths)?.settings),
            };
            Ok(show::providers(lines, *format, &rows)?)
        }
        ProviderVerb::Show { id, format } => {
            let settings = settings::loaded(paths)?.settings;
            let provider = settings.providers.get(id).ok_or_else(|| {
                Failure::new(format_args!("there is no provider {id:?}; run: keywheel provider list"))
            })?;
            Ok(show::record(lines, *format, &described(provider))?)
        }
        ProviderVerb::Check { file } => settings::check_provider(file, lines),
    }
}

/// The answer of the running gateway; `None` when none runs. For verbs that work on files first.
pub(super) fn ask_if_running(paths: &Paths, question: Ask) -> Result<Option<Reply>, Failure> {
    super::on_one_core(async {
        match ask(paths, question).await {
            Err(failure) if failure.exit == Exit::NotRunning => Ok(None),
            answered => answered.map(Some),
        }
    })
}

pub(super) async fn ask(paths: &Paths, question: Ask) -> Result<Reply, Failure> {
    gateway(paths).await?.ask(question).await.map_err(refused)
}

/// The running gateway.
pub(super) async fn gateway(paths: &Paths) -> Result<Remote, Failure> {
    match Remote::find(&paths.socket()).await {
        Ok(gateway) => Ok(gateway),
        Err(not_running) => match leader::holder(&paths.state) {
            Some(holder) => Err(Failure::new(format_args!(
                "the gateway{} has no socket to ask it by; start it with --listen unix: as well",
                holder.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
            ))),
            None => Err(Failure::not_running(not_running)),
        },
    }
}

async fn order(paths: &Paths, order: Ask, lines: &mut Lines<'_>) -> Result<(), Failure> {
    #[cfg(unix)]
    if Remote::find(&paths.socket()).await.is_err()
        && let Some(pid) = leader::holder(&paths.state).and_then(|holder| holder.pid)
    {
        return signal(pid, &order, lines);
    }
    match ask(paths, order).await? {
        Reply::Done(words) => {
            lines.say(words);
            Ok(())
        }
        other => Err(unexpected(&other)),
    }
}

/// A gateway without a socket of its own still hears signals.
#[cfg(unix)]
fn signal(pid: u32, order: &Ask, lines: &mut Lines<'_>) -> Result<(), Failure> {
    use nix::sys::signal::{Signal, kill};
    let signal = if *order == Ask::Reload { Signal::SIGHUP } else { Signal::SIGTERM };
    let process = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(0));
    if process.as_raw() <= 0 {
        return Err(Failure::new("the home's lock names no process; stop the gateway by hand"));
    }
    kill(process, signal).map_err(|error| Failure::new(format_args!("pid {pid} takes no signal: {error}")))?;
    lines.say(format_args!("sent {signal} to the gateway, pid {pid}; its log says what came of it"));
    Ok(())
}

/// A provider with every default filled in. Header values and proxies may hold secrets: only their names are shown.
fn described(provider: &Provider) -> serde_json::Value {
    let headers: Vec<&str> = provider.headers.iter().map(|(name, _)| name.as_str()).collect();
    let seconds = |wait: std::time::Duration| format!("{} s", wait.as_secs());
    json!({
        "id": provider.id,
        "name": provider.name,
        "adapter": provider.adapter,
        "base_url": provider.base_url,
        "auth_header": provider.auth.header,
        "key_variables": provider.env_key,
        "url_variable": provider.env_base_url,
        "looked_for_at": provider.discover,
        "models": provider.models,
        "models_path": provider.models_path,
        "endpoints": provider.endpoints,
        "headers": headers,
        "body": provider.body,
        "proxied": provider.proxy.is_some(),
        "api_version": provider.api_version,
        "deployments": provider.deployments,
        "connect": seconds(provider.timeouts.connect),
        "first_byte": seconds(provider.timeouts.first_byte),
        "stall": seconds(provider.timeouts.stall),
    })
}

pub(super) fn refused(refusal: Refusal) -> Failure {
    match refusal.reason {
        Reason::Failed => Failure::new(refusal),
        Reason::BadConfig => Failure::bad_config(refusal),
    }
}

pub(super) fn unexpected(reply: &Reply) -> Failure {
    // the words of a reply may be long, its kind is enough
    let kind = serde_json::to_value(reply).ok().and_then(|value| Some(value.as_object()?.keys().next()?.clone()));
    Failure::new(format_args!(
        "the running gateway gave another answer ({}) than was asked for; restart it with: keywheel stop",
        kind.unwrap_or_default()
    ))
}
