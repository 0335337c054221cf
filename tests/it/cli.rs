//! The command line: what it understands, what its help says, and how its output may be used.

use std::process::Stdio;

use keywheel::cli::{self, ClientVerb, Command, Exit, Verb};

use crate::home_support::{Home, Ran, program};

fn parse(words: &str) -> Result<Command, Exit> {
    cli::parse(std::iter::once("keywheel").chain(words.split_whitespace()).map(Into::into))
}

fn help(words: &[&str]) -> String {
    Ran::of(program(words).output().unwrap()).done()
}

/// Every verb with its words, found in the help texts themselves.
fn verbs() -> Vec<Vec<String>> {
    let below = |path: &[String]| -> Vec<String> {
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        words.push("--help");
        let text = help(&words);
        let Some((_, list)) = text.split_once("Commands:\n") else { return Vec::new() };
        list.lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect()
    };
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let inner = below(&path);
        if inner.is_empty() {
            found.push(path.clone());
        }
        open.extend(inner.into_iter().map(|verb| [path.clone(), vec![verb]].concat()));
    }
    found.sort();
    found
}

#[test]
fn every_verb_has_help_that_fits_a_terminal_and_a_place_in_the_manual() {
    let verbs = verbs();
    assert!(verbs.len() > 20, "{verbs:?}");
    let manual = help(&["man"]);
    for verb in verbs {
        let mut words: Vec<&str> = verb.iter().map(String::as_str).collect();
        words.push("--help");
        let text = help(&words);
        let about = text.lines().next().unwrap();
        assert!(
            about.len() > 10 && !about.ends_with('.') && about.starts_with(char::is_uppercase),
            "{words:?}: {about}"
        );
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{words:?}: {line}");
        }
        let section = format!(".SH \"KEYWHEEL {}\"", verb.join(" ").to_uppercase());
        assert!(manual.contains(&section), "{section}");
    }
}

