//! `client …`: the store of client keys is a file that running doors follow, so no gateway need run.

use serde::Serialize;

use super::announce;
use super::failure::Failure;
use crate::cli::table::Table;
use crate::cli::{ClientVerb, Format, Lines, NewClient};
use crate::config::Paths;
use crate::kit::{Secret, file};
use crate::serve::keys::{KEY_FILE, KeyError, KeyOptions, KeyRow, Keys, OVERLAP, STORE_FILE};

/// Does what a verb asks for.
pub(super) fn run(verb: &ClientVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    file::private_dir(&paths.state).map_err(KeyError::from).map_err(Failure::new)?;
    let keys = Keys::open(&paths.state.join(STORE_FILE)).map_err(Failure::new)?;
    match verb {
        ClientVerb::Add(client) => {
            let key = keys.add(&client.name, options(client)).map_err(Failure::new)?;
            show_once(&key, lines)
        }
        ClientVerb::List(format) => list(&keys.list().map_err(Failure::new)?, *format, lines),
        ClientVerb::Rotate { name, overlap } => {
            let key = keys.rotate(name, overlap.unwrap_or(OVERLAP)).map_err(Failure::new)?;
            show_once(&key, lines)
        }
        ClientVerb::Rm { name } => {
            let key_file = paths.state.join(KEY_FILE);
            let was = key_file.exists();
            keys.remove(name).map_err(Failure::new)?;
            lines.say(format_args!("removed {name}; its key stops working within a second"));
            if was && !key_file.exists() {
                lines.say(announce::gone(&key_file));
            }
            Ok(())
        }
    }
}

fn options(client: &NewClient) -> KeyOptions {
    KeyOptions { models: client.models.clone(), ttl: client.ttl, rpm: client.rpm, hide_account: client.hide_account }
}

fn show_once(key: &Secret, lines: &mut Lines<'_>) -> Result<(), Failure> {
    lines.say("the key follows; it is not stored and cannot be shown again");
    Ok(lines.data(key.expose())?)
}

/// A client as scripts see it: nothing of its key, not even a hash.
#[derive(Serialize)]
struct ClientRow<'a> {
    name: &'a str,
    key: String,
    models: &'a [String],
    created: String,
    expires: Option<String>,
    rpm: Option<u32>,
    hide_account: bool,
    old_key_until: Option<String>,
}

fn list(rows: &[KeyRow], format: Format, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let rows: Vec<ClientRow<'_>> = rows.iter().map(row).collect();
    let mut table = Table::new(["name", "key", "models", "created", "expires", "rpm"]);
    for row in &rows {
        let models = if row.models.is_empty() { "all".to_owned() } else { row.models.join(", ") };
        let expires = row.expires.clone().unwrap_or_else(|| "never".to_owned());
        let rpm = row.rpm.map_or_else(|| "–".to_owned(), |rpm| rpm.to_string());
        table.row([row.name.to_owned(), row.key.clone(), models, row.created.clone(), expires, rpm]);
    }
    Ok(lines.list(format, &rows, table, "no clients; make one with: keywheel client add NAME")?)
}

fn row(row: &KeyRow) -> ClientRow<'_> {
    ClientRow {
        name: &row.name,
        key: format!("kw-{}-…", row.id),
        models: &row.models,
        created: row.created.to_string(),
        expires: row.expires.map(|at| at.to_string()),
        rpm: row.rpm,
        hide_account: row.hide_account,
        old_key_until: row.previous.as_ref().map(|previous| previous.until.to_string()),
    }
}
