//! `requests` with bodies: of one call for people, for a shell or as HAR, of many as an export.

use std::sync::Arc;

use super::failure::Failure;
use super::history::Kept;
use super::questions::{refused, unexpected};
use super::start::LEDGER_FILE;
use super::{announce, calls, settings, vault};
use crate::cli::bodies::{self, NOT_KEPT};
use crate::cli::{Lines, Requests, har};
use crate::client::Remote;
use crate::config::{Listen, Paths};
use crate::history::Capture;
use crate::operator::exchanged::Exchanged;
use crate::operator::{Ask, Operator, Reply, RequestRow};
use crate::ops;
use crate::redact::Known;
use crate::serve::keys::KEY_FILE;
use crate::store::Sqlite;

/// Where calls with their bodies are asked for.
pub(super) enum Source {
    /// The running gateway.
    Gateway(Remote),
    /// The home's files, when none runs.
    Files(Box<(Sqlite, Kept)>),
}

impl Source {
    pub(super) async fn find(paths: &Paths) -> Result<Self, Failure> {
        if let Ok(gateway) = Remote::find(&paths.socket()).await {
            return Ok(Self::Gateway(gateway));
        }
        let path = paths.data.join(LEDGER_FILE);
        if !path.exists() {
            return Err(Failure::new("there are no calls yet"));
        }
        let ledger = Sqlite::open(&path).map_err(Failure::new)?;
        let vault = Arc::new(vault::of(&settings::loaded(paths)?.settings, paths));
        Ok(Self::Files(Box::new((ledger, Kept::of(vault, Arc::new(Known::default()), Capture::none(), paths)))))
    }

    /// One call with its bodies.
    pub(super) async fn exchanged(&self, id: &str) -> Result<Exchanged, Failure> {
        let reply = match self {
            Self::Gateway(gateway) => gateway.ask(Ask::Exchange { id: id.to_owned() }).await,
            Self::Files(files) => ops::exchanged(&files.0, &files.1, id),
        };
        match reply.map_err(refused)? {
            Reply::Exchanged(exchanged) => Ok(*exchanged),
            other => Err(unexpected(&other)),
        }
    }
}

/// Does what the flags ask for.
pub(super) async fn show(asked: &Requests, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let Some(id) = &asked.id else { return export(asked, &calls::listed(asked, paths).await?, paths, lines).await };
    let call = Source::find(paths).await?.exchanged(id).await?;
    match asked.bodies {
        flags if flags.curl => curl(&call, paths, lines).await,
        flags if flags.har || flags.ndjson => export(asked, &[call.call], paths, lines).await,
        _ if asked.format.json => Ok(lines.json(&call)?),
        _ => Ok(bodies::show(lines, &call)?),
    }
}

/// Each call as it is read, so that an export needs no memory for all of them.
async fn export(asked: &Requests, rows: &[RequestRow], paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let source = if rows.is_empty() { None } else { Some(Source::find(paths).await?) };
    let base = base(&doors(paths).await?);
    let (head, tail) = har::frame();
    if asked.bodies.har {
        write!(lines.raw(), "{head}")?;
    }
    for (at, row) in rows.iter().enumerate() {
        let Some(source) = &source else { break };
        let call = source.exchanged(&row.id).await?;
        if asked.bodies.har {
            let comma = if at == 0 { "" } else { "," };
            write!(lines.raw(), "{comma}\n{}", har::entry(&call, &base))?;
        } else {
            lines.json(&call)?;
        }
    }
    if asked.bodies.har {
        writeln!(lines.raw(), "\n{tail}")?;
    }
    Ok(())
}

/// A command line that sends the same again. Its key is read from its file by the shell.
async fn curl(call: &Exchanged, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let request = call.request.as_ref().ok_or_else(|| Failure::new(NOT_KEPT))?;
    if let Some(lacks) = &request.body.lacks {
        return Err(Failure::new(format_args!("the request cannot be repeated: {lacks}")));
    }
    // a terminal would obey them
    if request.body.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Failure::new("its body holds control characters; take it from --har"));
    }
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("/v1/{}{query}", request.path);
    let key_file = paths.state.join(KEY_FILE);
    let target = announce::reached(&doors(paths).await?, &target, &key_file)
        .ok_or_else(|| Failure::new("no door is open to curl; see listen in the settings"))?;
    let method = if request.method == "POST" { String::new() } else { format!("-X {} ", request.method) };
    let kind = announce::quoted(&format!("content-type: {}", request.body.kind));
    if !request.body.rules.is_empty() {
        lines.say(format_args!(
            "the body is not what was sent, since it is redacted: {}",
            request.body.rules.join(", ")
        ));
    }
    // an argument may not be long, so the body comes from stdin; printf writes it without a line end of its own
    let body = announce::quoted(&request.body.text);
    writeln!(lines.raw(), "printf %s {body} | curl -N {method}{target} -H {kind} --data-binary @-")?;
    Ok(())
}

/// The open doors of the running gateway, else those of the settings.
async fn doors(paths: &Paths) -> Result<Vec<String>, Failure> {
    if let Ok(gateway) = Remote::find(&paths.socket()).await
        && let Ok(Reply::Status(status)) = gateway.ask(Ask::Status).await
    {
        return Ok(status.listen);
    }
    let door = |door: &Listen| match door {
        Listen::Unix(None) => format!("unix://{}", paths.socket().display()),
        door => door.to_string(),
    };
    Ok(settings::loaded(paths)?.settings.listen.iter().map(door).collect())
}

/// The gateway's address for records that need one.
fn base(doors: &[String]) -> String {
    let to = |scheme: &str| doors.iter().find_map(|door| door.strip_prefix(scheme));
    match (to("tcp://"), to("tls://")) {
        (Some(place), _) => format!("http://{}", announce::reachable(place)),
        (None, Some(place)) => format!("https://{}", announce::reachable(place)),
        (None, None) => "http://localhost".to_owned(),
    }
}
