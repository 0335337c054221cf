//! Starts that cannot work: the right exit code and a sentence that says what to do, never a panic or a hang.

use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};

use crate::e2e_home::{BINARY, Home, finish, is_alive};
use crate::e2e_rig::{said, words};
use crate::support::Client;

/// The command failed with this code and these words on stderr, in one paragraph and without a panic.
fn refused(output: &Output, code: i32, said: &[&str]) {
    let (out, err) = words(output);
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    for part in said {
        assert!(err.contains(part), "{part:?} is missing: {err}");
    }
    assert!(out.is_empty() && !err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{out}{err}");
}

#[test]
fn a_second_serve_on_a_home_names_the_first_and_leaves_it_alone() {
    let home = Home::new();
    said(&home.detach());
    let pid = home.pid().expect("a leader");
    for args in [vec!["serve", "--listen", "tcp://127.0.0.1:0"], vec!["serve", "-d", "--listen", "tcp://127.0.0.1:0"]] {
        refused(&home.run(args), 1, &[&format!("pid {pid}"), "keywheel stop", "--home"]);
    }
    assert!(is_alive(pid) && home.pid() == Some(pid));
    said(&home.run(["status"]));
}

#[test]
fn a_taken_port_names_its_holder_and_another_way() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("tcp://{}", taken.local_addr().expect("an address"));
    let home = Home::new();
    for args in
        [vec!["serve", "--no-discover", "--listen", &url], vec!["serve", "-d", "--no-discover", "--listen", &url]]
    {
        let pid = format!("pid {}", std::process::id());
        refused(&home.run(args), 1, &["is taken by", &pid, "--listen tcp://127.0.0.1:0"]);
    }
    assert!(!home.socket().exists(), "nothing is left behind");
    said(&home.detach());
}

#[test]
fn a_socket_path_that_is_too_long_is_told_with_its_length() {
    let home = Home::new();
    let deep = home.path().join("d".repeat(100));
    let long = home.run(["--home", deep.to_str().unwrap(), "serve", "--no-discover", "--listen", "unix:"]);
    refused(&long, 1, &["107", "--home"]);
    let door = format!("unix:///tmp/{}.sock", "s".repeat(110));
    refused(&home.run(["serve", "--no-discover", "--listen", &door]), 4, &["107", "shorter"]);
    let status = home.run(["--home", deep.to_str().unwrap(), "status"]);
    assert!(!status.status.success() && !words(&status).1.contains("panicked"));
}

#[test]
fn a_home_that_cannot_be_used_says_so() {
    let home = Home::new();
    home.write("file", "not a folder");
    let below = home.path().join("file/home");
    for place in [below.to_str().unwrap(), "/proc/keywheel-home", "/dev/null/x"] {
        for verb in [vec!["serve", "--no-discover"], vec!["serve", "-d", "--no-discover"], vec!["client", "add", "x"]] {
            let output = home.run(["--home", place].iter().copied().chain(verb));
            refused(&output, 1, &[place]);
        }
    }
}

/// As root no mode keeps anybody from writing, so the folder is mounted read-only in a namespace of its own.
#[test]
fn a_home_on_a_read_only_file_system_says_so() {
    let home = Home::new();
    said(&home.run(["client", "add", "first"]));
    let script = "mount --bind -o ro \"$1\" \"$1\" 2>/dev/null || { mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\"; } \
                  || exit 77; \"$2\" --home \"$1\" serve --no-discover --listen unix: ; echo \"code $?\"; \
                  \"$2\" --home \"$1\" client add other; echo \"code $?\"";
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]).arg(home.path()).arg(BINARY);
    inside.env_remove("KEYWHEEL_HOME").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(child) = inside.spawn() else {
        eprintln!("skipped: there is no unshare here");
        return;
    };
    let output = finish(child);
    let (out, err) = words(&output);
    if !out.contains("code") {
        eprintln!("skipped: no mount namespace may be made here: {err}");
        return;
    }
    assert_eq!(out, "code 1\ncode 1\n", "{err}");
    assert!(
        err.matches("Read-only file system").count() == 2
            && err.matches("--home DIR").count() == 2
            && !err.contains("panicked"),
        "{err}"
    );
}

