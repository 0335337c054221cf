//! Who can open a sealed file: its wraps, locking, a new data key.

use std::fs;

use keywheel::kit::Secret;
use keywheel::vault::{Conflict, Machine, Opener, Outsiders, Sealed, Vault, VaultError, Way};

use super::{CANARY, Place, cheap, key, no_keychain};

fn has_canary(place: &Place) -> Vec<String> {
    let found = |name: &String| {
        let bytes = fs::read(place.path(name)).unwrap();
        [CANARY, "lab-account"].iter().any(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
    };
    place.files().into_iter().filter(found).collect()
}

#[test]
fn neither_secret_nor_name_lies_in_any_file_in_the_clear() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab-account", key(CANARY)).unwrap();
    vault.put("lab-account", key(&format!("{CANARY}2"))).unwrap();
    vault.rekey(&[place.key_file(), Opener::Machine(place.machine("a"))], Outsiders::Refuse).unwrap();
    vault.put("other", key("x")).unwrap();
    let files =
        ["credential", "machine.key", "machine.key.lock", "vault.sealed", "vault.sealed.bak", "vault.sealed.lock"];
    assert_eq!(place.files(), files);
    assert_eq!(has_canary(&place), Vec::<String>::new());
}

#[test]
fn a_locked_vault_says_so_to_everything_and_its_status_needs_no_key() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab", key("sk")).unwrap();
    assert!(!vault.status().unwrap().locked);
    vault.lock();
    let status = vault.status().unwrap();
    assert!(status.locked);
    assert_eq!((status.generation, status.wraps[0].1, status.wraps.len()), (2, Way::KeyFile, 1));
    assert!(matches!(vault.get("lab"), Err(VaultError::Locked)));
    assert!(matches!(vault.list(), Err(VaultError::Locked)));
    assert!(matches!(vault.put("lab", key("x")), Err(VaultError::Locked)));
    assert!(matches!(vault.data_key(), Err(VaultError::Locked)));
    assert!(matches!(vault.add_wrap(&cheap("p")), Err(VaultError::Locked)));
    assert!(matches!(vault.rekey(&[cheap("p")], Outsiders::ShutOut), Err(VaultError::Locked)));
    assert_eq!(vault.status().unwrap().generation, 2);
    vault.unlock(&place.key_file()).unwrap();
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk");
}

#[test]
fn there_is_no_vault_where_none_was_made_and_no_second_one_where_one_was() {
    let place = Place::new();
    assert!(matches!(Sealed::at(place.vault()).status(), Err(VaultError::Missing(_))));
    assert!(matches!(Sealed::at(place.vault()).put("lab", key("x")), Err(VaultError::Missing(_))));
    let vault = place.by_key_file();
    vault.put("lab", key("sk")).unwrap();
    assert!(matches!(Sealed::create(place.vault(), &[place.key_file()]), Err(VaultError::Exists(_))));
    assert!(matches!(Sealed::create(place.path("none"), &[]), Err(VaultError::LastWrap)));
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk");
}

#[test]
fn several_wraps_stand_side_by_side_and_each_opens_it() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab", key("sk")).unwrap();
    let machine = Opener::Machine(place.machine("a"));
    let passphrase = vault.add_wrap(&cheap("correct horse")).unwrap();
    vault.add_wrap(&machine).unwrap();
    for opener in [&place.key_file(), &cheap("correct horse"), &machine] {
        let vault = Sealed::at(place.vault());
        vault.unlock(opener).unwrap();
        assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk");
    }
    vault.remove_wrap(&passphrase, &no_keychain()).unwrap();
    let fresh = Sealed::at(place.vault());
    let error = fresh.unlock(&cheap("correct horse")).unwrap_err();
    assert_eq!(error.to_string(), "this vault does not open by passphrase, only by key file, machine key");
    assert!(!place.files().contains(&"vault.sealed.bak".into()), "the previous generation still opened that way");
    fresh.unlock(&machine).unwrap();
    assert!(matches!(vault.remove_wrap("00000000", &no_keychain()), Err(VaultError::UnknownWrap(_))));
}

