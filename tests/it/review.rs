//! A review in its parts: a diff in chunks, an answer sifted, patches that apply, reports that others read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, StatusCode};
use keywheel::kit::Money;
use keywheel::operator::{Answering, Ask, Calling, Given, Operator, Placed, Refusal, Reply};
use keywheel::redact::Known;
use keywheel::workflows::git::Git;
use keywheel::workflows::review::{
    Asked, Chunk, Chunked, Finding, Patcher, Range, Review, Reviewer, Severity, markdown, sarif, sift,
};
use serde_json::{Value, json};

/// A repository of its own, in which nobody's settings hold.
struct Repo(tempfile::TempDir);

impl Repo {
    fn new() -> Self {
        let repo = Self(tempfile::tempdir().unwrap());
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, args: &[&str]) -> bool {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.output().unwrap().status.success()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn commit(&self) {
        assert!(self.git(&["add", "-A"]) && self.git(&["commit", "-q", "-m", "x"]));
    }

    fn at(&self) -> Git {
        Git::at(self.path())
    }
}

fn numbered(lines: usize) -> String {
    (1..=lines).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "line {n}");
        text
    })
}

#[tokio::test]
async fn every_changed_hunk_is_in_one_part_with_its_surroundings_and_its_numbers() {
    let repo = Repo::new();
    repo.write("long.rs", &numbered(400));
    repo.write("Cargo.lock", "old\n");
    repo.write("plain.txt", "one\n");
    repo.commit();
    let changed: String = numbered(400).lines().enumerate().fold(String::new(), |mut text, (at, line)| {
        let mark = if at % 50 == 25 { " CHANGED" } else { "" };
        let _ = writeln!(text, "{line}{mark}");
        text
    });
    repo.write("long.rs", &changed);
    repo.write("Cargo.lock", "new\n");
    repo.write("secret.py", "key = \"sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMN\"\n");
    assert!(repo.git(&["add", "-A"]));
    let (_, changes) = Range::changes(&repo.at(), &Asked::Staged, 1 << 20).await.unwrap();
    let chunked = Chunked::new(&Known::default(), &changes, 1200, &[]);
    assert!(chunked.chunks.len() > 2, "{}", chunked.chunks.len());
    assert!(chunked.chunks.iter().all(|chunk| chunk.text.len() < 2400));
    let all: String = chunked.chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    for n in (26..=400).step_by(50) {
        assert_eq!(all.matches(&format!("{n} + line {n} CHANGED\n")).count(), 1, "line {n}");
        assert!(all.contains(&format!("{}   line {}\n", n - 12, n - 12)), "what stands before line {n}");
    }
    assert!(chunked.chunks.iter().any(|chunk| chunk.lines["long.rs"].contains(&26)));
    assert!(!all.contains("line 50\n"), "what is far from a change is not sent");
    assert_eq!((chunked.masked, all.contains("sk-proj")), (1, false), "secrets stay here");
    assert_eq!(chunked.unsent[0].files, ["Cargo.lock"]);
}

fn chunk(files: &[(&str, std::ops::RangeInclusive<usize>)]) -> Chunk {
    let lines = files.iter().map(|(name, lines)| ((*name).to_owned(), lines.clone().collect()));
    Chunk { text: "=== x\n".to_owned(), lines: lines.collect::<BTreeMap<_, _>>() }
}

fn found(file: &str, line: usize, severity: &str, title: &str) -> Value {
    json!({"file": file, "line": line, "severity": severity, "title": title, "detail": "why", "replacement": null})
}

/// Answers every call with the next of these, and bills each. [`HANGS`] and [`BREAKS`] begin and do not end.
struct Scripted {
    answers: Mutex<Vec<Result<String, u16>>>,
    prompts: Mutex<Vec<Value>>,
    /// Of the first call, the second, …, and all others; empty where it is not known.
    costs: &'static [&'static str],
}

const HANGS: &str = "hangs";
const BREAKS: &str = "breaks";

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<String, u16>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self { answers: Mutex::new(answers), prompts: Mutex::default(), costs: &["0.25"] }
    }
}

