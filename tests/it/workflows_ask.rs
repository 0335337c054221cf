//! `keywheel ask` as people and scripts use it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use keywheel::sim::lab::Script;
use serde_json::Value;

use crate::e2e_rig::Rig;
use crate::hooks_rig::says;

fn rig(more: &str) -> Rig {
    Rig::with(crate::e2e_rig::open_lab(), &["a"], |config| {
        config.provider("models = [\"text-embedding-3-small\", \"gpt-4o-mini\"]\nask_usage = true").more(more)
    })
}

fn command(rig: &Rig, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    let home = rig.keywheel.home();
    command.args(args).env_clear().env("KEYWHEEL_HOME", home).env("KEYWHEEL_CONFIG", home.join("keywheel.toml"));
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code, stdout, stderr.
fn ran(rig: &Rig, args: &[&str], stdin: &[u8]) -> (i32, String, String) {
    let mut child = command(rig, args).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take().unwrap().write_all(stdin));
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap_or(-1), text(ended.stdout), text(ended.stderr))
}

fn asked(rig: &Rig) -> Value {
    serde_json::from_slice(&rig.calls().last().unwrap().body).unwrap()
}

#[test]
fn the_answer_goes_to_stdout_as_it_was_written_and_words_do_not() {
    let rig = rig("[ask]\nsystem = \"be brief\"\n");
    let _ = rig.lab.on_any().then(says("# **yes**\u{1b}[1m\n"));
    let (code, out, err) = ran(&rig, &["ask", "is", "it?"], b"");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "# **yes**\u{1b}[1m\n", ""));
    let body = asked(&rig);
    assert_eq!(body["model"], "gpt-4o-mini", "an embedding model does not chat");
    assert_eq!(
        (body["messages"][0]["content"].as_str(), body["messages"][1]["content"].as_str()),
        (Some("be brief"), Some("is it?"))
    );

    let _ = rig.lab.on_any().then(says("yes"));
    let (_, out, _) = ran(&rig, &["ask", "--json", "-s", "else", "is it?"], b"");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((answer["content"].as_str(), answer["usage"]["input"].as_u64()), (Some("yes"), Some(1000)));
    assert_eq!((answer["finish_reason"].as_str(), answer["provider"].as_str()), (Some("stop"), Some("lab")));
    assert_eq!(asked(&rig)["messages"][0]["content"], "else");
}

#[test]
fn stdin_and_files_are_context_and_what_is_no_text_is_refused() {
    let rig = rig("[models.mine]\nroute = [\"lab/gpt-4o-mini\"]\n");
    let file = |name: &str, bytes: &[u8]| std::fs::write(rig.keywheel.home().join(name), bytes).unwrap();
    file("a.txt", b"from a\n");
    file("b.txt", b"from b");
    file("c.bin", b"\x7fELF\0\x01");
    let (code, out, _) = ran(&rig, &["ask", "-f", "a.txt", "-f", "b.txt", "what?", "-"], b"from stdin\n");
    let whole = "<file name=\"a.txt\">\nfrom a\n</file>\n\n<file name=\"b.txt\">\nfrom b\n</file>\n\n<stdin>\nfrom stdin\n</stdin>\n\nwhat?";
    assert_eq!((code, out.trim_end()), (0, whole), "the lab says what it heard");
    assert_eq!(asked(&rig)["messages"][0]["content"], whole);
    let (code, out, _) = ran(&rig, &["ask"], b"only stdin\n");
    assert_eq!((code, out.as_str()), (0, "only stdin\n"));
    for (args, stdin, words) in [
        (&["ask", "-f", "c.bin", "x"][..], &b""[..], "c.bin is no text"),
        (&["ask", "x"], b"\xff\xfe", "stdin is no text"),
        (&["ask", "-f", "none.txt", "x"], b"", "cannot read none.txt"),
        (&["ask"], b" \n", "there is nothing to ask"),
        (&["ask", "-m", "sim/none", "x"], b"", "does not exist"),
    ] {
        let (code, out, err) = ran(&rig, args, stdin);
        assert!(code == 1 && out.is_empty() && err.contains(words), "{args:?}: {code} {out} {err}");
    }
    rig.keywheel.run(["stop"]);
    let (code, _, err) = ran(&rig, &["ask", "x"], b"");
    assert!(code == 3 && err.contains("keywheel serve"), "{err}");
}

#[test]
fn it_streams_and_an_answer_that_breaks_off_is_a_failure() {
    let rig = rig("");
    let _ = rig.lab.on_any().then(Script::chunks(30).every(Duration::from_millis(300)));
    let mut child = command(&rig, &["ask", "x"]).spawn().unwrap();
    let mut first = [0; 1];
    let begun = std::time::Instant::now();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "the whole takes 9 s, the first byte took {:?}", begun.elapsed());
    // Ctrl-C ends the call too
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let closed = runtime.block_on(rig.lab.wait_closed(1, Duration::from_secs(10)));
    assert!(closed.is_some(), "the provider's call ended too");

    let _ = rig.lab.on_any().then(Script::chunks(9).cut(5));
    let (code, out, err) = ran(&rig, &["ask", "x"], b"");
    assert!(code == 1 && out.contains('x') && err.contains("broke off"), "{out} {err}");
}
