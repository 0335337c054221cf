//! A real Secret Service: gnome-keyring on a bus of its own, in a home of its own. The user's keychain is never asked.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keywheel::vault::home::Home;
use keywheel::vault::{Keychain, KeychainError, Machine, Opener, Sealed, Vault, VaultError, Way};

use crate::vault_sealed::contract;

/// Starts a bus with an unlocked, a locked or a fresh keyring on it, runs the test again there, ends what it started.
const SESSION: &str = r#"
set -eu
case $KEYRING in
  unlocked) printf 'a login password' | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 & ;;
  *) gnome-keyring-daemon --foreground --components=secrets </dev/null >/dev/null 2>&1 & ;;
esac
daemon=$!
trap 'kill $daemon' EXIT
for _ in $(seq 100); do
  dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus \
    org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets 2>/dev/null | grep -q true && break
  sleep 0.05
done
"$@"
"#;

fn everything_must_run() -> bool {
    std::env::var("KEYWHEEL_TEST_ALL").is_ok_and(|value| value == "1")
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether this machine has what a real Secret Service takes; where everything must run, it has to.
fn available() -> bool {
    let missing: Vec<_> = ["gnome-keyring-daemon", "dbus-run-session", "dbus-send"]
        .into_iter()
        .filter(|program| !installed(program))
        .collect();
    assert!(missing.is_empty() || !everything_must_run(), "not installed: {missing:?}; see .ci/install");
    missing.is_empty()
}

/// In the process that `inside` started: the folder it may use.
fn place() -> Option<std::path::PathBuf> {
    std::env::var_os("KEYWHEEL_TEST_PLACE").map(Into::into)
}

/// This test again, with nothing of the user's session.
fn inside(program: &str, arguments: &[&str], test: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("vault_keychain::real::{test}"), "--nocapture", "--test-threads=1"]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
    for (name, folder) in [("XDG_RUNTIME_DIR", "run"), ("XDG_DATA_HOME", "share"), ("XDG_CONFIG_HOME", "config")] {
        keywheel::kit::file::private_dir(&home.join(folder)).unwrap();
        command.env(name, home.join(folder));
    }
    command.env("KEYWHEEL_TEST_PLACE", home).stdin(Stdio::null());
    command
}

fn passes_on_a_bus(test: &str, keyring: &str, home: &Path) {
    let arguments = ["--", "sh", "-c", SESSION, "session"];
    let run = inside("dbus-run-session", &arguments, test, home).env("KEYRING", keyring).output().unwrap();
    let words = [run.stdout, run.stderr].map(|words| String::from_utf8_lossy(&words).into_owned());
    assert!(run.status.success(), "{} under {keyring}: {}\n{}", test, words[0], words[1]);
    assert!(words[0].contains("1 passed"), "{}", words[0]);
}

#[test]
fn a_real_secret_service_keeps_the_contract_of_the_other_homes() {
    if let Some(place) = place() {
        let keychain = Opener::Keychain(Keychain::system());
        let vault = Sealed::create(place.join("vault"), std::slice::from_ref(&keychain)).unwrap();
        contract::holds(&vault);
        vault.rekey(std::slice::from_ref(&keychain), keywheel::vault::Outsiders::Refuse).unwrap();
        let fresh = Sealed::at(place.join("vault"));
        fresh.unlock(&keychain).unwrap();
        assert_eq!(fresh.secret("lab").unwrap().unwrap().expose(), "sk-three");

        let home =
            Home { machine: Machine::with_id(place.join("m"), None), ..Home::new(place.join("d"), place.join("s")) };
        let made = home.open_or_create().unwrap();
        assert_eq!((made.notices, made.vault.status().unwrap().wraps[0].1), (vec![], Way::Keychain));
        assert!(!home.open().unwrap().vault.status().unwrap().locked);
        return;
    }
    if available() {
        let home = tempfile::tempdir().unwrap();
        passes_on_a_bus("a_real_secret_service_keeps_the_contract_of_the_other_homes", "unlocked", home.path());
    }
}

#[test]
fn a_real_secret_service_answers_from_async_code_without_a_panic() {
    if place().is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        // on purpose not spawn_blocking: this is the mistake that made the library panic
        runtime.block_on(async {
            let keychain = Keychain::system();
            keychain.put("name", b"kept").unwrap();
            assert_eq!(**keychain.get("name").unwrap().unwrap(), *b"kept");
            keychain.remove("name").unwrap();
            assert!(keychain.get("name").unwrap().is_none());
            keychain.remove("name").unwrap();
        });
        return;
    }
    if available() {
        let home = tempfile::tempdir().unwrap();
        passes_on_a_bus("a_real_secret_service_answers_from_async_code_without_a_panic", "unlocked", home.path());
    }
}