impl Operator for Scripted {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        Box::pin(async move {
            match ask {
                Ask::Request { .. } => {
                    let call = self.prompts.lock().unwrap().len().min(self.costs.len());
                    let cost = Some(self.costs[call - 1]).filter(|cost| !cost.is_empty());
                    Ok(Reply::Request(json!({"model": "m", "cost_usd": cost})))
                }
                _ => Err(Refusal::new("not asked here")),
            }
        })
    }

    fn call(&self, placed: Placed) -> Calling<'_> {
        let next = self.answers.lock().unwrap().pop().unwrap();
        self.prompts.lock().unwrap().push(serde_json::from_slice(&placed.body).unwrap());
        Box::pin(async move {
            let begun = next.clone().unwrap_or_default();
            let (status, text) = match next {
                Ok(text) => {
                    (200, json!({"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}))
                }
                Err(status) => (status, json!({"error": {"message": "no more"}})),
            };
            let mut headers = HeaderMap::new();
            headers.insert("x-keywheel-request-id", "id".parse().unwrap());
            let kind = if [HANGS, BREAKS].contains(&begun.as_str()) { "text/event-stream" } else { "application/json" };
            headers.insert("content-type", kind.parse().unwrap());
            let body: Pin<Box<dyn Stream<Item = _> + Send>> = match begun.as_str() {
                HANGS => Box::pin(stream::pending()),
                BREAKS => Box::pin(stream::empty()),
                _ => Box::pin(stream::iter([Ok(Bytes::from(text.to_string()))])),
            };
            Ok(Given { status: StatusCode::from_u16(status).unwrap(), headers, body })
        })
    }
}

fn reviewer<'a>(operator: &'a Scripted, most: Option<&str>) -> Reviewer<'a> {
    let most = most.map(|most| Money::parse(most).unwrap());
    Reviewer { operator, model: "m", parallel: 1, patience: Duration::from_secs(10), most, project: None }
}

/// With half a dollar and no time.
fn hasty(operator: &Scripted) -> Reviewer<'_> {
    Reviewer { patience: Duration::from_millis(30), ..reviewer(operator, Some("0.5")) }
}

#[tokio::test]
async fn of_twelve_findings_six_remain() {
    let first = json!([
        found("a.rs", 1, "high", "the lock is never released"),
        found("a.rs", 2, "critical", "The lock is never released!"),
        found("a.rs", 1, "low", "the lock is never released"),
        found("a.rs", 9, "medium", "an error is thrown away"),
        found("a.rs", 400, "high", "made up"),
        found("b.rs", 3, "low", "a name says the opposite"),
        {"file": "a.rs", "line": "nine", "severity": "high", "title": "no number"},
    ]);
    let second = json!({"findings": [
        found("c.rs", 5, "medium", "a race between check and use"),
        found("c.rs", 6, "medium", "race between the check and its use"),
        found("none.rs", 1, "high", "no such file"),
        found("c.rs", 20, "high", "overflow of the sum"),
        found("c.rs", 40, "low", "the comment is out of date"),
    ]});
    let operator = Scripted::new([
        Ok(format!("Here is what I found [see below]:\n```json\n{first}\n```\nGood luck!")),
        Ok(second.to_string()),
    ]);
    let chunks = [chunk(&[("a.rs", 1..=30), ("b.rs", 1..=5)]), chunk(&[("c.rs", 1..=50)])];
    let mut seen = Vec::new();
    let review = reviewer(&operator, None).read(&chunks, |done| seen.push(done)).await;
    let titles: Vec<&str> = review.findings.iter().map(|finding| finding.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "The lock is never released!",
            "overflow of the sum",
            "an error is thrown away",
            "a race between check and use",
            "a name says the opposite",
            "the comment is out of date"
        ]
    );
    assert_eq!((review.duplicates, review.invented, review.malformed), (3, 2, 1));
    assert_eq!((review.parts, review.read, review.failed.len(), seen), (2, 2, 0, vec![1, 2]));
    assert_eq!(review.cost_usd.as_deref(), Some("0.5"));
    assert!(review.has(Severity::Critical));
    let sent = operator.prompts.lock().unwrap();
    assert_eq!((sent.len(), &sent[0]["messages"][1]["content"]), (2, &json!("=== x\n")));
}