#[test]
fn the_last_way_in_cannot_be_removed_and_there_are_at_most_eight() {
    let place = Place::new();
    let vault = place.by_key_file();
    let id = vault.status().unwrap().wraps[0].0.clone();
    assert!(matches!(vault.remove_wrap(&id, &no_keychain()), Err(VaultError::LastWrap)));
    for turn in 0..7 {
        vault.add_wrap(&cheap(&format!("p{turn}"))).unwrap();
    }
    assert!(matches!(vault.add_wrap(&cheap("p8")), Err(VaultError::TooManyWraps(8))));
    let fresh = Sealed::at(place.vault());
    fresh.unlock(&cheap("p6")).unwrap();
    assert!(matches!(fresh.unlock(&cheap("p7")), Err(VaultError::WrongPassphrase)));
    assert!(!fresh.status().unwrap().locked, "a wrong passphrase does not lock what is open");
}

#[test]
fn a_machine_key_opens_on_its_machine_only() {
    let place = Place::new();
    let here = Opener::Machine(place.machine("machine-a"));
    drop(Sealed::create(place.vault(), std::slice::from_ref(&here)).unwrap());
    let vault = Sealed::at(place.vault());
    let elsewhere = Opener::Machine(place.machine("machine-b"));
    assert!(matches!(vault.unlock(&elsewhere), Err(VaultError::WrongKey(Way::Machine))));
    let nameless = Opener::Machine(Machine::with_id(place.path("machine.key"), None));
    assert!(matches!(vault.unlock(&nameless), Err(VaultError::NoMachineId)));
    assert!(matches!(Sealed::create(place.path("b"), &[nameless]), Err(VaultError::NoMachineId)));
    vault.unlock(&here).unwrap();
    // a second vault of this machine has the same key file and another key
    let second = Sealed::create(place.path("second"), std::slice::from_ref(&here)).unwrap();
    assert_ne!(second.status().unwrap().wraps, vault.status().unwrap().wraps);
    keywheel::kit::file::replace(&place.path("machine.key"), &[1; 32]).unwrap();
    assert!(matches!(vault.unlock(&here), Err(VaultError::WrongKey(Way::Machine))));
    fs::remove_file(place.path("machine.key")).unwrap();
    assert!(matches!(vault.unlock(&here), Err(VaultError::File(_))));
    assert!(!place.path("machine.key").exists(), "only a new wrap makes a new key");
}

#[test]
fn a_key_file_must_be_long_enough_private_and_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let vault = place.by_key_file();
    let path = place.path("credential");
    let replaced = |content: &[u8]| {
        keywheel::kit::file::replace(&path, content).unwrap();
        vault.unlock(&place.key_file()).unwrap_err()
    };
    assert!(matches!(replaced(&[8; 40]), VaultError::WrongKey(Way::KeyFile)));
    assert!(matches!(replaced(&[7; 31]), VaultError::KeyFile(..)));
    assert!(matches!(replaced(&[7; 65537]), VaultError::KeyFile(..)));
    keywheel::kit::file::replace(&path, &[7; 40]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = vault.unlock(&place.key_file()).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    vault.unlock(&place.key_file()).unwrap();
}

#[test]
fn a_new_data_key_shuts_nobody_out_unless_told_so() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.put("lab", key("sk")).unwrap();
    let passphrase = vault.add_wrap(&cheap("old words")).unwrap();
    let before = vault.status().unwrap();
    let error = vault.rekey(&[place.key_file()], Outsiders::Refuse).unwrap_err();
    let VaultError::ShutOut(names) = error else { panic!("{error}") };
    assert_eq!(names, [format!("passphrase {passphrase}")]);
    assert_eq!(vault.status().unwrap(), before);

    let done = vault.rekey(&[place.key_file(), cheap("new words")], Outsiders::Refuse).unwrap();
    assert_eq!((done.generation, done.shut_out.len()), (before.generation + 1, 0));
    assert_ne!(vault.status().unwrap().key, before.key);
    let fresh = Sealed::at(place.vault());
    assert!(matches!(fresh.unlock(&cheap("old words")), Err(VaultError::WrongPassphrase)));
    fresh.unlock(&cheap("new words")).unwrap();
    assert_eq!(fresh.secret("lab").unwrap().unwrap().expose(), "sk");
    assert!(!place.files().contains(&"vault.sealed.bak".into()), "the previous generation has the old key");

    let done = vault.rekey(&[place.key_file()], Outsiders::ShutOut).unwrap();
    assert_eq!(done.shut_out.len(), 1);
    assert_eq!(vault.status().unwrap().wraps.len(), 1);
}

