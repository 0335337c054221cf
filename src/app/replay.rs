//! `replay`: calls that were kept, sent through the running gateway once more.

use std::fs;
use std::path::Path;

use super::bodies::Source;
use super::calls;
use super::failure::Failure;
use super::questions::{gateway, refused};
use crate::cli::replay::{Replay, Skipped, show};
use crate::cli::{Lines, Requests, har};
use crate::config::Paths;
use crate::workflows::replay::{Compared, Outcome, Past, Terms, replay};

/// At most so many failed calls are looked at.
const MOST: u32 = 100_000;

/// Sends them one after the other, and says of each what came of it.
pub(super) async fn run(asked: &Replay, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let gateway = gateway(paths).await?;
    let terms = Terms { model: asked.model.clone(), redacted: asked.redacted, harmless: asked.id.is_none() };
    let pasts = pasts(asked, paths).await?;
    if pasts.is_empty() {
        lines.say("no such call");
    }
    let (mut sent, mut skipped) = (0, 0);
    for past in pasts {
        match past.placed(&terms) {
            Ok(placed) => {
                tell(asked, &replay(&gateway, &past, placed).await.map_err(refused)?, lines)?;
                sent += 1;
            }
            Err(why) if asked.id.is_some() => return Err(Failure::new(why)),
            Err(why) => {
                skip(asked, &past, &why.to_string(), lines)?;
                skipped += 1;
            }
        }
    }
    if sent + skipped > 1 {
        lines.say(format_args!("{sent} calls were sent again, {skipped} were not"));
    }
    Ok(())
}

async fn pasts(asked: &Replay, paths: &Paths) -> Result<Vec<Past>, Failure> {
    if let Some(file) = &asked.har {
        return from_har(file);
    }
    let source = Source::find(paths).await?;
    if let Some(id) = &asked.id {
        return Ok(vec![Past::of(source.exchanged(id).await?)]);
    }
    let rows = calls::listed(&Requests::failed(MOST, asked.since), paths).await?;
    let mut pasts = Vec::new();
    // the oldest first, as they came
    for row in rows.iter().rev() {
        pasts.push(Past::of(source.exchanged(&row.id).await?));
    }
    Ok(pasts)
}

fn from_har(file: &Path) -> Result<Vec<Past>, Failure> {
    let cannot =
        |error: &dyn std::fmt::Display| Failure::new(format_args!("{} cannot be read: {error}", file.display()));
    let text = fs::read(file).map_err(|error| cannot(&error))?;
    har::read(&text).map_err(|error| cannot(&error))
}

fn tell(asked: &Replay, compared: &Compared, lines: &mut Lines<'_>) -> Result<(), Failure> {
    if asked.format.json {
        return Ok(lines.json(compared)?);
    }
    let name = |outcome: &Outcome| outcome.id.clone().unwrap_or_else(|| "a call".to_owned());
    let (then, now) = (name(&compared.then), name(&compared.now));
    lines.data(format_args!("{then} was sent again as {now}"))?;
    Ok(show(lines, "", &compared.then, &compared.now)?)
}

fn skip(asked: &Replay, past: &Past, why: &str, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let id = past.id.as_deref();
    if asked.format.json {
        return Ok(lines.json(&Skipped { id, skipped: why })?);
    }
    Ok(lines.data(format_args!("{} is not sent again: {why}", id.unwrap_or("a call")))?)
}