#[tokio::test]
async fn a_part_that_fails_is_named_and_so_is_what_the_budget_left_out() {
    let chunks = [chunk(&[("a.rs", 1..=3)]), chunk(&[("b.rs", 1..=3)]), chunk(&[("c.rs", 1..=3)])];
    let answers = [Err(500), Ok("I see nothing wrong.".to_owned()), Ok("[]".to_owned())];
    let review = reviewer(&Scripted::new(answers), None).read(&chunks, |_| ()).await;
    let failed: Vec<(&str, &str)> = review.failed.iter().map(|row| (row.files[0].as_str(), row.why.as_str())).collect();
    assert_eq!(
        failed,
        [("a.rs", "no more"), ("b.rs", "the answer holds no list of findings: \"I see nothing wrong.\"")]
    );
    assert_eq!((review.parts, review.read), (3, 1));
    let text = markdown(&review);
    assert!(text.contains("Only 1 of 3 parts were read") && text.contains("- a.rs: no more"), "{text}");

    let paid = Scripted::new([Ok("[]".to_owned()), Ok("[]".to_owned())]);
    let review = reviewer(&paid, Some("0.5")).read(&chunks, |_| ()).await;
    assert_eq!((review.read, review.failed.len()), (2, 1));
    assert!(review.failed[0].why.contains("the budget of"), "{:?}", review.failed);
}

#[tokio::test]
async fn a_budget_counts_what_nobody_waits_for_and_ends_where_a_cost_is_not_known() {
    let chunks = [chunk(&[("a.rs", 1..=3)]), chunk(&[("b.rs", 1..=3)]), chunk(&[("c.rs", 1..=3)])];
    let scripted = |answers: [&str; 3], costs| {
        let answers = answers.map(|answer| Ok(answer.to_owned()));
        Scripted { costs, ..Scripted::new(answers) }
    };
    let slow = scripted([HANGS, BREAKS, "[]"], &["0.25"]);
    let review = hasty(&slow).read(&chunks, |_| ()).await;
    let whys: Vec<&str> = review.failed.iter().map(|row| row.why.as_str()).collect();
    assert!(whys[0].contains("no answer within") && whys[1].contains("broke off"), "{whys:?}");
    assert!(whys[2].contains("allows no further part; $0.500000 is spent"), "{whys:?}");
    assert_eq!((review.cost_usd.as_deref(), review.cost_partial), (Some("0.5"), false));

    for begun in [HANGS, BREAKS] {
        let blind = scripted([begun, "[]", "[]"], &[""]);
        let review = hasty(&blind).read(&chunks, |_| ()).await;
        assert_eq!((blind.prompts.lock().unwrap().len(), review.read, review.failed.len()), (1, 0, 3), "{begun}");
        assert!(review.failed[1].why.contains("part's cost is not known"), "{:?}", review.failed);
    }

    let partly = scripted(["[]", BREAKS, "[]"], &["0.25", "", "0.25"]);
    let review = reviewer(&partly, None).read(&chunks, |_| ()).await;
    assert_eq!((review.read, review.cost_usd.as_deref(), review.cost_partial), (2, Some("0.5"), true));
    assert!(markdown(&review).contains("Cost: at least $0.5."), "{}", markdown(&review));
    // what was refused has cost nothing
    let refused = Scripted { costs: &[""], ..Scripted::new([Err(500)]) };
    assert!(!reviewer(&refused, None).read(&chunks[..1], |_| ()).await.cost_partial);
}

#[test]
fn an_answer_is_read_whatever_stands_around_it() {
    let chunk = chunk(&[("a.rs", 1..=3)]);
    let one = found("a.rs", 2, "HIGH", "x");
    for text in [
        format!("[{one}]"),
        format!("<think>[x] {{</think>\n[{one}]\n"),
        format!("{{\"findings\":[{one}]}}"),
        one.to_string(),
    ] {
        let sifted = sift(&text, &chunk).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((sifted.findings.len(), sifted.findings[0].severity), (1, Severity::High), "{text}");
    }
    for text in ["", "nothing", "[1, 2", "{\"a\":1}"] {
        assert_eq!(sift(text, &chunk), None, "{text}");
    }
}

fn suggestion(file: &str, lines: (usize, usize), replacement: &str) -> Finding {
    Finding {
        file: file.to_owned(),
        line: lines.0,
        end_line: lines.1,
        severity: Severity::Low,
        title: "t".to_owned(),
        detail: String::new(),
        replacement: Some(replacement.to_owned()),
        patch: None,
    }
}

