//! `explain`: asked of the running gateway, else read from the ledger's file.

use super::failure::Failure;
use super::questions::{refused, unexpected};
use super::start::LEDGER_FILE;
use crate::cli::Lines;
use crate::cli::explain::{Explain, show};
use crate::client::Remote;
use crate::config::Paths;
use crate::operator::{Ask, Operator, Reply};
use crate::ops;
use crate::store::Sqlite;

/// Why a past call went where it went.
pub(super) async fn explain(asked: &Explain, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let id = asked.id.clone();
    let reply = match Remote::find(&paths.socket()).await {
        Ok(gateway) => gateway.ask(Ask::Explain { id }).await.map_err(refused)?,
        Err(_) => {
            let path = paths.data.join(LEDGER_FILE);
            if !path.exists() {
                return Err(Failure::new("there are no calls yet"));
            }
            let ledger = Sqlite::open(&path).map_err(Failure::new)?;
            ops::explain(&ledger, &id).map_err(refused)?
        }
    };
    match reply {
        Reply::Explained(explained) => Ok(show(lines, asked.format, &explained)?),
        other => Err(unexpected(&other)),
    }
}
