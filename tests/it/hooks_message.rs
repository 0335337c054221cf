//! The message hook in real repositories: when it writes, what it keeps, when it stays away.

use std::time::{Duration, Instant};

use keywheel::sim::lab::Script;
use serde_json::{Value, json};

use crate::hooks_rig::{Bench, MESSAGE, Repo, planted, says};

fn installed(bench: &Bench) -> Repo {
    let repo = bench.repo("r");
    repo.keywheel(["hook", "install"]).done();
    repo
}

#[test]
fn a_bare_commit_gets_a_message_that_knows_branch_subjects_and_diff() {
    let bench = Bench::new();
    let repo = installed(&bench);
    repo.git(["switch", "-q", "-c", "greet/ABC-12"]).done();
    repo.stage("greet.rs", "fn greet() { say(\"hello\") }\n");
    let ended = repo.git(["commit"]);
    assert!(ended.err.contains("keywheel: message by lab/gpt-4o-mini"), "{ended:?}");
    assert_eq!((ended.code, repo.message().as_str()), (0, MESSAGE));
    let asked = bench.asked();
    for part in [
        "Branch: greet/ABC-12\n",
        "Last subjects:\nchore: begin\n",
        "A greet.rs (+1 -0)\n",
        "+fn greet() { say(\"hello\") }\n",
    ] {
        assert!(asked.contains(part), "{part:?} in {asked}");
    }
    let row = repo.keywheel(["requests", "--json", "--limit", "1"]).done();
    assert!(row.contains("\"client\":\"local\""), "{row}");
    let cost = repo.keywheel(["cost", "--by", "project", "--json"]).done();
    assert!(cost.contains("\"key\":\"r\""), "{cost}");
}

#[test]
fn the_first_commit_and_a_detached_head_get_messages_too() {
    let bench = Bench::new();
    let repo = bench.empty("first");
    repo.keywheel(["hook", "install"]).done();
    repo.stage("a.txt", "a\n");
    repo.git(["commit"]).done();
    assert_eq!(repo.message(), MESSAGE);
    assert!(!bench.asked().contains("Last subjects"), "{}", bench.asked());

    repo.git(["checkout", "-q", "--detach"]).done();
    repo.stage("b.txt", "b\n");
    repo.git(["commit"]).done();
    assert_eq!(repo.message(), MESSAGE);
    assert!(!bench.asked().contains("Branch:"), "{}", bench.asked());
    assert_eq!(bench.calls(), 2);
}

#[test]
fn a_message_that_is_there_already_stays() {
    let bench = Bench::new();
    let repo = installed(&bench);
    repo.stage("m.txt", "m\n");
    repo.git(["commit", "-m", "by hand"]).done();
    assert_eq!(repo.message(), "by hand");
    repo.stage("f.txt", "f\n");
    let file = repo.write("../message", "from a file\n");
    repo.git(["commit", "-F", file.to_str().unwrap()]).done();
    assert_eq!(repo.message(), "from a file");
    repo.stage("f.txt", "g\n");
    repo.git(["commit", "--amend"]).done();
    assert_eq!(repo.message(), "from a file");

    repo.git(["switch", "-q", "-c", "side", "HEAD~1"]).done();
    repo.stage("s.txt", "s\n");
    repo.git(["commit", "-m", "side"]).done();
    repo.git(["merge", "--no-ff", "--edit", "main"]).done();
    assert!(repo.message().starts_with("Merge branch 'main'"), "{}", repo.message());
    repo.git(["switch", "-q", "main"]).done();
    repo.git(["merge", "--squash", "side"]).done();
    repo.git(["commit"]).done();
    assert!(repo.message().starts_with("Squashed commit"), "{}", repo.message());

    repo.git(["switch", "-q", "side"]).done();
    repo.git(["rebase", "--force-rebase", "HEAD~1"]).done();
    let words = repo.message();
    let mut reword = repo.command("git");
    reword.args(["rebase", "-i", "HEAD~1"]).env("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/reword/");
    let reworded = reword.output().unwrap();
    assert!(reworded.status.success(), "{reworded:?}");
    assert_eq!(repo.message(), words, "the editor changed nothing, and neither did we");
    repo.git(["revert", "--no-edit", "HEAD"]).done();
    assert!(repo.message().starts_with("Revert "), "{}", repo.message());
    repo.git(["cherry-pick", "main~1"]).done();
    repo.git(["commit", "--allow-empty", "-C", "HEAD"]).done();
    repo.git(["commit", "--allow-empty", "--fixup", "HEAD"]).done();
    assert!(repo.message().starts_with("fixup! "), "{}", repo.message());
    assert_eq!(bench.calls(), 0, "{}", bench.heard());
}

