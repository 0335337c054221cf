//! The house rules that no type can carry: who may import whom, where a secret may be read, where a vendor may be
//! named, how long a file may be. Each failure names the file, the line and the rule.

mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokens::{Token, tokens};

/// The only files in which a secret leaves its wrapper, and what for.
const EXPOSE: [(&str, &str); 12] = [
    ("src/kit/secret.rs", "defines it"),
    ("src/operator/handed.rs", "writes it into a question over the home's own socket"),
    ("src/vault/", "reads secrets from where they rest"),
    ("src/gateway/upstream.rs", "attaches it to a request"),
    ("src/gateway/upstream/", "attaches it to a request"),
    ("src/accounts/refresh/code.rs", "makes and reads the address of a login page"),
    ("src/gateway/exchange/", "sends it to an identity provider"),
    ("src/redact/", "must know it to mask it"),
    ("src/serve/keys/text.rs", "hashes a new client key"),
    ("src/serve/keys/first.rs", "writes the first client key into client.key"),
    ("src/telemetry/collector.rs", "sends it to a collector, as one of its headers"),
    ("src/app/clients.rs", "prints a new client key, this once"),
];

/// The only files outside the adapters, `sim` and the data in which a vendor may be named, which ones, and what for.
const NAMES: [(&str, &[&str], &str); 10] = [
    ("src/catalog/price_shipped.rs", &[], "embeds the price files of all"),
    ("src/catalog/provider.rs", &["openai", "azure", "xai", "deepseek"], "the names by which data picks an adapter"),
    ("src/catalog/shipped.rs", &[], "embeds the files of all"),
    ("src/catalog/stanza.rs", &["openai"], "a hint names the usual dialect"),
    ("src/gateway/attempt.rs", &["openai"], "response headers of the dialect"),
    ("src/redact/rules/cloud.rs", &["azure"], "the marks by which its keys are known"),
    ("src/redact/rules/labs.rs", &[], "the marks by which all their keys are known"),
    ("src/serve/routes.rs", &["openai"], "inbound paths of a client's SDK"),
    ("src/telemetry/genai.rs", &["openai"], "a name of the conventions"),
    ("src/serve/target.rs", &["openai"], "inbound paths of a client's SDK"),
];

/// Vendors to come, and words of the shipped ids that are no vendor's: `sim` is our own room, `together` is English.
const MORE_VENDORS: [&str; 2] = ["anthropic", "gemini"];
const NO_VENDORS: [&str; 2] = ["sim", "together"];

/// No file is longer, unless its first lines say `long because …`.
const LINES: usize = 400;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, by its path from the root.
fn rust_files(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The table in `lib.rs`: each room, in order, with the rooms it may import.
fn plan() -> Vec<(String, Vec<String>)> {
    let source = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | ")).filter(|row| !row.starts_with("module"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let (room, imports) = (cells.next().unwrap(), cells.next().unwrap());
        (room.to_owned(), imports.split_whitespace().map(str::to_owned).collect())
    })
    .collect()
}

/// The room that a file belongs to; `lib` and `main` are none.
fn room(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    Some(inner.split_once('/')?.0)
}

/// The rooms that a file names with `crate::`, with the lines where it does.
fn imports(source: &str) -> Vec<(usize, String)> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    for at in 0..tokens.len().saturating_sub(2) {
        let [(_, Token::Word(word)), (_, Token::Sign("::")), (line, next)] = &tokens[at..at + 3] else { continue };
        if word != "crate" {
            continue;
        }
        match next {
            Token::Word(room) => found.push((*line, room.clone())),
            Token::Sign("{") => found.extend(group(&tokens[at + 3..])),
            _ => found.push((*line, "*".to_owned())),
        }
    }
    found
}