#[tokio::test]
async fn what_a_killed_gateway_leaves_behind_does_not_stop_the_next_one() {
    let home = Home::new();
    said(&home.detach());
    let pid = home.pid().expect("a leader");
    kill(pid, Signal::SIGKILL).expect("it is ours");
    // its main thread is gone before the last one lets go of the socket
    while is_alive(pid) || std::os::unix::net::UnixStream::connect(home.socket()).is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(home.socket().exists(), "a stale socket");
    let gone = home.run(["status"]);
    refused(&gone, 3, &["keywheel serve"]);
    let (_, again) = words(&home.detach());
    assert_eq!(home.client(&again).get("/v1/models").await.status, 200);
    assert_eq!(Client::unix(home.socket()).get("/v1/models").await.status, 200);
    said(&home.run(["stop"]));
    assert!(!home.socket().exists());
}

#[test]
fn what_lies_where_the_socket_belongs_is_not_deleted() {
    let home = Home::new();
    home.write("run/keywheel.sock", "precious");
    refused(&home.run(["serve", "--no-discover", "--listen", "unix:"]), 1, &["keywheel.sock", "move it"]);
    assert_eq!(home.read("run/keywheel.sock"), "precious");
    std::fs::remove_file(home.socket()).unwrap();
    let _other = UnixListener::bind(home.socket()).expect("somebody else's socket");
    refused(&home.run(["serve", "--no-discover", "--listen", "unix:"]), 1, &["keywheel.sock"]);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let home = Home::new();
    said(&home.detach());
    for args in [
        vec!["config", "schema"],
        vec!["config", "show", "--origin"],
        vec!["--help"],
        vec!["serve", "--help"],
        vec!["requests"],
        vec!["requests", "--json"],
        vec!["man"],
        vec!["completions", "bash"],
        vec!["model", "list", "--why"],
        vec!["provider", "list", "--json"],
        vec!["account", "list"],
        vec!["status"],
        vec!["--version"],
        vec!["client", "list"],
    ] {
        let mut child = home.command(&args).spawn().expect("the binary starts");
        drop(child.stdout.take());
        let output = finish(child);
        let (_, err) = words(&output);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
        assert!(!err.contains("panicked") && !err.contains("roken pipe"), "{args:?}: {err}");
    }
    let mut through_head = Command::new("bash");
    through_head
        .args(["-c", "set -o pipefail; \"$0\" config schema | head -1"])
        .arg(BINARY)
        .env("KEYWHEEL_HOME", home.path());
    let output = through_head.output().expect("bash");
    assert_eq!(words(&output), ("{\n".to_owned(), String::new()));
    assert!(output.status.success());
}

#[tokio::test]
async fn a_gateway_whose_listeners_have_left_serves_on() {
    let home = Home::new();
    let mut child = home
        .command(["serve", "--no-discover", "--listen", "unix:", "--listen", "tcp://127.0.0.1:0"])
        .env("KEYWHEEL_LOG", "trace")
        .spawn()
        .expect("the binary starts");
    drop((child.stdout.take(), child.stderr.take()));
    let client = Client::unix(home.socket());
    crate::e2e_rig::until("it answers", std::time::Duration::from_secs(20), async || {
        client.send(http::Method::GET, "/healthz", bytes::Bytes::new()).await.is_ok_and(|r| r.status == 200)
    })
    .await;
    for _ in 0..3 {
        let response = client.post("/v1/chat/completions", &crate::e2e_rig::chat("sim/echo")).await;
        assert_eq!(response.status, 200);
    }
    said(&home.run(["stop"]));
    assert!(finish(child).status.success());
}

#[test]
fn a_broken_configuration_is_told_with_file_line_and_the_nearest_key() {
    let home = Home::with("# first\nlisten = [\"tcp://127.0.0.1:0\"]\n\n[parking]\nmax_wayt = \"60s\"\n");
    for verb in [vec!["serve", "--no-discover"], vec!["serve", "-d"], vec!["config", "check"], vec!["config", "show"]] {
        refused(&home.run(verb), 4, &["keywheel.toml:5", "max_wayt", "max_wait"]);
    }
    home.write("config/keywheel.toml", "listen = [");
    refused(&home.run(["serve"]), 4, &["keywheel.toml:1"]);
}

#[test]
fn a_command_line_that_is_not_understood_and_a_gateway_that_is_not_there_have_their_own_codes() {
    let home = Home::new();
    for args in [vec!["serve", "--lisen", "x"], vec!["sevre"], vec![], vec!["client"], vec!["requests", "--limit", "0"]]
    {
        let output = home.run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(words(&output).1.contains("Usage") || args.len() > 1, "{args:?}");
    }
    for verb in [vec!["status"], vec!["stop"], vec!["reload"], vec!["account", "list"], vec!["model", "list"]] {
        refused(&home.run(verb), 3, &["keywheel serve"]);
    }
}