#[tokio::test]
async fn each_patch_applies_and_what_cannot_apply_is_left_out() {
    let repo = Repo::new();
    repo.write("a.rs", &numbered(20));
    repo.write("end", "one\ntwo");
    repo.write("dos.txt", "one\r\ntwo\r\nthree\r\n");
    repo.commit();
    repo.write("dos.txt", "one\r\nTWO\r\nthree\r\n");
    repo.write("a.rs", &numbered(20).replace("line 10\n", "line ten\n"));
    repo.write("end", "one\nTWO");
    repo.write("new file.txt", "first\n");
    assert!(repo.git(&["add", "-A"]));
    // the index is what is reviewed: the working tree may have gone on
    repo.write("a.rs", "gone on\n");
    let git = repo.at();
    let (range, changes) = Range::changes(&git, &Asked::Staged, 1 << 20).await.unwrap();
    let mut patcher = Patcher::new(&git, &range, &changes);
    for (file, lines, text) in [
        ("a.rs", (10, 10), "line 10"),
        ("a.rs", (9, 11), "one line for three\n"),
        ("a.rs", (10, 10), ""),
        ("a.rs", (1, 1), "zero\nline 1"),
        ("a.rs", (20, 20), "the last"),
        ("end", (2, 2), "two"),
        ("end", (1, 2), "all"),
        ("new file.txt", (1, 1), "first\nsecond"),
        ("dos.txt", (2, 2), "2\n2½"),
    ] {
        let mut finding = suggestion(file, lines, text);
        assert!(patcher.fit(&mut finding).await, "{file} {lines:?} {text:?}");
        let patch = finding.patch.unwrap();
        std::fs::write(repo.path().join(".git/p"), &patch).unwrap();
        assert!(repo.git(&["apply", "--check", "--cached", ".git/p"]), "{patch}");
        assert!(file != "dos.txt" || patch.ends_with("-TWO\r\n+2\r\n+2½\r\n three\r\n"), "{patch:?}");
    }
    for (file, lines, text) in [
        ("a.rs", (10, 10), "line ten"),
        ("dos.txt", (2, 2), "TWO"),
        ("a.rs", (30, 30), "beyond the end"),
        ("a.rs", (10, 10), "key = [redacted]"),
        ("none", (1, 1), "x"),
    ] {
        let mut finding = suggestion(file, lines, text);
        assert!(!patcher.fit(&mut finding).await && finding.patch.is_none(), "{file} {lines:?} {text:?}");
    }
}

#[tokio::test]
async fn a_range_a_branch_and_uncommitted_changes_are_found_and_nothing_is_said_to_be_nothing() {
    let repo = Repo::new();
    repo.write("a", "1\n");
    repo.commit();
    let git = repo.at();
    let words = async |asked: Asked| {
        Range::changes(&git, &asked, 1 << 20).await.map(|(range, changes)| (range.words, changes.len()))
    };
    let nothing = words(Asked::Staged).await.unwrap_err().to_string();
    assert_eq!(nothing, "there is nothing to review: the staged changes hold no change");
    assert!(repo.git(&["switch", "-q", "-c", "work"]));
    repo.write("a", "2\n");
    assert_eq!(words(Asked::Anything).await.unwrap(), ("the changes that are not committed".to_owned(), 1));
    repo.commit();
    assert_eq!(words(Asked::Anything).await.unwrap(), ("what this branch adds to main".to_owned(), 1));
    assert_eq!(words(Asked::Branch).await.unwrap().1, 1);
    assert_eq!(words(Asked::Range("main..work".to_owned())).await.unwrap().1, 1);
    assert!(words(Asked::Range("--output=x".to_owned())).await.unwrap_err().to_string().contains("is no range"));
    assert!(words(Asked::Range("nowhere".to_owned())).await.is_err());
    assert!(!repo.path().join("x").exists());
}

#[test]
fn a_report_is_sarif_with_its_places_fixes_and_failures() {
    let mut finding = suggestion("src/a b.rs", (3, 4), "x");
    finding.patch = Some("p".to_owned());
    let missed = keywheel::workflows::review::Missed { files: vec!["c.rs".to_owned()], why: "no answer".to_owned() };
    let review = Review { findings: vec![finding], failed: vec![missed], ..Review::default() };
    let report = sarif(&review);
    let run = &report["runs"][0];
    assert_eq!((&report["version"], &run["results"][0]["level"]), (&json!("2.1.0"), &json!("note")));
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]["endLine"]), (&json!("src/a%20b.rs"), &json!(4)));
    assert_eq!(run["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "x");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
}
