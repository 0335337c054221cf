//! The bodies of calls for people: both sides of one, and the flags that ask for them.

use std::io;

use clap::Args;
use serde_json::Value;

use super::Lines;
use crate::operator::exchanged::{BodyRow, Exchanged};
use crate::wire::said;

/// Flags of `requests` that show or export what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Bodies {
    /// With an ID: what was asked and answered, where it was kept
    #[arg(long, requires = "id", conflicts_with_all = ["curl", "har", "ndjson"])]
    pub body: bool,
    /// With an ID: a command line that sends the same to the gateway again
    #[arg(long, requires = "id", conflicts_with_all = ["har", "ndjson", "json"])]
    pub curl: bool,
    /// Write HAR 1.2, with the bodies that were kept
    #[arg(long, conflicts_with_all = ["ndjson", "json"])]
    pub har: bool,
    /// Write one JSON object a call, with the bodies that were kept
    #[arg(long, conflicts_with = "json")]
    pub ndjson: bool,
}

impl Bodies {
    /// Whether any is asked for.
    pub const fn any(self) -> bool {
        self.body || self.curl || self.har || self.ndjson
    }
}

/// What to say where nothing of a call was kept.
pub const NOT_KEPT: &str = "its bodies were not kept; to keep those of failed calls: \
                            keywheel config set capture.mode failed";

/// Both sides of a call.
pub fn show(lines: &mut Lines<'_>, call: &Exchanged) -> io::Result<()> {
    let row = &call.call;
    lines.data(format_args!("{}  {}  {}  {}", row.id, row.at, row.client, row.model))?;
    let Some(request) = &call.request else {
        lines.say(NOT_KEPT);
        return Ok(());
    };
    lines.data("")?;
    lines.data(format_args!("> {} /v1/{}", request.method, request.path))?;
    headers(lines, '>', &request.headers)?;
    body(lines, &request.body)?;
    for one in call.tries.iter().filter(|one| one.why.is_some()) {
        let why = one.why.as_deref().unwrap_or_default();
        lines.data(format_args!("\n* {} at {}/{} failed: {why}", one.account, one.provider, one.model))?;
    }
    let Some(answer) = &call.answer else {
        lines.data(format_args!("\n< no answer: {}", row.outcome))?;
        return Ok(());
    };
    lines.data("")?;
    lines.data(format_args!("< {} {}", answer.status, row.outcome))?;
    headers(lines, '<', &answer.headers)?;
    body(lines, &answer.body)
}

fn headers(lines: &mut Lines<'_>, side: char, headers: &[(String, String)]) -> io::Result<()> {
    headers.iter().try_for_each(|(name, value)| lines.data(format_args!("{side} {name}: {value}")))
}

/// JSON is laid out, a stream is told by its words, and anything else is shown as it is.
fn body(lines: &mut Lines<'_>, body: &BodyRow) -> io::Result<()> {
    let words =
        if body.kind.starts_with("text/event-stream") { said(&body.kind, body.text.as_bytes()) } else { String::new() };
    let laid_out =
        serde_json::from_str::<Value>(&body.text).ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = laid_out.unwrap_or(if words.is_empty() { body.text.clone() } else { words });
    if !text.is_empty() {
        lines.data("")?;
        lines.data(text.trim_end())?;
    }
    if let Some(lacks) = &body.lacks {
        lines.say(lacks);
    }
    if !body.rules.is_empty() {
        lines.say(format_args!("redacted: {}", body.rules.join(", ")));
    }
    Ok(())
}
