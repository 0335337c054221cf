//! `price …`: the price table is read and extended as files, whether or not a gateway runs.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::failure::Failure;
use crate::catalog::{price_catalogue, price_check};
use crate::cli::{Format, Lines, PriceVerb, price};
use crate::config::{Paths, pricing};
use crate::kit::{Clock, Time, file};

/// Does what a verb asks for.
pub(super) fn run(verb: &PriceVerb, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match verb {
        PriceVerb::Show { model, at, all, format } => show(paths, model, *at, *all, *format, lines),
        PriceVerb::Check { stale_days, format } => check(paths, *stale_days, *format, lines),
        PriceVerb::Import { file, dry_run } => import(paths, file, *dry_run, lines),
    }
}

fn show(
    paths: &Paths,
    model: &str,
    at: Option<jiff::Timestamp>,
    all: bool,
    format: Format,
    lines: &mut Lines<'_>,
) -> Result<(), Failure> {
    let at = at.map_or_else(now, |at| Time::from_micros(at.as_microsecond()));
    let prices = pricing::prices(paths).map_err(Failure::bad_config)?;
    let mut rows = prices.show(model, at);
    if rows.is_empty() {
        let folder = paths.pricing();
        return Err(Failure::new(format_args!(
            "{model} has no price, so its calls are unpriced; add one to a file in {}, or run: keywheel price import",
            folder.display()
        )));
    }
    rows.retain(|row| all || row.in_force);
    Ok(price::show(lines, format, &rows, "no row holds at that time; see all with --all")?)
}

fn check(paths: &Paths, stale_days: u32, format: Format, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let prices = pricing::prices(paths).map_err(Failure::bad_config)?;
    let findings = price_check::check(&prices, today(), stale_days);
    for finding in &findings {
        match format.json {
            true => lines.json(finding)?,
            false => lines.data(finding)?,
        }
    }
    let models: usize = prices.sheets().values().map(|sheet| sheet.models.len()).sum();
    match findings.len() {
        0 => {
            lines.say(format_args!("{models} models, nothing to mend"));
            Ok(())
        }
        count => Err(Failure::new(format_args!("{count} things to look at in {models} models"))),
    }
}

fn import(paths: &Paths, from: &Path, dry_run: bool, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let text = match from.to_str() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        _ => fs::read_to_string(from),
    };
    let unreadable = |error| Failure::new(format_args!("cannot read {}: {error}", from.display()));
    let text = text.map_err(unreadable)?;
    let table = pricing::imported(paths).map_err(Failure::bad_config)?;
    let imported = price_catalogue::import(&text, &table, today()).map_err(Failure::new)?;
    imported.warnings.iter().for_each(|warning| lines.say(format_args!("note: {warning}")));
    for (provider, file) in &imported.files {
        for model in &file.models {
            lines.data(format_args!("{provider}/{}", model.id))?;
        }
    }
    let changed: usize = imported.files.values().map(|file| file.models.len()).sum();
    let unchanged = imported.unchanged;
    if dry_run {
        lines.say(format_args!("{changed} models would change, {unchanged} cost what the table says"));
        return Ok(());
    }
    let folder = pricing::imports(paths);
    let stamp = now().to_string().replace(':', "-");
    for (provider, text) in imported.texts().map_err(Failure::new)? {
        file::private_dir(&paths.pricing()).and_then(|()| file::private_dir(&folder)).map_err(Failure::new)?;
        file::replace(&folder.join(format!("{stamp}-{provider}.toml")), text.as_bytes()).map_err(Failure::new)?;
    }
    lines.say(format_args!("{changed} models changed, {unchanged} cost what the table says; see {}", folder.display()));
    Ok(())
}

fn now() -> Time {
    Clock::system().now()
}

/// The day in UTC.
pub(super) fn today() -> jiff::civil::Date {
    let now = jiff::Timestamp::from_microsecond(now().as_micros()).unwrap_or_default();
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}
