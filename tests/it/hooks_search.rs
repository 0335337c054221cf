//! The search of what is staged: local, without a gateway, and it never shows what it finds.

use std::os::unix::net::UnixListener;

use crate::hooks_rig::{Bench, planted};

#[test]
fn a_planted_key_is_stopped_even_with_a_message_and_without_a_gateway() {
    let bench = Bench::with("unsearched = [\"fixtures/*\"]\n");
    let repo = bench.repo("r");
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    bench.rig.keywheel.run(["stop"]);
    let key = planted();
    repo.stage("fine.txt", "nothing here, ann@example.com, +49 30 901820\n");
    repo.git(["commit", "-m", "fine"]).done();
    repo.write("src/a.rs", format!("one\ntwo\nlet token = \"{key}\";\nfour\n"));
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQabcdefgh\n".repeat(20);
    repo.write("id.pem", format!("x\n-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"));
    repo.git(["add", "."]).done();
    let stopped = repo.git(["commit", "-m", "by hand"]);
    assert_eq!(stopped.code, 1, "{stopped:?}");
    for line in ["src/a.rs:3: github-", "id.pem:2: ", "keywheel:allow"] {
        assert!(stopped.err.contains(line), "{line} in {stopped:?}");
    }
    assert_eq!(stopped.err.matches("id.pem:").count(), 1, "a key of many lines is one finding: {stopped:?}");
    assert!(!stopped.err.contains("ghp_") && !stopped.err.contains("MIIE"), "{stopped:?}");
    assert_eq!(repo.message(), "fine");

    // what is not staged is not looked at, what is allowed or excepted passes, and so does what leaves
    repo.git(["reset", "-q"]).done();
    repo.git(["commit", "-m", "nothing of it", "--allow-empty"]).done();
    std::fs::remove_file(repo.path.join("id.pem")).unwrap();
    repo.stage("src/a.rs", format!("let token = \"{key}\"; // an example, keywheel:allow\n"));
    repo.stage("fixtures/b.rs", format!("let token = \"{key}\";\n"));
    repo.git(["commit", "-m", "allowed"]).done();
    repo.git(["rm", "-q", "fixtures/b.rs"]).done();
    repo.git(["commit", "-m", "gone"]).done();
    assert_eq!(bench.calls(), 0);
}

#[test]
fn a_line_that_was_there_is_not_told_again_and_a_name_in_the_line_above_counts() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let key = planted();
    repo.stage("old.txt", format!("{key}\ntwo\n"));
    repo.git(["commit", "-m", "before the hook"]).done();
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    repo.stage("old.txt", format!("{key}\ntwo changed\n"));
    repo.git(["commit", "-m", "beside it"]).done();
    let found = |text: &str| {
        repo.stage("new.txt", text);
        let ended = repo.keywheel(["hook", "run", "pre-commit"]);
        (ended.code, ended.out)
    };
    assert_eq!(found("plain\n"), (0, String::new()));
    let (code, out) = found(&format!("a\r\nb\r\n{key}\r\n"));
    assert!(code == 1 && out.starts_with("new.txt:3: "), "{out}");
    let (code, out) = found(&format!("{}{key}\n", "x\n".repeat(5000)));
    assert!(code == 1 && out.starts_with("new.txt:5001: "), "{out}");
}

#[test]
fn keys_of_ones_own_accounts_are_known_and_broken_settings_do_not_stop_the_search() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    repo.stage("a.txt", "value = lab-own-key-without-any-mark\n");
    let run = |config: &str| {
        let file = repo.write("../other.toml", config);
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut command = repo.command(env!("CARGO_BIN_EXE_keywheel"));
        command
            .args(["hook", "run", "pre-commit"])
            .env("KEYWHEEL_CONFIG", file)
            .env("OWN", "lab-own-key-without-any-mark");
        let ended = command.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
    };
    assert_eq!(run(""), (Some(0), String::new()));
    let account = "[[accounts]]\nid = \"x\"\nprovider = \"sim\"\nsecret = { env = \"OWN\" }\n";
    assert_eq!(run(account), (Some(1), "a.txt:1: known-secret\n".to_owned()));
    repo.stage("b.txt", format!("{}\n", planted()));
    let (code, out) = run("[commit]\nnonsense = 1\n");
    assert!(code == Some(1) && out.starts_with("b.txt:1: "), "{out}");
    // it never looks for the gateway: one that hangs changes nothing
    let _hanging = UnixListener::bind(repo.path.join("../run.sock")).unwrap();
    assert_eq!(run("").0, Some(1));
    let outside = repo.at(repo.path.parent().unwrap()).keywheel(["hook", "run", "pre-commit"]);
    assert!(outside.failed(1).contains("no git repository"));
}

/// The commands that the examples for other managers of hooks run are understood.
#[test]
fn the_entries_for_pre_commit_and_lefthook_run_what_there_is() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let mut commands = 0;
    for (file, mark) in [("lefthook.yml", "run: "), ("pre-commit-config.yaml", "entry: ")] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let _: serde_json::Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for command in text.lines().filter_map(|line| line.trim().strip_prefix(mark)) {
            let words = command.strip_prefix("keywheel ").unwrap().replace("{0}", "x message");
            repo.keywheel(words.split(' ')).done();
            commands += 1;
        }
    }
    assert_eq!(commands, 4);
    // the framework hands on the file alone, and the rest by its environment
    repo.stage("a.txt", "a\n");
    let file = repo.write("../msg", "there already\n");
    let mut run = repo.command(env!("CARGO_BIN_EXE_keywheel"));
    run.args(["hook", "run", "prepare-commit-msg", file.to_str().unwrap()])
        .env("PRE_COMMIT_COMMIT_MSG_SOURCE", "message");
    assert!(run.output().unwrap().status.success());
    assert_eq!((std::fs::read_to_string(file).unwrap().as_str(), bench.calls()), ("there already\n", 0));
}
