//! A gateway from its first word to its last, as a person or a script meets it.

use std::io::Read;

use nix::sys::signal::Signal;

use crate::home_support::{Home, Ran, chat, eventually, open_chat, streamed};
use crate::store::mode;

#[test]
fn a_fresh_home_serves_and_the_line_to_paste_names_a_key_that_works() {
    let home = Home::new();
    let gateway = home.serve();
    let words = gateway.said.join("\n");
    let address = gateway.address();
    assert!(words.contains(&format!("listening on unix://{}/run/keywheel.sock", home.path().display())), "{words}");
    assert!(words.contains("2 accounts, 5 models"), "{words}");

    let key_file = home.state("client.key");
    let key = std::fs::read_to_string(&key_file).unwrap();
    assert!(!words.contains(key.trim()), "the key itself is never printed");
    let paste = gateway.said.last().unwrap();
    assert!(paste.contains(&format!("curl -N http://{address}/v1/chat/completions")), "{paste}");
    assert!(paste.contains(&format!("$(cat {})", key_file.display())), "{paste}");

    let answer = chat(&address, key.trim(), &streamed("sim/echo"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"content\":\"hello") && answer.contains("data: [DONE]"), "{answer}");
}

#[test]
fn where_the_first_client_is_gone_no_line_names_its_key_and_what_to_do_is_told() {
    let home = Home::new();
    drop(home.serve());
    let key_file = home.state("client.key");
    let told = home.run(&["client", "rm", "default"]);
    let refill = format!("keywheel client add default > {}", key_file.display());
    assert!(told.code == 0 && told.err.contains(&refill) && !key_file.exists(), "{told:?}");
    let gateway = home.serve();
    let words = gateway.said.join("\n");
    assert!(words.contains(&refill) && words.contains("curl -N --unix-socket") && !words.contains("$(cat"), "{words}");
    // as the shell would
    std::fs::write(&key_file, home.run(&["client", "add", "default"]).done()).unwrap();
    let address = gateway.address();
    let key = std::fs::read_to_string(&key_file).unwrap();
    eventually("the new key works", || chat(&address, key.trim(), &streamed("sim/echo")).starts_with("HTTP/1.1 200"));
    drop(gateway);
    assert!(home.serve().said.last().unwrap().contains("$(cat"), "the line names the file again");
    // another client's end is no matter of the file
    home.run(&["client", "add", "other"]).done();
    assert!(!home.run(&["client", "rm", "other"]).err.contains("client.key"));
}