/// The first segments in `{kit::Time, wire::{Call, Json}}`, read from behind the opening brace.
fn group(tokens: &[(usize, Token)]) -> Vec<(usize, String)> {
    let (mut depth, mut first, mut found) = (1, true, Vec::new());
    for (line, token) in tokens {
        match token {
            Token::Sign("{") => depth += 1,
            Token::Sign("}") if depth == 1 => break,
            Token::Sign("}") => depth -= 1,
            Token::Sign(",") => first = depth == 1,
            Token::Word(word) if first && depth == 1 => {
                found.push((*line, word.clone()));
                first = false;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn a_row_of_the_floor_plan_lists_only_rows_above_it() {
    let plan = plan();
    assert!(plan.len() > 15, "the table in src/lib.rs was not found: {plan:?}");
    for (at, (room, imports)) in plan.iter().enumerate() {
        for import in imports {
            let above = plan[..at].iter().any(|(other, _)| other == import);
            assert!(above, "src/lib.rs: the row of {room} lists {import}, which is no row above it");
        }
    }
}

#[test]
fn the_floor_plan_has_a_row_for_every_room() {
    let mut rows: Vec<String> = plan().into_iter().map(|(room, _)| room).collect();
    let mut rooms: Vec<String> = rust_files("src").keys().filter_map(|path| room(path)).map(str::to_owned).collect();
    rows.sort();
    rooms.dedup();
    assert_eq!(rows, rooms, "the table in src/lib.rs and the folders of src/ differ");
}

#[test]
fn a_room_imports_only_what_its_row_lists() {
    let plan: BTreeMap<String, Vec<String>> = plan().into_iter().collect();
    let mut wrong = Vec::new();
    for (path, source) in rust_files("src") {
        let Some(room) = room(&path) else { continue };
        let allowed = plan.get(room).unwrap_or_else(|| panic!("{path}: no row for {room}"));
        for (line, import) in imports(&source) {
            if import != room && import != "self" && !allowed.contains(&import) {
                wrong.push(format!(
                    "{path}:{line}: {room} may not import {import}; its row lists {}",
                    allowed.join(" ")
                ));
            }
        }
        // a chain of `super` long enough to leave the room would be an import that `crate::` does not show
        let depth = path.matches('/').count() - usize::from(path.ends_with("/mod.rs"));
        let climbs = if depth == 1 { leaves(&source) } else { source.contains(&"super::".repeat(depth)) };
        if climbs {
            wrong.push(format!("{path}: leaves its room through super; write crate::"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether the root file of a room reaches for its parent, outside of an inner module.
fn leaves(source: &str) -> bool {
    source.lines().any(|line| line.starts_with("use super::"))
}

#[test]
fn a_secret_is_exposed_only_in_the_listed_files() {
    let mut wrong = Vec::new();
    for (path, source) in rust_files("src") {
        if EXPOSE.iter().any(|(allowed, _)| path.starts_with(allowed)) {
            continue;
        }
        for (line, token) in tokens(&source) {
            if token == Token::Word("expose".to_owned()) {
                wrong.push(format!("{path}:{line}: a secret may not be exposed here"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The ids of the shipped providers, and vendors to come.
fn vendors() -> Vec<String> {
    let files = fs::read_dir(root().join("providers")).unwrap();
    let shipped = files.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_file()));
    let ids =
        shipped.map(|entry| Path::new(&entry.unwrap().file_name()).file_stem().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = ids.filter(|id| !NO_VENDORS.contains(&id.as_str())).collect();
    names.extend(MORE_VENDORS.map(str::to_owned));
    names
}

/// The words of a name or a text in lower case with a dash on either side of each: `XaiKey or_x` → `-xai-key-or-x-`.
fn dashed(text: &str) -> String {
    let mut words = "-".to_owned();
    for c in text.chars() {
        let ends = if c.is_alphanumeric() { c.is_uppercase() && words.ends_with(char::is_lowercase) } else { true };
        if ends && !words.ends_with('-') {
            words.push('-');
        }
        if c.is_alphanumeric() {
            words.push(c);
        }
    }
    (words + "-").to_lowercase()
}

#[test]
fn a_vendor_is_named_only_in_adapters_sim_and_data() {
    let vendors = vendors();
    let mut wrong = Vec::new();
    for (path, source) in rust_files("src") {
        if path.starts_with("src/adapter/") || path.starts_with("src/sim/") {
            continue;
        }
        for (line, token) in tokens(&source) {
            let (Token::Word(text) | Token::Text(text)) = &token else { continue };
            let words = dashed(text);
            for vendor in vendors.iter().filter(|vendor| words.contains(&format!("-{vendor}-"))) {
                let names = |names: &[&str]| names.is_empty() || names.contains(&vendor.as_str());
                let excused = NAMES.iter().any(|(file, listed, _)| *file == path && names(listed));
                if !excused {
                    wrong
                        .push(format!("{path}:{line}: names the vendor {vendor}; make it data, or put it in adapter/"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_400_lines_without_a_reason() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for (path, source) in rust_files(folder) {
            let lines = source.lines().count();
            let excused = source.lines().take(6).any(|line| line.contains("long because"));
            if lines > LINES && !excused {
                wrong.push(format!("{path}: {lines} lines; split it, or say `long because …` in its first lines"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_rules_see_through_comments_strings_and_groups() {
    let source = r##"
        // crate::comment and 'a
        use crate::{kit::{Secret, Time}, wire};
        fn f<'a>(x: &'a str) -> char { let _ = "crate::text \" // no"; let _ = r#"crate::raw ""#; '\'' }
        fn g() { crate::serve::open('"') }
    "##;
    let rooms: Vec<String> = imports(source).into_iter().map(|(_, room)| room).collect();
    assert_eq!(rooms, ["kit", "wire", "serve"]);
    assert_eq!(dashed("XaiKey is: github-models/x_DEEPSEEK"), "-xai-key-is-github-models-x-deepseek-");
}
