//! What a model finds: read strictly, sifted of what is not so, and of what was said before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Chunk;

/// Two findings this many lines apart may be about the same thing.
const NEAR: usize = 3;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Could be nicer.
    Low,
    /// Will hurt somebody some day.
    Medium,
    /// Is wrong.
    High,
    /// Loses data, money or secrets.
    Critical,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Its first line in the new file.
    pub line: usize,
    /// Its last line.
    pub end_line: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// Why, and what to do.
    pub detail: String,
    /// What should stand in the place of these lines, where the model says so.
    #[serde(skip)]
    pub replacement: Option<String>,
    /// The same as a patch that `git apply` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

/// What was left of the findings of one part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sifted {
    /// Those that hold.
    pub findings: Vec<Finding>,
    /// How many were about lines that are not in the part.
    pub invented: usize,
    /// How many could not be read.
    pub malformed: usize,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Reads an answer: a JSON array of findings, or an object with one under `findings`, whatever stands around it. `None`
/// where there is none.
pub fn sift(answer: &str, chunk: &Chunk) -> Option<Sifted> {
    let mut sifted = Sifted::default();
    for value in array(answer)? {
        match read(&value) {
            None => sifted.malformed += 1,
            Some(finding) if holds(&finding, chunk) => sifted.findings.push(finding),
            Some(_) => sifted.invented += 1,
        }
    }
    Some(sifted)
}

/// Takes out what says the same as another one, and puts the worst first. Says how many went.
pub(super) fn merged(findings: Vec<Finding>) -> (Vec<Finding>, usize) {
    let all = findings.len();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        match kept.iter_mut().find(|other| same(other, &finding)) {
            Some(other)
                if (finding.severity, finding.replacement.is_some())
                    > (other.severity, other.replacement.is_some()) =>
            {
                *other = finding;
            }
            Some(_) => {}
            None => kept.push(finding),
        }
    }
    let gone = all - kept.len();
    kept.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.file.cmp(&b.file)).then_with(|| a.line.cmp(&b.line))
    });
    (kept, gone)
}

/// The array in a text: models put words and fences around it.
fn array(text: &str) -> Option<Vec<Value>> {
    let starts = text.char_indices().filter(|(_, c)| matches!(c, '[' | '{')).map(|(at, _)| at);
    for start in starts.take(200) {
        let value = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>().next();
        match value {
            Some(Ok(Value::Array(list))) => return Some(list),
            Some(Ok(Value::Object(mut object))) => match object.remove("findings") {
                Some(Value::Array(list)) => return Some(list),
                // a finding that stands alone
                _ if object.contains_key("title") => return Some(vec![Value::Object(object)]),
                _ => {}
            },
            _ => {}
        }
    }
    None
}

fn read(value: &Value) -> Option<Finding> {
    let text = |name: &str| value[name].as_str().map(str::trim).filter(|text| !text.is_empty());
    let number = |name: &str| value[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let line = number("line")?;
    let severity = text("severity")?.to_ascii_lowercase();
    let title = text("title")?.lines().next()?.to_owned();
    Some(Finding {
        file: text("file")?.to_owned(),
        line,
        end_line: number("end_line").filter(|end| *end >= line).unwrap_or(line),
        severity: Severity::ALL.into_iter().find(|known| known.word() == severity)?,
        title,
        detail: text("detail").unwrap_or_default().to_owned(),
        replacement: value["replacement"].as_str().map(str::to_owned),
        patch: None,
    })
}

fn holds(finding: &Finding, chunk: &Chunk) -> bool {
    let lines = chunk.lines.get(&finding.file);
    lines.is_some_and(|lines| {
        (finding.line..=finding.end_line.min(finding.line + 10_000)).all(|line| lines.contains(&line))
    })
}

fn same(one: &Finding, other: &Finding) -> bool {
    let apart = one.line.abs_diff(other.line);
    one.file == other.file && apart <= NEAR && (one.title == other.title || alike(&one.title, &other.title))
}

/// Whether most of the words of two titles are the same.
fn alike(one: &str, other: &str) -> bool {
    let words = |title: &str| {
        let plain = title.to_lowercase();
        let words = plain.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.len() > 2);
        words.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (one, other) = (words(one), words(other));
    let both = one.intersection(&other).count();
    both > 0 && both * 2 >= one.union(&other).count()
}