#[test]
fn the_examples_in_the_help_are_understood() {
    let mut count = 0;
    for verb in verbs() {
        let mut words: Vec<&str> = verb.iter().map(String::as_str).collect();
        words.push("--help");
        let text = help(&words);
        let examples = text.lines().filter_map(|line| line.strip_prefix("  keywheel "));
        for example in examples {
            // up to the pipe, the redirection, or the words that explain it
            let end = ["   ", " | ", " > "].iter().filter_map(|mark| example.find(mark)).min().unwrap_or(example.len());
            let command = example[..end].replace('\'', "");
            let understood = parse(&command);
            assert!(understood.is_ok(), "{verb:?}: {command}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count}");
}

#[test]
fn the_exit_codes_are_documented() {
    let text = help(&["--help"]);
    for exit in Exit::ALL {
        assert!(text.contains(&format!("  {}  {}", exit.code(), exit.meaning())), "{exit:?}");
    }
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2_and_words_on_stderr() {
    for words in [&["nonsense"][..], &["serve", "--nonsense"], &["client", "add"], &["requests", "--limit", "0"], &[]] {
        let words = Ran::of(program(words).output().unwrap()).failed(2);
        assert!(words.contains("--help") || words.contains("Usage"), "{words}");
    }
}

#[test]
fn times_are_a_number_and_a_unit() {
    for (text, seconds) in [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("0s", 0)] {
        let Verb::Client(ClientVerb::Add(client)) = parse(&format!("client add x --ttl {text}")).unwrap().verb else {
            panic!("another verb")
        };
        assert_eq!(client.ttl.unwrap().as_secs(), seconds);
    }
    for text in ["30", "d", "1.5h", "-1s", "5w", "99999999999d"] {
        assert_eq!(parse(&format!("client add x --ttl={text}")), Err(Exit::Usage), "{text}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let home = Home::new();
    for words in [&["man"][..], &["completions", "bash"], &["config", "schema"], &["provider", "list"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = home.command(words).stdout(Stdio::from(writer)).stderr(Stdio::piped()).spawn().unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
    }
}

#[test]
fn a_closed_stderr_is_no_error_either() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = home.command(&["requests"]).stdout(Stdio::piped()).stderr(Stdio::from(writer)).spawn().unwrap();
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).code, 0);
}

#[test]
fn output_that_is_no_terminal_has_no_colours() {
    let home = Home::new();
    for words in [&["--help"][..], &["provider", "list"], &["nonsense"]] {
        let ran = home.run(words);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{ran:?}");
    }
}

#[test]
fn a_client_key_is_shown_once_on_stdout_and_is_not_in_any_list() {
    let home = Home::new();
    let ran = home.run(&["client", "add", "ci", "--models", "lab/*", "--ttl", "30d", "--rpm", "60", "--hide-account"]);
    assert!(ran.err.contains("cannot be shown again"), "{ran:?}");
    let key = ran.done();
    let secret = key.trim().rsplit('-').next().unwrap().to_owned();
    assert!(key.starts_with("kw-") && key.lines().count() == 1, "{key}");

    let row: serde_json::Value = serde_json::from_str(&home.run(&["client", "list", "--json"]).done()).unwrap();
    assert_eq!((&row["name"], &row["models"][0], &row["rpm"]), (&"ci".into(), &"lab/*".into(), &60.into()));
    assert_eq!(row["hide_account"], true);
    let table = home.run(&["client", "list"]).done();
    assert!(table.contains("ci") && table.contains("lab/*"), "{table}");
    assert!(!row.to_string().contains(&secret) && !table.contains(&secret));

    let rotated = home.run(&["client", "rotate", "ci", "--overlap", "1h"]).done();
    assert_ne!(rotated, key);
    assert!(home.run(&["client", "add", "ci"]).failed(1).contains("rotate"));
    home.run(&["client", "rm", "ci"]).done();
    assert!(home.run(&["client", "rm", "ci"]).failed(1).contains("client list"));
    assert!(home.run(&["client", "list"]).err.contains("keywheel client add NAME"));
}

#[test]
fn a_new_client_works_at_once_and_a_removed_one_stops_within_a_second_or_so() {
    use crate::home_support::{chat, eventually, streamed};
    let home = Home::new();
    let gateway = home.serve();
    let key = home.run(&["client", "add", "ci", "--models", "sim/echo"]).done();
    let call = |model: &str| chat(&gateway.address(), key.trim(), &streamed(model));
    eventually("the key works", || call("sim/echo").starts_with("HTTP/1.1 200"));
    assert!(call("sim/tools").starts_with("HTTP/1.1 403"), "outside of its scope");
    home.run(&["client", "rm", "ci"]).done();
    eventually("the key is refused", || call("sim/echo").starts_with("HTTP/1.1 401"));
}

#[test]
fn calls_are_listed_under_stable_names_and_found_by_the_beginning_of_their_id() {
    use crate::home_support::{chat, streamed};
    let home = Home::new();
    let gateway = home.serve();
    let key = std::fs::read_to_string(home.state("client.key")).unwrap();
    chat(&gateway.address(), key.trim(), &streamed("sim/echo"));
    chat(&gateway.address(), key.trim(), &streamed("nowhere/model"));

    let list = home.run(&["requests", "--json"]).done();
    let rows: Vec<serde_json::Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{list}");
    let good = &rows[1];
    for (name, value) in
        [("client", "default"), ("endpoint", "chat/completions"), ("provider", "sim"), ("model", "echo")]
    {
        assert_eq!(good[name], value, "{good}");
    }
    assert!(good["account"].as_str().unwrap().starts_with("sim-"), "{good}");
    assert_eq!((&good["status"], &good["stream"], &good["attempts"]), (&200.into(), &true.into(), &1.into()));
    assert!(good["parked_ms"].is_u64() && good["at"].is_string(), "{good}");
    assert_eq!(rows[0]["status"], 404, "{}", rows[0]);

    assert_eq!(home.run(&["requests", "--json", "--limit", "1"]).done().lines().count(), 1);
    let failed = home.run(&["requests", "--json", "--failed"]).done();
    assert!(failed.lines().count() == 1 && failed.contains("404"), "{failed}");

    let id = good["id"].as_str().unwrap();
    let record: serde_json::Value = serde_json::from_str(&home.run(&["requests", id, "--json"]).done()).unwrap();
    assert_eq!(record["tries"][0]["status"], 200, "{record}");
    let shown = home.run(&["requests", id]).done();
    assert!(shown.contains("tries:") && shown.contains("sim/echo"), "{shown}");
    assert!(home.run(&["requests", &id[..4]]).failed(1).contains("give more of the id"));
    assert!(home.run(&["requests", "ffffffff"]).failed(1).contains("no call has an id"));
}

#[test]
fn models_say_why_they_can_or_cannot_be_called() {
    let home = Home::new();
    let _gateway = home.serve();
    let list = home.run(&["model", "list", "--json"]).done();
    assert!(list.lines().all(|line| line.contains(r#""callable":true"#)), "{list}");
    let why = home.run(&["model", "list", "--why"]).done();
    let row =
        |id: &str| why.lines().find(|line| line.starts_with(id)).unwrap_or_else(|| panic!("{id} in {why}")).to_owned();
    assert!(row("sim/echo").contains("2 of 2 accounts ready"));
    assert!(row("openai/*").contains("set OPENAI_API_KEY"));
}

#[test]
fn accounts_are_listed_under_stable_names() {
    let home = Home::new();
    let _gateway = home.serve();
    let row: serde_json::Value =
        serde_json::from_str(home.run(&["account", "list", "--json"]).done().lines().next().unwrap()).unwrap();
    let names: Vec<&String> = row.as_object().unwrap().keys().collect();
    for name in ["id", "provider", "quota_group", "state", "reason", "since", "until"] {
        assert!(names.iter().any(|other| *other == name), "{name} in {row}");
    }
    assert_eq!(row["state"], "ready");
    let id = row["id"].as_str().unwrap();
    assert!(home.run(&["account", "show", id]).done().contains("sim"));
    assert!(home.run(&["account", "show", "nobody"]).failed(1).contains("account list"));
}

#[test]
fn providers_are_shown_and_checked_without_a_gateway() {
    let home = Home::new();
    let list = home.run(&["provider", "list", "--json"]).done();
    assert!(list.lines().count() >= 14, "{list}");
    let one: serde_json::Value =
        serde_json::from_str(&home.run(&["provider", "show", "groq", "--json"]).done()).unwrap();
    assert_eq!(one["id"], "groq");
    assert!(home.run(&["provider", "show", "grok"]).failed(1).contains("provider list"));

    let file = home.path().join("mine.toml");
    std::fs::write(&file, "name = \"Mine\"\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n").unwrap();
    let path = file.to_str().unwrap();
    assert!(home.run(&["provider", "check", path]).err.contains("mine is a valid provider"));
    std::fs::write(&file, "adapter = \"openai\"\nbase_uri = \"http://127.0.0.1:9/v1\"\n").unwrap();
    let words = home.run(&["provider", "check", path]).failed(4);
    assert!(words.contains("mine.toml:2") && words.contains("base_url"), "{words}");
}

#[test]
fn settings_are_shown_with_their_origin_set_and_taken_back() {
    let home = Home::new();
    home.configure("# mine\n[parking]\nmax_wait = \"5s\" # short\n");
    let shown = home.run(&["config", "show", "--origin"]).done();
    assert!(shown.contains("parking.max_wait = \"5s\"  # user ") && shown.contains("keywheel.toml:3"), "{shown}");
    home.run(&["config", "set", "parking.max_wait", "7s"]).done();
    let file = home.path().join("config/keywheel.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n[parking]\nmax_wait = \"7s\" # short\n");
    let words = home.run(&["config", "set", "parking.max_wat", "7s"]).failed(4);
    assert!(words.contains("max_wait"), "{words}");
    home.run(&["config", "undo"]).done();
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"5s\" # short"));
    assert_eq!(home.run(&["config", "path"]).done().trim(), file.to_str().unwrap());
    let schema: serde_json::Value = serde_json::from_str(&home.run(&["config", "schema"]).done()).unwrap();
    assert!(schema["properties"]["parking"].is_object());
}

#[test]
fn completions_know_the_verbs_of_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = help(&["completions", shell]);
        assert!(text.contains("requests") && text.contains("no-discover"), "{shell}");
    }
}
