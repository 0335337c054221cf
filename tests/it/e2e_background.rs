//! A gateway in the background: how it is started, asked, stopped, and what it leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use keywheel::sim::lab::{Setup, frames};
use keywheel::sim::{Persona, Script};
use nix::sys::signal::{Signal, kill};

use crate::e2e_home::{Home, finish, is_alive};
use crate::e2e_rig::{Rig, chat, json_lines, said, stream, text, until, words};
use crate::support::client::End;
use crate::support::{Client, SOON};

const CHAT: &str = "/v1/chat/completions";

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[tokio::test]
async fn a_gateway_in_the_background_says_where_it_is_answers_and_stops() {
    let home = Home::new();
    let began = Instant::now();
    let (out, told) = words(&home.detach());
    let pid = home.pid().expect("a leader");
    assert!(out.is_empty() && told.contains(&format!("pid {pid}")) && told.contains("keywheel stop"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let client = home.client(&told);
    assert_eq!(client.post(CHAT, &chat("sim/echo")).await.status, 200);

    let status = json_lines(&home.run(["status", "--json"])).remove(0);
    assert_eq!(status["pid"], pid.as_raw());
    assert_eq!((text(&status["version"]), status["in_flight"].as_u64()), (env!("CARGO_PKG_VERSION"), Some(0)));
    let listen: Vec<&str> = status["listen"].as_array().unwrap().iter().map(text).collect();
    assert!(listen.iter().all(|door| told.contains(door)) && listen.len() == 2, "{listen:?}");
    assert!(said(&home.run(["status"])).contains(&pid.to_string()));

    let parent = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = parent.rsplit_once(") ").expect("a name").1.split(' ').collect();
    assert_eq!(fields[3], pid.to_string(), "it leads a session of its own");

    let (_, stopped) = words(&home.run(["stop"]));
    assert!(stopped.contains("stopped"), "{stopped}");
    until("the process is gone", SOON, async || !is_alive(pid)).await;
    assert!(!home.socket().exists());
    assert_eq!(home.run(["stop"]).status.code(), Some(3));
    let row = json_lines(&home.run(["requests", "--json"])).remove(0);
    assert_eq!(
        (text(&row["model"]), row["status"].as_u64()),
        ("echo", Some(200)),
        "the ledger is read without a gateway"
    );
}

#[test]
fn what_it_writes_is_for_its_user_alone() {
    let home = Home::with("# mine\n");
    said(&home.detach());
    said(&home.run(["client", "add", "x"]));
    let mut files = 0;
    let mut folders = vec![home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if entry.file_type().expect("a type").is_dir() {
                assert_eq!(mode(&path), 0o700, "{}", path.display());
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 5 && home.path().join("state/keywheel.log").exists(), "{files}");
}

#[test]
fn a_home_that_others_may_read_is_refused_with_the_command_that_mends_it() {
    let home = Home::with("# mine\n");
    said(&home.detach());
    said(&home.run(["stop"]));
    said(&home.run(["client", "add", "x"]));
    for (name, loose, fix) in [
        ("state/clients.toml", 0o640, 0o600),
        ("data/ledger.sqlite", 0o644, 0o600),
        ("state", 0o755, 0o700),
        ("config", 0o711, 0o700),
    ] {
        let path = home.path().join(name);
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(loose);
        let output = home.run(["serve", "--no-discover", "--listen", "unix:"]);
        let (_, told) = words(&output);
        assert!(!output.status.success() && told.contains(&format!("chmod {fix:o}")), "{name}: {told}");
        set(fix);
    }
}

#[test]
fn logs_can_be_json_one_object_a_line() {
    let home = Home::new();
    said(&home.run(["serve", "-d", "--no-discover", "--listen", "unix:", "--log", "json"]));
    said(&home.run(["reload"]));
    said(&home.run(["stop"]));
    let log = home.read("state/keywheel.log");
    let rows: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    assert!(rows.iter().any(|row| text(&row["message"]).contains("listening on unix://")), "{log}");
    assert!(rows.iter().all(|row| row["level"].is_string() && row["timestamp"].is_string()), "{log}");
}

#[tokio::test]
async fn a_stream_under_way_ends_in_peace_when_the_gateway_is_told_to_stop() {
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGINT)] {
        let rig = Rig::with(Setup::new(Persona::Generic), &["a"], |config| config);
        rig.lab.on("a").then(Script::chunks(6).stall(3, Duration::from_secs(2)));
        let mut response = rig.keywheel.client().post(CHAT, &stream("lab/m")).await;
        let first = response.frame().await.expect("a frame").bytes;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(rig.keywheel.pid()).expect("a pid"));
        match signal {
            Some(signal) => kill(pid, signal).expect("it is ours"),
            None => {
                let mut stop = tokio::process::Command::new(crate::e2e_home::BINARY);
                stop.env("KEYWHEEL_HOME", rig.keywheel.home()).arg("stop");
                drop(stop.spawn().expect("the binary starts"));
            }
        }
        until("the doors are shut", SOON, async || {
            rig.keywheel.client().send(http::Method::GET, "/healthz", bytes::Bytes::new()).await.is_err()
        })
        .await;
        let (rest, end) = response.read().await;
        assert_eq!(end, End::Clean, "{signal:?}");
        assert_eq!([first, rest].concat(), frames(6).concat(), "{signal:?}");
        until("the process is gone", SOON, async || !is_alive(pid)).await;
    }
}

#[tokio::test]
async fn a_second_signal_cuts_what_is_under_way_and_never_cleanly() {
    let rig = Rig::with(Setup::new(Persona::Generic), &["a"], |config| config);
    rig.lab.on("a").then(Script::chunks(6).hang(2));
    let mut response = rig.keywheel.client().post(CHAT, &stream("lab/m")).await;
    response.frame().await.expect("a frame");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(rig.keywheel.pid()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("it is ours");
    assert!(rig.keywheel.wait_words("stopping", SOON));
    kill(pid, Signal::SIGTERM).expect("it is ours");
    let began = Instant::now();
    let (_, end) = response.read().await;
    assert_eq!(end, End::Broken);
    until("the process is gone", SOON, async || !is_alive(pid)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_gateway_in_the_foreground_ends_with_success_when_interrupted() {
    let home = Home::new();
    let child = home.command(["serve", "--no-discover", "--listen", "unix:"]).spawn().expect("the binary starts");
    let client = Client::unix(home.socket());
    until("it answers", SOON, async || {
        client.send(http::Method::GET, "/healthz", bytes::Bytes::new()).await.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).expect("it is ours");
    let output = finish(child);
    let (out, told) = words(&output);
    assert!(output.status.success() && out.is_empty() && told.contains("listening on unix://"), "{out}{told}");
    assert!(!home.socket().exists());
}
