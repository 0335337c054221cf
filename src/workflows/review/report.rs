//! A review for people, as Markdown.

use std::fmt::Write;

use super::{Missed, Review};

/// The whole review.
pub fn markdown(review: &Review) -> String {
    let mut text = format!("# Review of {}\n\n", review.of);
    let _ = writeln!(text, "Read by {} ({}).", review.model, review.why);
    let _ = writeln!(text, "{}\n", sums(review));
    for finding in &review.findings {
        let place = match finding.end_line {
            end if end == finding.line => format!("{}:{end}", finding.file),
            end => format!("{}:{}-{end}", finding.file, finding.line),
        };
        let _ = writeln!(text, "## {}: {}\n\n`{place}`\n", finding.severity.word(), finding.title);
        if !finding.detail.is_empty() {
            let _ = writeln!(text, "{}\n", finding.detail);
        }
        if let Some(patch) = &finding.patch {
            let fence = if patch.contains("```") { "`````" } else { "```" };
            let _ = writeln!(text, "{fence}diff\n{patch}{fence}\n");
        }
    }
    missed(&mut text, "Not read", &review.failed);
    missed(&mut text, "Not sent", &review.unsent);
    text
}

/// What the review came to, in one paragraph.
fn sums(review: &Review) -> String {
    let mut words = match review.findings.len() {
        0 if review.failed.is_empty() => "Nothing was found.".to_owned(),
        0 => "Nothing was found in what was read.".to_owned(),
        1 => "1 finding.".to_owned(),
        count => format!("{count} findings."),
    };
    if review.read < review.parts {
        let _ = write!(words, " **Only {} of {} parts were read.**", review.read, review.parts);
    }
    let left_out = [
        (review.duplicates, "said twice"),
        (review.invented, "about lines that are not in the diff"),
        (review.malformed, "that could not be read"),
    ];
    let left_out: Vec<String> =
        left_out.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if !left_out.is_empty() {
        let _ = write!(words, " Left out: {}.", left_out.join(", "));
    }
    if review.unfit > 0 {
        let _ = write!(words, " {} suggested patches do not apply and are not shown.", review.unfit);
    }
    if review.masked > 0 {
        let _ = write!(words, " {} secrets were masked before anything was sent.", review.masked);
    }
    if let Some(cost) = &review.cost_usd {
        let least = if review.cost_partial { "at least " } else { "" };
        let _ = write!(words, " Cost: {least}${cost}.");
    }
    words
}

fn missed(text: &mut String, head: &str, rows: &[Missed]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "## {head}\n");
    for row in rows {
        let _ = writeln!(text, "- {}: {}", row.files.join(", "), row.why);
    }
    text.push('\n');
}
