//! `doctor`: looks at files, at this machine and at the running gateway, and says what is wrong and what to do. Works
//! without a gateway, and changes nothing.

mod accounts;
mod files;
mod host;
mod ledger;

use super::calls::paint;
use super::failure::Failure;
use super::{leader, settings};
use crate::cli::Lines;
use crate::cli::doctor::{Doctor, Finding, exit, show};
use crate::client::Remote;
use crate::config::{Paths, Settings};
use crate::operator::{AccountRow, Ask, Operator, Reply, Status};

/// What the running gateway says of itself.
struct Running {
    status: Status,
    accounts: Vec<AccountRow>,
    /// Whether its vault is locked; `None` when it has none.
    locked: Option<bool>,
}

/// Looks at everything; the exit code is that of the worst that was found.
pub(super) async fn run(asked: Doctor, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let (mut findings, settings) = configuration(paths);
    findings.extend(files::look(paths));
    let (found, running) = gateway(paths).await;
    findings.extend(found);
    if let Some(running) = &running {
        findings.extend(doors(&running.status).await);
    }
    if let Some(settings) = &settings {
        findings.extend(accounts::vault(settings, paths, running.as_ref()));
        findings.extend(accounts::look(settings, running.as_ref()));
    }
    let lag = running.as_ref().and_then(|running| running.status.ledger_lag.as_ref());
    findings.extend(ledger::look(paths, settings.as_ref().map(|settings| settings.ledger), lag));
    findings.extend(files::prices(paths));
    findings.extend(host::look(paths));
    show(lines, asked, &findings, paint())?;
    match exit(&findings) {
        crate::cli::Exit::Done => Ok(()),
        exit => Err(Failure { exit, message: String::new() }),
    }
}

fn configuration(paths: &Paths) -> (Vec<Finding>, Option<Settings>) {
    const CHECK: &str = "configuration";
    match settings::loaded(paths) {
        Err(failure) => (vec![Finding::fail(CHECK, failure.message, "mend it, then run: keywheel config check")], None),
        Ok(loaded) => {
            let file =
                if paths.file.exists() { paths.file.display().to_string() } else { "no file, defaults".to_owned() };
            let mut findings = vec![Finding::ok(CHECK, format!("valid ({file})"))];
            findings.extend(loaded.warnings.into_iter().map(|warning| Finding::warn(CHECK, warning, "")));
            (findings, Some(loaded.settings))
        }
    }
}

async fn gateway(paths: &Paths) -> (Vec<Finding>, Option<Running>) {
    const CHECK: &str = "gateway";
    let remote = match Remote::find(&paths.socket()).await {
        Ok(remote) => remote,
        Err(_) => {
            let found = match leader::holder(&paths.state) {
                Some(_) => Finding::warn(
                    CHECK,
                    "it runs, and has no socket to ask it by",
                    "start it with --listen unix: as well, or look at its log",
                ),
                None => Finding::warn(CHECK, "none runs on this home", "start it: keywheel serve -d"),
            };
            return (vec![found], None);
        }
    };
    let (status, accounts) = (remote.ask(Ask::Status).await, remote.ask(Ask::Accounts).await);
    let vault = remote.ask(Ask::Vault(crate::operator::VaultOrder::Look)).await;
    let (Ok(Reply::Status(status)), Ok(Reply::Accounts(accounts))) = (status, accounts) else {
        let advice = "restart it: keywheel stop, then keywheel serve -d";
        return (vec![Finding::fail(CHECK, "it runs, and does not answer as this version expects", advice)], None);
    };
    let locked = if let Ok(Reply::Vault { locked }) = vault { locked } else { None };
    let mut findings = vec![version(CHECK, &status)];
    // the ledger and the vault have checks of their own
    let told = |words: &&String| !words.starts_with("the ledger is") && !words.contains("vault");
    findings.extend(status.warnings.iter().filter(told).map(|words| Finding::warn(CHECK, words.clone(), "")));
    (findings, Some(Running { status, accounts, locked }))
}

fn version(check: &'static str, status: &Status) -> Finding {
    let Status { version, pid, started, in_flight, parked, .. } = status;
    let says = format!("pid {pid}, since {started}, {in_flight} calls under way, {parked} waiting");
    match env!("CARGO_PKG_VERSION") {
        same if same == version => Finding::ok(check, says),
        own => Finding::warn(
            check,
            format!("{says}; it is version {version}, and this is {own}"),
            "restart it: keywheel stop, then keywheel serve -d",
        ),
    }
}

/// Whether each TCP door takes connections from here.
async fn doors(status: &Status) -> Vec<Finding> {
    const CHECK: &str = "doors";
    let mut findings = Vec::new();
    for door in &status.listen {
        let Some((_, at)) = door.split_once("://").filter(|(scheme, _)| matches!(*scheme, "tcp" | "tls")) else {
            findings.push(Finding::ok(CHECK, door.clone()));
            continue;
        };
        // what listens everywhere is reached from here by the loopback
        let at = at.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
        #[expect(clippy::disallowed_methods, reason = "a door of our own, only to see whether it opens")]
        let knock = tokio::net::TcpStream::connect(&at);
        let reached = tokio::time::timeout(std::time::Duration::from_secs(2), knock).await;
        findings.push(match reached {
            Ok(Ok(_)) => Finding::ok(CHECK, door.clone()),
            Ok(Err(error)) => Finding::fail(CHECK, format!("{door} takes no connection: {error}"), "look at its log"),
            Err(_) => Finding::fail(CHECK, format!("{door} does not answer"), "look at its log, and at its load"),
        });
    }
    findings
}
