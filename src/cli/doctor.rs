//! `doctor`: what was looked at, how it is, and what to do about it.

use std::io;

use clap::Args;
use serde::Serialize;

use super::chart::Paint;
use super::{Exit, Format, Lines};

/// `doctor`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Doctor {
    /// How to write
    #[command(flatten)]
    pub format: Format,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `configuration`, `ledger`, …
    pub check: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found, in words.
    pub says: String,
    /// What to do; absent where there is nothing to do.
    pub advice: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, says: says.into(), advice: None }
    }

    /// Somebody should look at it.
    pub fn warn(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Warn,
            says: says.into(),
            advice: Some(advice.into()).filter(|text| !text.is_empty()),
        }
    }

    /// It does not work.
    pub fn fail(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, ..Self::warn(check, says, advice) }
    }
}

/// The exit code of what was found: that of the worst.
pub fn exit(findings: &[Finding]) -> Exit {
    match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Fail) => Exit::Failed,
        Some(Level::Warn) => Exit::Warned,
        Some(Level::Ok) | None => Exit::Done,
    }
}

/// The list, in the order in which it was looked at; one object a line for scripts.
pub fn show(lines: &mut Lines<'_>, asked: Doctor, findings: &[Finding], paint: Paint) -> io::Result<()> {
    if asked.format.json {
        return findings.iter().try_for_each(|finding| lines.json(finding));
    }
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    for Finding { check, level, says, advice } in findings {
        // words that came from elsewhere lose what a terminal obeys before the colour is put around the mark
        let clean = |text: &str| text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
        let indent = format!("\n{}", " ".repeat(width + 8));
        writeln!(lines.raw(), "{}  {check:width$}  {}", mark(*level, paint), clean(says).replace('\n', &indent))?;
        if let Some(advice) = advice {
            writeln!(lines.raw(), "{}→ {}", &indent[1..], clean(advice).replace('\n', &indent))?;
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    lines.say(match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => "all is well".to_owned(),
        (0, warned) => format!("{warned} to look at"),
        (failed, warned) => format!("{failed} failed, {warned} to look at"),
    });
    Ok(())
}

/// Four characters, coloured or not.
fn mark(level: Level, paint: Paint) -> String {
    let (word, colour) = match level {
        Level::Ok => ("ok  ", 32),
        Level::Warn => ("warn", 33),
        Level::Fail => ("FAIL", 31),
    };
    match paint {
        Paint::Coloured => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
        Paint::Plain => word.to_owned(),
    }
}