#[test]
fn a_locked_keychain_is_named_and_never_hangs() {
    if let Some(place) = place() {
        let began = Instant::now();
        let failure = Keychain::system().put("name", b"kept").unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        assert!(matches!(failure, KeychainError::Locked(_) | KeychainError::Silent), "{failure:?}");
        falls_back(&place);
        return;
    }
    if available() {
        let home = tempfile::tempdir().unwrap();
        let test = "a_locked_keychain_is_named_and_never_hangs";
        // nobody has a keyring yet; then one is made, and found locked by the next session
        passes_on_a_bus(test, "fresh", home.path());
        let home = tempfile::tempdir().unwrap();
        passes_on_a_bus("a_real_secret_service_answers_from_async_code_without_a_panic", "unlocked", home.path());
        passes_on_a_bus(test, "locked", home.path());
    }
}

#[test]
fn an_absent_keychain_is_named_and_one_that_hangs_is_given_up() {
    if let Some(place) = place() {
        let began = Instant::now();
        let failure = Keychain::system().get("name").unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        let hangs = place.join("bus").exists();
        assert!(
            matches!((&failure, hangs), (KeychainError::Silent, true) | (KeychainError::Absent(_), false)),
            "{failure:?}"
        );
        falls_back(&place);
        return;
    }
    let test = "an_absent_keychain_is_named_and_one_that_hangs_is_given_up";
    let home = tempfile::tempdir().unwrap();
    let passes = |bus: &str| {
        let run = inside("env", &[bus], test, home.path()).output().unwrap();
        let words = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && words.contains("1 passed"), "{bus}: {words}");
    };
    let bus = home.path().join("bus");
    passes(&format!("DBUS_SESSION_BUS_ADDRESS=unix:path={}", bus.display()));
    // a bus that lets everybody in and never says a word
    let listener = UnixListener::bind(&bus).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || stream.map(|mut stream| stream.read_to_end(&mut Vec::new())));
        }
    });
    passes(&format!("DBUS_SESSION_BUS_ADDRESS=unix:path={}", bus.display()));
}

/// Without a keychain that answers, a new vault opens by the machine key, and that is said.
fn falls_back(place: &Path) {
    let machine = Machine::with_id(place.join("machine.key"), Some("machine-a"));
    let folder = tempfile::tempdir_in(place).unwrap();
    let home = Home { machine, ..Home::new(folder.path().join("data"), folder.path().join("state")) };
    let made = home.open_or_create().unwrap();
    assert_eq!((made.notices.len(), made.vault.status().unwrap().wraps[0].1), (1, Way::Machine));
    let by_keychain = made.vault.unlock(&Opener::Keychain(Keychain::system()));
    assert!(matches!(by_keychain, Err(VaultError::NoWrap(Way::Keychain, _))));
}

#[test]
fn the_real_command_and_a_running_gateway_use_a_real_keychain() {
    let test = "the_real_command_and_a_running_gateway_use_a_real_keychain";
    if place().is_some() {
        let home = crate::home_support::Home::new();
        home.configure("");
        std::fs::write(home.path().join("key"), "sk-one").unwrap();
        let run = |args: &[&str]| {
            let mut command = home.command(args);
            for name in ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] {
                command.env(name, std::env::var_os(name).unwrap());
            }
            crate::home_support::Ran::of(command.output().unwrap())
        };
        let added = run(&["account", "add", "a", "--provider", "openai", "--key-file", "key"]);
        assert!(added.code == 0 && !added.err.contains("no keychain"), "{added:?}");
        let status = run(&["vault", "status", "--json"]).done();
        assert!(status.contains(r#""opens_by":["keychain"],"because":null"#), "{status}");
        let rekeyed = run(&["vault", "rekey"]);
        assert!(rekeyed.err.contains("it opens by keychain now"), "{rekeyed:?}");
        assert!(run(&["vault", "status"]).done().contains("a  key, account a"));

        // the same home without its session: told in time, and mended without a restart
        let _gateway = home.serve();
        let began = Instant::now();
        let locked = home.run(&["vault", "status"]);
        assert!(began.elapsed() < Duration::from_secs(13), "{:?}", began.elapsed());
        let told = format!("{}{}", locked.out, locked.err);
        assert!(told.contains("gateway     locked") && told.contains("no keychain here"), "{told}");
        let unlocked = run(&["vault", "unlock"]);
        assert!(unlocked.err.contains("the running gateway has unlocked the vault"), "{unlocked:?}");
        assert!(home.run(&["vault", "status"]).out.contains("gateway     unlocked"));
        return;
    }
    if available() {
        let home = tempfile::tempdir().unwrap();
        passes_on_a_bus(test, "unlocked", home.path());
    }
}
