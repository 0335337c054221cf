//! `requests` and `cost`: asked of the running gateway, else read from the ledger's file.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;

use super::failure::Failure;
use super::questions::{self, refused, unexpected};
use super::start::LEDGER_FILE;
use super::{bodies, env};
use crate::cli::chart::Paint;
use crate::cli::{Cost, Lines, Requests, budgets, cost, requests, show};
use crate::client::Remote;
use crate::config::Paths;
use crate::kit::{Clock, Time};
use crate::operator::{Ask, Operator, Reply, RequestRow};
use crate::ops;
use crate::store::Sqlite;

/// Between two looks for calls that have come.
const LOOK: Duration = Duration::from_millis(500);
/// How many calls a look takes in. One that was under way while so many others came and went is not seen to end.
const SEEN: usize = 1000;

/// Calls, or one.
pub(super) async fn list(asked: &Requests, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    if asked.bodies.any() {
        return bodies::show(asked, paths, lines).await;
    }
    if let Some(id) = &asked.id {
        return match answer(paths, Ask::Request { id: id.clone() }).await? {
            Reply::Request(record) if asked.timing => Ok(requests::timing(lines, asked.format, &record)?),
            Reply::Request(record) => one(asked, record, lines),
            other => Err(unexpected(&other)),
        };
    }
    let rows = listed(asked, paths).await?;
    if asked.follow {
        return follow(asked, rows, paths, lines).await;
    }
    Ok(show::requests(lines, asked.format, &rows)?)
}

/// The calls that the flags ask for.
pub(super) async fn listed(asked: &Requests, paths: &Paths) -> Result<Vec<RequestRow>, Failure> {
    newest(asked, usize::try_from(asked.limit).unwrap_or(usize::MAX), paths).await
}

fn one(asked: &Requests, mut record: Value, lines: &mut Lines<'_>) -> Result<(), Failure> {
    if let (Some(record), false) = (record.as_object_mut(), asked.format.json) {
        // the same to the millisecond stands with the call and its tries
        record.remove("timing");
    }
    Ok(show::record(lines, asked.format, &record)?)
}

async fn newest(asked: &Requests, limit: usize, paths: &Paths) -> Result<Vec<RequestRow>, Failure> {
    let like = asked.narrow.like(Clock::system().now());
    match answer(paths, Ask::Requests { limit, failed: asked.failed, like }).await? {
        Reply::Requests(rows) => Ok(rows),
        other => Err(unexpected(&other)),
    }
}

/// Shows the newest with the oldest first, then each call as it ends. A call is known by its id: one that began early and
/// took long stands behind others in the ledger's order.
async fn follow(asked: &Requests, first: Vec<RequestRow>, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let ids = |rows: &[RequestRow]| rows.iter().map(|row| row.id.clone()).collect::<HashSet<_>>();
    let mut seen = ids(&newest(asked, SEEN, paths).await?);
    let mut rows = first;
    seen.extend(ids(&rows));
    loop {
        rows.reverse();
        show::followed(lines, asked.format, &rows)?;
        tokio::time::sleep(LOOK).await;
        rows = newest(asked, SEEN, paths).await?;
        let known = std::mem::replace(&mut seen, ids(&rows));
        rows.retain(|row| !known.contains(&row.id));
    }
}

/// What calls consumed and cost.
pub(super) async fn costs(asked: &Cost, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    if asked.budgets {
        return match questions::ask(paths, Ask::Budgets).await? {
            Reply::Budgets(rows) => Ok(budgets::show(lines, asked.format, &rows)?),
            other => Err(unexpected(&other)),
        };
    }
    let now = Clock::system().now();
    let [since, until] = [asked.since, asked.until].map(|at| at.map(|at| at.moment(now)));
    let [from, to] = [since, until].map(|at| at.map(Time::as_micros));
    match answer(paths, Ask::Costs { by: asked.by.clone(), since: from, until: to }).await? {
        Reply::Costs(rows) => {
            let span = since.map(|since| until.unwrap_or(now).min(now).since(since));
            Ok(cost::show(lines, asked, &rows, span, paint())?)
        }
        other => Err(unexpected(&other)),
    }
}

/// Colours where a person looks who has not said no to them (no-color.org).
pub(super) fn paint() -> Paint {
    let unwanted = env("NO_COLOR").is_some_and(|value| !value.is_empty()) || env("TERM").is_some_and(|t| t == "dumb");
    if std::io::stdout().is_terminal() && !unwanted { Paint::Coloured } else { Paint::Plain }
}

async fn answer(paths: &Paths, question: Ask) -> Result<Reply, Failure> {
    match Remote::find(&paths.socket()).await {
        Ok(gateway) => gateway.ask(question).await.map_err(refused),
        Err(_) => from_ledger(paths, question),
    }
}

fn from_ledger(paths: &Paths, question: Ask) -> Result<Reply, Failure> {
    let path = paths.data.join(LEDGER_FILE);
    if !path.exists() {
        return Ok(match question {
            Ask::Costs { .. } => Reply::Costs(Vec::new()),
            _ => Reply::Requests(Vec::new()),
        });
    }
    let ledger = Sqlite::open(&path).map_err(Failure::new)?;
    match question {
        Ask::Costs { by, since, until } => ops::costs(&ledger, &by, since, until).map_err(refused),
        Ask::Request { id } => ops::request(&ledger, &id).map_err(refused),
        Ask::Requests { limit, failed, like } => {
            ops::requests(&ledger, &ops::filter(limit, failed, like)).map_err(refused)
        }
        _ => Err(Failure::new("only calls can be read from the ledger")),
    }
}
