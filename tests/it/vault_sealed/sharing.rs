//! One vault, several processes: nothing is lost, a fence holds, links and modes are respected.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keywheel::vault::{Sealed, Vault, VaultError};

use super::contract::plus_one;
use super::{Place, key};

/// This test again in another process, where `role` is set.
pub fn again(test: &str, role: &str, place: &Place) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("vault_sealed::{test}"), "--nocapture", "--test-threads=1"]);
    command.env("KEYWHEEL_TEST_ROLE", role).env("KEYWHEEL_TEST_PLACE", place.0.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// What this process is to do, and the vault it does it to; `None` in the process that a person started.
pub fn role() -> Option<(String, Sealed)> {
    let role = std::env::var("KEYWHEEL_TEST_ROLE").ok()?;
    let place = std::path::PathBuf::from(std::env::var_os("KEYWHEEL_TEST_PLACE")?);
    let vault = Sealed::at(place.join("vault.sealed"));
    vault.unlock(&keywheel::vault::Opener::KeyFile(place.join("credential"))).unwrap();
    Some((role, vault))
}

/// The next line that begins with this word, as the child says it; the rest of the line.
pub fn says(reader: &mut impl BufRead, word: &str) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // the harness writes its own words before ours, in the same line
        if let Some((_, rest)) = line.split_once(word)
            && line.ends_with('\n')
        {
            return Some(rest.trim().to_owned());
        }
    }
}

#[test]
fn processes_that_write_at_once_lose_nothing() {
    if let Some((role, vault)) = role() {
        for turn in 0..15 {
            vault.put(&format!("{role}-{turn}"), key("x")).unwrap();
            vault.update("count", &mut plus_one).unwrap();
        }
        return;
    }
    let place = Place::new();
    let vault = place.by_key_file();
    let test = "sharing::processes_that_write_at_once_lose_nothing";
    let children: Vec<Child> = ["a", "b", "c"].map(|role| again(test, role, &place)).into();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(vault.secret("count").unwrap().unwrap().expose(), "45");
    assert_eq!(vault.list().unwrap().len(), 46);
    assert_eq!(vault.status().unwrap().generation, 91);
}

#[test]
fn a_hold_keeps_other_processes_out_and_ends_when_its_process_is_killed() {
    if let Some((_, vault)) = role() {
        let _held = vault.hold("lab", Duration::ZERO).unwrap();
        println!("ROLE: holds");
        loop {
            std::thread::park();
        }
    }
    let place = Place::new();
    let vault = place.by_key_file();
    let test = "sharing::a_hold_keeps_other_processes_out_and_ends_when_its_process_is_killed";
    let mut child = again(test, "hold", &place);
    let mut said = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(says(&mut said, "ROLE:").as_deref(), Some("holds"));
    assert!(matches!(vault.hold("lab", Duration::from_millis(50)), Err(VaultError::Busy(_))));
    drop(vault.hold("another", Duration::ZERO).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(vault.hold("lab", Duration::from_secs(5)).unwrap());
}

#[test]
fn a_vault_behind_a_link_stays_one_vault() {
    let place = Place::new();
    let vault = place.by_key_file();
    fs::create_dir(place.path("elsewhere")).unwrap();
    let link = place.path("elsewhere/link");
    std::os::unix::fs::symlink(place.vault(), &link).unwrap();
    let linked = Sealed::at(&link);
    linked.unlock(&place.key_file()).unwrap();
    linked.put("lab", key("sk")).unwrap();
    assert!(link.is_symlink());
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk");
}

#[test]
fn its_files_are_private_and_looser_ones_are_refused() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab", key("sk")).unwrap();
    for name in place.files() {
        let mode = fs::metadata(place.path(&name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    fs::set_permissions(place.vault(), fs::Permissions::from_mode(0o640)).unwrap();
    let error = vault.get("lab").map(|_| ()).unwrap_err();
    assert!(matches!(error, VaultError::File(_)) && error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_write_that_changes_nothing_writes_nothing() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab", key("sk")).unwrap();
    let before = fs::read(place.vault()).unwrap();
    vault.put("lab", key("sk")).unwrap();
    assert!(!vault.remove("nobody").unwrap());
    assert!(fs::read(place.vault()).unwrap() == before);
}

#[test]
fn the_previous_generation_lies_beside_it_and_opens() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab", key("first")).unwrap();
    vault.put("lab", key("second")).unwrap();
    let previous = Sealed::at(place.path("vault.sealed.bak"));
    previous.unlock(&place.key_file()).unwrap();
    assert_eq!(previous.status().unwrap().generation, vault.status().unwrap().generation - 1);
    assert_eq!(previous.secret("lab").unwrap().unwrap().expose(), "first");
}
