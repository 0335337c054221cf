//! `review`: a diff goes to the model that reasons best, what it finds comes back as a report and an exit code.

use std::io::{self, IsTerminal};

use super::failure::Failure;
use super::hooks::known;
use super::{questions, settings};
use crate::cli::bar::Bar;
use crate::cli::markdown::{Markdown, columns};
use crate::cli::{Exit, FailOn, Lines, ReviewDiff, ReviewFormat};
use crate::config::Paths;
use crate::kit::Money;
use crate::workflows::choice::{Choice, Purpose, choose};
use crate::workflows::git::Git;
use crate::workflows::review::{Asked, Chunked, Patcher, Range, Review, Reviewer, Severity, markdown, sarif};

/// What somebody hears who has no model that could read.
const NO_MODEL: &str =
    "no model can be called that could read a diff; add an account, or see: keywheel model list --why";

/// Reviews, writes the report, and says by the exit code what came of it.
pub(super) async fn run(asked: &ReviewDiff, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let most = asked.max_cost.as_deref().map(Money::parse).transpose();
    let most = most.map_err(|error| Failure::usage(format_args!("--max-cost: {error}; write for example 0.50")))?;
    let work = review(asked, most, paths, lines);
    let review = match asked.timeout {
        Some(patience) => tokio::time::timeout(patience, work)
            .await
            .map_err(|_| Failure::new(format_args!("the review was not done within {} s", patience.as_secs())))?,
        None => work.await,
    }?;
    match asked.format {
        ReviewFormat::Json => lines.json(&review)?,
        ReviewFormat::Sarif => lines.json(&sarif(&review))?,
        ReviewFormat::Markdown => show(&markdown(&review), lines)?,
    }
    let least = match asked.fail_on {
        FailOn::Never => None,
        FailOn::Low => Some(Severity::Low),
        FailOn::Medium => Some(Severity::Medium),
        FailOn::High => Some(Severity::High),
        FailOn::Critical => Some(Severity::Critical),
    };
    let exit = |exit, message: String| Err(Failure { exit, message });
    if least.is_some_and(|least| review.has(least)) {
        return exit(Exit::Found, String::new());
    }
    if review.read < review.parts {
        let (read, parts) = (review.read, review.parts);
        return exit(Exit::Partial, format!("only {read} of {parts} parts were read; the report names the rest"));
    }
    Ok(())
}

async fn review(
    asked: &ReviewDiff,
    most: Option<Money>,
    paths: &Paths,
    lines: &mut Lines<'_>,
) -> Result<Review, Failure> {
    let settings = settings::loaded(paths)?.settings;
    let (git, known) = (Git::here(), known(&settings));
    let wanted = match (&asked.range, asked.staged, asked.branch) {
        (Some(range), ..) => Asked::Range(range.clone()),
        (None, true, _) => Asked::Staged,
        (None, false, true) => Asked::Branch,
        (None, false, false) => Asked::Anything,
    };
    let rules = &settings.review;
    let (range, changes) = Range::changes(&git, &wanted, rules.max_diff).await.map_err(Failure::new)?;
    let Chunked { chunks, unsent, masked } = Chunked::new(&known, &changes, rules.part, &rules.ignore);
    let gateway = questions::gateway(paths).await?;
    let choice = choose(&gateway, Purpose::Review, asked.model.as_deref(), &settings).await.map_err(Failure::new)?;
    let Choice { model, why, .. } = choice.ok_or_else(|| Failure::new(NO_MODEL))?;
    let parts = if chunks.len() == 1 { "1 part".to_owned() } else { format!("{} parts", chunks.len()) };
    lines.say(format_args!("reviewing {} in {parts} with {model} ({why})", range.words));
    let project = project(&git).await;
    let reviewer = Reviewer {
        operator: &gateway,
        model: &model,
        parallel: rules.parallel,
        patience: rules.timeout,
        most,
        project: project.as_deref(),
    };
    let mut bar = Bar::new(io::stderr().is_terminal().then(io::stderr), chunks.len());
    // a terminal that is gone loses its bar and nothing else
    drop(bar.draw(0));
    let mut review = reviewer.read(&chunks, |done| drop(bar.draw(done))).await;
    drop(bar);
    let mut patcher = Patcher::new(&git, &range, &changes);
    for finding in &mut review.findings {
        review.unfit += usize::from(!patcher.fit(finding).await);
    }
    Ok(Review { of: range.words.clone(), why, unsent, masked, ..review })
}

/// The repository's name, for the ledger.
async fn project(git: &Git) -> Option<String> {
    let top = git.line(["rev-parse", "--show-toplevel"]).await.ok()?;
    let top = crate::workflows::git::path_of(top);
    Some(top.file_name()?.to_string_lossy().into_owned())
}

fn show(text: &str, lines: &mut Lines<'_>) -> io::Result<()> {
    if io::stdout().is_terminal() && super::env("NO_COLOR").is_none_or(|set| set.is_empty()) {
        let mut page = Markdown::new(lines.raw()).wide(columns());
        page.push(text)?;
        return page.end();
    }
    lines.raw().write_all(text.as_bytes())
}