#[test]
fn after_a_new_data_key_elsewhere_a_kept_key_goes_on_and_a_passphrase_is_asked_again() {
    let place = Place::new();
    let vault = place.by_key_file();
    vault.add_wrap(&cheap("words")).unwrap();
    vault.put("lab", key("sk")).unwrap();
    let (by_file, by_words) = (Sealed::at(place.vault()), Sealed::at(place.vault()));
    by_file.unlock(&place.key_file()).unwrap();
    by_words.unlock(&cheap("words")).unwrap();
    vault.rekey(&[place.key_file(), cheap("words")], Outsiders::Refuse).unwrap();
    assert_eq!(by_file.secret("lab").unwrap().unwrap().expose(), "sk");
    assert!(by_words.status().unwrap().locked);
    assert!(matches!(by_words.get("lab"), Err(VaultError::Locked)));
    by_words.unlock(&cheap("words")).unwrap();
    by_words.put("lab", key("sk-2")).unwrap();
    assert_eq!(by_file.secret("lab").unwrap().unwrap().expose(), "sk-2");
}

#[test]
fn what_others_sealed_with_the_old_data_key_can_still_be_opened() {
    let place = Place::new();
    let vault = place.by_key_file();
    let old = vault.data_key().unwrap();
    let body_key = *old.derive("captured bodies").unwrap().bytes();
    vault.rekey(&[place.key_file()], Outsiders::Refuse).unwrap();
    assert_ne!(*vault.data_key().unwrap().derive("captured bodies").unwrap().bytes(), body_key);
    let found = vault.data_key_by_id(&old.id().unwrap()).unwrap().unwrap();
    assert_eq!(*found.derive("captured bodies").unwrap().bytes(), body_key);
    let now = vault.data_key().unwrap().id().unwrap();
    assert_eq!(vault.data_key_by_id(&now).unwrap().unwrap().id().unwrap(), now);
    assert!(vault.data_key_by_id("00").unwrap().is_none());
}

#[test]
fn an_export_opens_by_its_passphrase_alone_and_an_import_keeps_or_replaces() {
    let place = Place::new();
    let vault = place.by_key_file();
    for name in ["one", "two"] {
        vault.put(name, key(name)).unwrap();
    }
    let copy = place.path("copy");
    assert_eq!(vault.export(&copy, Secret::new("travel words")).unwrap(), 2);
    assert!(matches!(vault.export(&copy, Secret::new("x")), Err(VaultError::Exists(_))));
    assert!(!place.files().iter().any(|name| name.starts_with("copy.")), "{:?}", place.files());
    let copy = Sealed::at(copy);
    assert!(matches!(copy.unlock(&place.key_file()), Err(VaultError::NoWrap(..))));

    let other = Sealed::create(place.path("other"), &[place.key_file()]).unwrap();
    other.put("two", key("mine")).unwrap();
    assert!(matches!(other.import(&copy, Conflict::Keep), Err(VaultError::Locked)));
    copy.unlock(&Opener::passphrase(Secret::new("travel words"))).unwrap();
    let done = other.import(&copy, Conflict::Keep).unwrap();
    assert_eq!((done.added, done.replaced, done.kept), (vec!["one".into()], vec![], vec!["two".into()]));
    assert_eq!(other.secret("two").unwrap().unwrap().expose(), "mine");
    let done = other.import(&copy, Conflict::Replace).unwrap();
    assert_eq!((done.added.len(), done.replaced.len()), (0, 2));
    assert_eq!(other.secret("two").unwrap().unwrap().expose(), "two");
}