#[test]
fn a_stop_in_the_middle_of_a_rebase_is_left_alone() {
    let bench = Bench::new();
    let repo = installed(&bench);
    repo.stage("x.txt", "x\n");
    repo.git(["commit", "-m", "x"]).done();
    let edit = ["rebase", "-i", "HEAD~1"];
    let stopped = repo.command("git").args(edit).env("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/edit/").output().unwrap();
    assert!(stopped.status.success());
    repo.stage("y.txt", "y\n");
    assert!(repo.git(["commit"]).failed(1).contains("empty commit message"));
    assert_eq!(bench.calls(), 0);
}

#[test]
fn the_template_and_gits_comments_are_kept() {
    let bench = Bench::new();
    let repo = installed(&bench);
    let template = repo.write("../template", "\nTicket: \n# say why\n");
    repo.git(["config", "commit.template", template.to_str().unwrap()]).done();
    repo.stage("t.txt", "t\n");
    let seen = repo.path.join("../seen");
    let editor = format!("sh -c 'cat \"$1\" > {}' -", seen.display());
    let ended = repo.command("git").args(["commit", "--verbose"]).env("GIT_EDITOR", editor).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let file = std::fs::read_to_string(seen).unwrap();
    assert!(file.starts_with(&format!("{MESSAGE}\n\nTicket: \n# say why\n")), "{file}");
    for part in ["# On branch main", ">8", "diff --git a/t.txt b/t.txt"] {
        assert!(file.contains(part), "{part:?} in {file}");
    }
    assert_eq!(repo.message(), format!("{MESSAGE}\n\nTicket:"));
}

#[test]
fn trailers_join_those_of_git_and_the_styles_are_said() {
    let bench = Bench::with("trailers = [\"AI-Model\", \"AI-Cost\"]\nprompt = \"Write in Latin.\"\n");
    let repo = installed(&bench);
    repo.stage("t.txt", "t\n");
    repo.git(["commit", "--signoff"]).done();
    // this provider has no price, so there is no cost to tell
    let ends = "\n\nSigned-off-by: Ann <ann@example.com>\nAI-Model: lab/gpt-4o-mini";
    assert_eq!(repo.message(), format!("{MESSAGE}{ends}"));
    assert!(bench.heard().contains("Write in Latin."));
    assert!(!bench.heard().contains("Conventional"));
}

#[test]
fn the_trailers_say_the_exact_cost_and_the_model_that_answered() {
    let bench = Bench::with(
        "model = \"mine\"\ntrailers = [\"AI-Cost\", \"AI-Model\"]\n[models.mine]\nroute = [\"lab/none\", \"lab/gpt-4o-mini\"]\n",
    );
    bench.price(
        "provider = \"lab\"\n[[models]]\nid = \"gpt-4o-mini\"\n\
         rates = [{ input = \"1\", output = \"10\", reasoning = \"20\", cache_read = \"0.5\" }]\n",
    );
    let repo = installed(&bench);
    let used = |usage: &Value| {
        let delta = json!({"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": MESSAGE}, "finish_reason": "stop"}]});
        let usage = json!({"model": "gpt-4o-mini", "choices": [], "usage": usage});
        Script::events([format!("data: {delta}\n\n"), format!("data: {usage}\n\n"), "data: [DONE]\n\n".to_owned()])
    };
    let missing = || Script::json(404, &json!({"error": {"message": "no such model", "code": "model_not_found"}}));
    let (plain, thinking) = (
        json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}),
        json!({"prompt_tokens": 1000, "completion_tokens": 60, "total_tokens": 1060,
            "prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 50}}),
    );
    bench.rig.lab.on_any().clear();
    let _ = bench.rig.lab.on_any().then(missing()).then(used(&plain)).then(used(&thinking));
    // millionths of a dollar: 1000 + 10·10, then 600 + 400/2 + 10·10 + 50·20
    for (number, cost) in [(1, "0.0011"), (2, "0.0019")] {
        repo.stage("t.txt", format!("{number}\n"));
        repo.git(["commit", "--signoff"]).done();
        let ends = format!("Signed-off-by: Ann <ann@example.com>\nAI-Cost: ${cost}\nAI-Model: lab/gpt-4o-mini");
        assert_eq!(repo.message(), format!("{MESSAGE}\n\n{ends}"), "not the route that has no such model");
        let row: Value = serde_json::from_str(&repo.keywheel(["requests", "--json", "--limit", "1"]).done()).unwrap();
        assert_eq!(row["cost_usd"], cost, "the ledger's figure: {row}");
    }
    assert_eq!(repo.git(["log", "-1", "--format=%(trailers:key=AI-Cost,valueonly)"]).done().trim(), "$0.0019");
}

