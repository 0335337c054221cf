//! The errors that vendors document, as scripts for the lab: `errors/VENDOR.txt` holds one answer under each name.

use std::path::Path;

use keywheel::sim::Script;

/// One documented answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name below the vendor: `slow_down`.
    pub name: String,
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Row {
    /// The answer as a script.
    pub fn script(&self) -> Script {
        let script = Script::reply(self.status, "application/json", self.body.clone());
        self.headers.iter().fold(script, |script, (name, value)| script.header(name, value))
    }
}

/// One answer: `row("openai/slow_down")`.
pub fn row(path: &str) -> Row {
    let (vendor, name) = path.split_once('/').expect("vendor/name");
    let found = rows(vendor).into_iter().find(|row| row.name == name);
    found.unwrap_or_else(|| panic!("no answer is named {path}"))
}

/// All answers of a vendor.
pub fn rows(vendor: &str) -> Vec<Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/errors").join(format!("{vendor}.txt"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let rows: Vec<Row> = text.split("\n== ").skip(1).map(read).collect();
    assert!(!rows.is_empty(), "{} holds no answer", file.display());
    rows
}

fn read(section: &str) -> Row {
    let (head, body) = section.split_once("\n\n").expect("a blank line before the body");
    let mut lines = head.lines();
    let name = lines.next().expect("a name").trim().to_owned();
    let status = lines.next().and_then(|line| line.trim().parse().ok()).expect("a status");
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_owned(), value.to_owned())
    };
    Row { name, status, headers: lines.map(header).collect(), body: body.trim_end().to_owned() }
}