#[test]
fn what_is_written_is_closed_to_other_users() {
    let home = Home::new();
    let _gateway = home.serve();
    for folder in ["config", "state", "data", "run"] {
        assert_eq!(mode(&home.path().join(folder)), 0o700, "{folder}");
    }
    for file in ["state/client.key", "state/clients.toml", "state/leader.lock", "data/ledger.sqlite"] {
        assert_eq!(mode(&home.path().join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&home.path().join("run/keywheel.sock")), 0o600);
}

#[test]
fn a_key_in_the_environment_is_named_and_its_value_shown_nowhere() {
    const CANARY: &str = "canary-4f1c9a7e";
    let home = Home::new();
    // nothing listens there, so the key goes nowhere
    home.configure("[providers.openai]\nbase_url = \"http://127.0.0.1:9/v1\"\n");
    let args = ["--listen", "tcp://127.0.0.1:0", "--listen", "unix:"];
    let gateway = home.serve_with(&args, |command| command.env("OPENAI_API_KEY", CANARY).env("KEYWHEEL_LOG", "trace"));
    let words = gateway.said.join("\n");
    assert!(words.contains("from OPENAI_API_KEY"), "{words}");
    let key = std::fs::read_to_string(home.state("client.key")).unwrap();
    let answer = chat(&gateway.address(), key.trim(), &streamed("openai/gpt-4o"));
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let mut seen = vec![words, answer];
    for verb in [&["status"][..], &["account", "list"], &["account", "show", "openai"], &["provider", "show", "openai"]]
    {
        seen.push(home.run(verb).done());
    }
    seen.push(home.run(&["requests", "--json"]).done());
    assert!(!seen.concat().contains(CANARY), "{seen:#?}");
    drop(gateway);
    let mut folders = vec![home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
                    assert!(!found, "{}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_second_gateway_says_who_leads_and_leaves() {
    let home = Home::new();
    let gateway = home.serve();
    let words = home.run(&["serve", "--listen", "tcp://127.0.0.1:0"]).failed(1);
    assert!(words.contains(&format!("pid {}", gateway.pid())), "{words}");
    assert!(words.contains("keywheel stop"), "{words}");
    home.run(&["status"]).done();
}

#[test]
fn a_taken_port_names_its_holder_and_offers_a_free_one() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", taken.local_addr().unwrap());
    let words = home.run(&["serve", "--no-discover", "--listen", &url]).failed(1);
    assert!(words.contains(&format!("pid {}", std::process::id())), "{words}");
    assert!(words.contains("--listen tcp://127.0.0.1:0"), "{words}");
}

#[test]
fn a_home_that_cannot_be_written_is_refused_in_words() {
    let home = Home::new();
    std::fs::write(home.path().join("file"), "").unwrap();
    let place = home.path().join("file/home");
    let words = home.run(&["serve", "--home", place.to_str().unwrap()]).failed(1);
    assert!(words.contains("--home DIR"), "{words}");
    // root may write anywhere, except below /proc
    let place = if nix::unistd::geteuid().is_root() {
        std::path::PathBuf::from("/proc/keywheel")
    } else {
        crate::home_support::set_mode(home.path(), 0o500);
        home.path().join("below")
    };
    let words = home.run(&["serve", "--home", place.to_str().unwrap()]).failed(1);
    assert!(words.contains("--home DIR"), "{words}");
    crate::home_support::set_mode(home.path(), 0o700);
}

#[test]
fn a_socket_path_that_is_too_long_is_refused_in_words() {
    let home = Home::new();
    let long = home.path().join("x".repeat(120));
    let words = home.run(&["serve", "--home", long.to_str().unwrap(), "--no-discover", "--listen", "unix:"]).failed(1);
    assert!(words.contains("107"), "{words}");
}

#[test]
fn a_wrong_setting_stops_the_start_with_its_line() {
    let home = Home::new();
    home.configure("listen = [\"tcp://127.0.0.1:0\"]\n\n[parking]\nmax_wat = \"5s\"\n");
    let words = home.run(&["serve"]).failed(4);
    assert!(words.contains("keywheel.toml:4"), "{words}");
    assert!(words.contains("max_wait"), "the nearest valid key is named: {words}");
    home.run(&["config", "check"]).failed(4);
}

#[test]
fn a_reload_takes_over_what_is_valid_and_refuses_the_rest() {
    let home = Home::new();
    let gateway = home.serve();
    let models = || home.run(&["model", "list", "--json"]).done();
    home.configure("[models.first]\nroute = [\"sim/echo\"]\n");
    home.run(&["reload"]).done();
    assert!(models().contains(r#""id":"first""#));

    home.configure("[models.second]\nroute = [\"sim/echo\"]\nstrategi = \"sticky\"\n");
    let words = home.run(&["reload"]).failed(4);
    assert!(words.contains("keywheel.toml:3") && words.contains("strategy"), "{words}");
    assert!(models().contains(r#""id":"first""#), "the last good one stays");
    assert!(home.run(&["status"]).done().contains("the configuration in force stays"));

    home.configure("[models.third]\nroute = [\"sim/echo\"]\n");
    gateway.signal(Signal::SIGHUP);
    eventually("the third alias is there", || models().contains(r#""id":"third""#));
    assert!(!home.run(&["status"]).done().contains("warning"));
}

#[test]
fn a_change_of_the_file_is_noticed_without_being_told() {
    let home = Home::new();
    home.configure("");
    let _gateway = home.serve();
    home.run(&["config", "set", "models.noticed.route", "[\"sim/echo\"]"]).done();
    eventually("the alias is there", || home.run(&["model", "list", "--json"]).done().contains(r#""id":"noticed""#));
    home.run(&["config", "undo"]).done();
    eventually("the alias is gone", || !home.run(&["model", "list", "--json"]).done().contains(r#""id":"noticed""#));
}

#[test]
fn a_stream_in_flight_survives_a_reload_and_the_order_to_stop() {
    let home = Home::new();
    let mut gateway = home.serve();
    let key = std::fs::read_to_string(home.state("client.key")).unwrap();
    let mut answer = open_chat(&gateway.address(), key.trim(), &streamed("sim/slow"));
    let mut text = String::new();
    let mut some = [0; 64];
    while !text.contains("data: ") {
        // a read with a time limit is not taken up again after a signal, and other tests here start children
        let length = match answer.read(&mut some) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read.unwrap(),
        };
        assert!(length > 0, "{text}");
        text.push_str(std::str::from_utf8(&some[..length]).unwrap());
    }
    home.run(&["reload"]).done();
    gateway.signal(Signal::SIGTERM);
    answer.read_to_string(&mut text).unwrap();
    assert!(text.contains("data: [DONE]"), "{text}");
    assert_eq!(gateway.ended(), 0);
    assert!(home.run(&["requests"]).done().contains("slow"), "the ledger has it");
}

#[test]
fn stop_returns_when_the_home_is_free_again() {
    let home = Home::new();
    let mut gateway = home.serve();
    let ran = home.run(&["stop"]);
    assert!(ran.err.ends_with("stopped\n"), "{ran:?}");
    assert_eq!(gateway.ended(), 0);
    assert!(!home.path().join("run/keywheel.sock").exists());
    for verb in [&["status"][..], &["stop"], &["reload"], &["account", "list"], &["model", "list"]] {
        let words = home.run(verb).failed(3);
        assert!(words.contains("keywheel serve"), "{words}");
    }
    drop(home.serve());
}

#[test]
fn a_gateway_without_a_socket_hears_signals() {
    let home = Home::new();
    let mut gateway = home.serve_with(&["--listen", "tcp://127.0.0.1:0", "--no-discover"], |command| command);
    let words = home.run(&["status"]).failed(1);
    assert!(words.contains("--listen unix:"), "{words}");
    let ran = home.run(&["reload"]);
    assert!(ran.code == 0 && ran.err.contains("SIGHUP"), "{ran:?}");
    gateway.wait_for("reloaded");
    home.run(&["stop"]).done();
    assert_eq!(gateway.ended(), 0);
}

#[test]
fn a_gateway_that_was_killed_leaves_nothing_in_the_way_and_no_answered_call_behind() {
    let home = Home::new();
    let mut gateway = home.serve();
    let key = std::fs::read_to_string(home.state("client.key")).unwrap();
    for _ in 0..20 {
        let answer = chat(&gateway.address(), key.trim(), &streamed("sim/echo"));
        assert!(answer.contains("[DONE]"), "{answer}");
    }
    gateway.signal(Signal::SIGKILL);
    assert_eq!(gateway.ended(), -9);
    assert!(home.path().join("run/keywheel.sock").exists(), "a stale socket is left");
    assert_eq!(home.run(&["requests", "--json"]).done().lines().count(), 20, "read without a gateway");
    drop(home.serve());
}

#[test]
fn in_the_background_it_returns_when_the_doors_are_open() {
    let home = Home::new();
    let ran = home.run(&["serve", "-d", "--no-discover", "--listen", "tcp://127.0.0.1:0", "--listen", "unix:"]);
    // whatever fails below, the process must not stay
    let stop = Stop(&home);
    assert!(ran.code == 0 && ran.err.contains("curl -N http://127.0.0.1:"), "{ran:?}");
    let status: serde_json::Value = serde_json::from_str(&home.run(&["status", "--json"]).done()).unwrap();
    assert!(ran.err.contains(&format!("as pid {}", status["pid"])), "{ran:?} {status}");
    assert_eq!(mode(&home.state("keywheel.log")), 0o600);
    let log = std::fs::read_to_string(home.state("keywheel.log")).unwrap();
    assert!(log.contains("listening on tcp://127.0.0.1:"), "{log}");

    let again = home.run(&["serve", "-d", "--no-discover", "--listen", "tcp://127.0.0.1:0"]);
    assert!(again.failed(1).contains("runs on this home already"));
    drop(stop);
    home.run(&["status"]).failed(3);
}

/// Stops the gateway of a home.
struct Stop<'a>(&'a Home);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.run(&["stop"]);
    }
}

#[test]
fn in_the_background_a_wrong_setting_is_told_all_the_same() {
    let home = Home::new();
    home.configure("nonsense = 1\n");
    let words = home.run(&["serve", "-d"]).failed(4);
    assert!(words.contains("keywheel.toml:1"), "{words}");
}

#[test]
fn an_account_from_the_environment_is_told_how_to_leave_it_out() {
    let home = Home::new();
    home.configure(
        "[providers.cloud]\nadapter = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\nenv = { key = [\"CLOUD_KEY\"] }\n",
    );
    for verb in ["rm", "disable"] {
        let output = home.command(&["account", verb, "cloud"]).env("CLOUD_KEY", "canary").output().unwrap();
        let told = Ran::of(output).failed(1);
        assert!(told.contains("unset CLOUD_KEY where keywheel is started") && told.contains("--no-discover"), "{told}");
    }
}

#[test]
fn edits_by_hand_outlive_every_undo_and_are_told_of() {
    let home = Home::new();
    home.configure("");
    home.run(&["config", "set", "parking.max_parked", "7"]).done();
    home.run(&["config", "set", "parking.max_parked", "8"]).done();
    let file = home.path().join("config/keywheel.toml");
    let by_hand = std::fs::read_to_string(&file).unwrap() + "# by hand\n";
    std::fs::write(&file, &by_hand).unwrap();
    let output = home.command(&["config", "undo"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let kept = told.trim().rsplit("is kept in ").next().unwrap().to_owned();
    assert!(told.contains("edits by hand included") && std::fs::read_to_string(&kept).unwrap() == by_hand, "{told}");
    home.run(&["config", "undo"]).done();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), by_hand, "another undo leaves it");
}