#[test]
fn a_router_is_not_named_but_the_model_that_it_chose() {
    let bench = Bench::with("model = \"lab/auto\"\ntrailers = [\"AI-Model\", \"AI-Cost\"]\n");
    bench.price("provider = \"lab\"\n[[models]]\nid = \"gpt-4o-mini\"\nrates = [{ input = \"1\", output = \"10\" }]\n");
    let repo = installed(&bench);
    repo.stage("t.txt", "t\n");
    repo.git(["commit"]).done();
    assert_eq!(repo.message(), format!("{MESSAGE}\n\nAI-Model: lab/gpt-4o-mini\nAI-Cost: $0.0011"));
}

#[test]
fn an_answer_is_tidied_and_an_empty_diff_asks_nobody() {
    let bench = Bench::new();
    let repo = installed(&bench);
    let _ = repo.git(["commit", "--allow-empty"]).failed(1);
    assert_eq!(bench.calls(), 0);
    let _ = bench.rig.lab.on_any().then(says("```text\nfix: mend it\n\n#12 is closed\u{1b}[31m\n```\n"));
    repo.stage("t.txt", "t\n");
    repo.git(["commit"]).done();
    assert_eq!(repo.message(), "fix: mend it\n\n #12 is closed[31m");
}

#[test]
fn whatever_fails_leaves_the_file_alone_and_ends_with_0() {
    let bench = Bench::with("timeout = \"1s\"\n");
    let repo = installed(&bench);
    repo.stage("t.txt", "t\n");
    let file = repo.write("../msg", "\n# keep me\n");
    let run = |words: &str| {
        let begun = Instant::now();
        let ended = repo.keywheel(["hook", "run", "prepare-commit-msg", file.to_str().unwrap()]);
        assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
        assert!(ended.err.starts_with("keywheel: no commit message: ") && ended.err.contains(words), "{ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "\n# keep me\n", "{words}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{words} took {:?}", begun.elapsed());
    };
    let error = json!({"error": {"message": "no such luck", "type": "invalid_request_error", "code": "luck"}});
    bench.rig.lab.on_any().clear();
    let _ = bench.rig.lab.on_any().then(Script::json(400, &error)).then(says("  \n")).then(says(MESSAGE).cut(1));
    run("no such luck");
    run("gave no message");
    run("broke off");
    let _ = bench.rig.lab.on_any().then(says(MESSAGE).hang(1));
    run("no message within 1 s");

    let config = repo.write("../broken.toml", "[commit]\nmodle = 1\n");
    let broken = repo.keywheel(["--config", config.to_str().unwrap(), "hook", "run", "prepare-commit-msg", "x"]);
    assert!(broken.err.contains("did you mean `model`"), "{broken:?}");
    assert_eq!(broken.code, 0);

    bench.rig.keywheel.run(["stop"]);
    run("keywheel serve");
    let socket = bench.rig.keywheel.socket();
    let _ = std::fs::remove_file(&socket);
    let _hanging = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    run("no message within 1 s");
    assert!(repo.git(["commit"]).failed(1).contains("empty commit message"));
}

#[test]
fn a_planted_key_does_not_reach_the_lab() {
    let bench = Bench::new();
    let repo = installed(&bench);
    let key = planted();
    repo.write("old.txt", format!("old {key}\n"));
    repo.git(["add", "."]).done();
    repo.git(["commit", "-m", &format!("subject with {key}")]).done();
    repo.git(["switch", "-q", "-c", &format!("try/{key}")]).done();
    let body: String =
        (0..20).map(|n| format!("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ{n:02}abcdefgh\n")).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n");
    repo.stage("key.pem", &pem);
    repo.stage(&format!("name-{key}.txt"), format!("token = \"{key}\"\nplain\n"));
    repo.git(["rm", "-q", "old.txt"]).done();
    let ended = repo.git(["commit"]);
    assert!(ended.err.contains("secrets in the diff were not sent"), "{ended:?}");
    assert_eq!(repo.message(), MESSAGE);
    let heard = bench.heard();
    assert!(!heard.contains(&key) && !heard.contains("ghp_"), "{heard}");
    assert!(!heard.contains("MIIEvQIBADAN"), "{heard}");
    assert!(bench.asked().contains("+plain") && bench.asked().contains("[redacted]"), "{}", bench.asked());
}
