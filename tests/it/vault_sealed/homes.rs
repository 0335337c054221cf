//! How a gateway's own vault is made, what it says about it, and what it remembers.

use std::time::Duration;

use keywheel::kit::Secret;
use keywheel::vault::home::{Choice, Home};
use keywheel::vault::{Opener, Outsiders, Vault, VaultError, Way, kernel};

use super::{Place, cheap, key, no_keychain};

fn home(place: &Place) -> Home {
    Home {
        machine: place.machine("machine-a"),
        keychain: no_keychain(),
        ..Home::new(place.path("data"), place.path("state"))
    }
}

#[test]
fn without_a_keychain_the_machine_key_is_taken_said_once_and_remembered() {
    let place = Place::new();
    let home = home(&place);
    assert!(matches!(home.open(), Err(VaultError::Missing(_))));
    let made = home.open_or_create().unwrap();
    assert_eq!(made.notices.len(), 1);
    assert!(
        made.notices[0].starts_with("no keychain here: no bus; secrets go to the sealed file "),
        "{:?}",
        made.notices
    );
    assert_eq!(made.vault.status().unwrap().wraps[0].1, Way::Machine);
    made.vault.put("lab", key("sk")).unwrap();
    let because = Some("no keychain here: no bus".to_owned());
    assert_eq!(home.choice(), Some(Choice { way: Way::Machine, because }));

    let again = home.open_or_create().unwrap();
    assert_eq!(again.notices, Vec::<String>::new());
    assert_eq!(again.vault.secret("lab").unwrap().unwrap().expose(), "sk");
    std::fs::remove_file(&home.file).unwrap();
    assert_eq!(home.open_or_create().unwrap().notices, Vec::<String>::new(), "it was said, and is remembered");
}

#[test]
fn a_key_file_comes_before_any_keychain() {
    let place = Place::new();
    let Opener::KeyFile(path) = place.key_file() else { panic!("a key file opens by a key file") };
    let home = Home { key_file: Some(path), ..home(&place) };
    let made = home.open_or_create().unwrap();
    assert_eq!((made.notices.len(), made.vault.status().unwrap().wraps[0].1), (0, Way::KeyFile));
    assert!(!home.open().unwrap().vault.status().unwrap().locked);
}

#[test]
fn two_processes_that_make_the_vault_at_once_share_one() {
    let place = Place::new();
    let home = home(&place);
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let home = &home;
            scope.spawn(move || home.open_or_create().unwrap().vault.put(name, key(name)).unwrap());
        }
    });
    assert_eq!(home.open().unwrap().vault.list().unwrap().len(), 4);
}

#[test]
fn a_vault_that_only_a_person_can_open_comes_back_locked_with_the_command() {
    let place = Place::new();
    let home = home(&place);
    let vault = home.open_or_create().unwrap().vault;
    vault.rekey(&[cheap("words")], Outsiders::ShutOut).unwrap();
    let opened = home.open().unwrap();
    assert!(opened.vault.status().unwrap().locked);
    assert_eq!(opened.notices, ["the vault is locked; run: keywheel vault unlock"]);
    let error = home.unlock(&opened.vault, &cheap("wrong")).unwrap_err();
    assert!(matches!(error, VaultError::WrongPassphrase));
    assert_eq!(home.unlock(&opened.vault, &cheap("words")).unwrap(), None);
    assert!(!opened.vault.status().unwrap().locked);
    home.lock(&opened.vault).unwrap();
    assert!(opened.vault.status().unwrap().locked);
}

/// Containers often forbid the kernel's keyring; then it must say so and keep nothing.
#[test]
fn the_kernel_remembers_an_unlocked_vault_or_says_why_not() {
    let place = Place::new();
    let home = Home { kernel_cache: Some(Duration::from_secs(60)), ..home(&place) };
    let vault = home.open_or_create().unwrap().vault;
    vault.rekey(&[cheap("words")], Outsiders::ShutOut).unwrap();
    let id = vault.data_key().unwrap().id().unwrap();
    let opened = home.open().unwrap().vault;
    assert!(opened.status().unwrap().locked, "off until somebody unlocks");
    match home.unlock(&opened, &cheap("words")).unwrap() {
        None => {
            let restarted = home.open().unwrap();
            assert!(!restarted.vault.status().unwrap().locked);
            assert_eq!(restarted.notices, Vec::<String>::new());
        }
        Some(why) => assert!(why.starts_with("the kernel's keyring cannot be used here: "), "{why}"),
    }
    home.lock(&opened).unwrap();
    assert!(kernel::recall(&id).is_none());
    assert!(home.open().unwrap().vault.status().unwrap().locked);
}

#[test]
fn a_passphrase_at_the_standard_cost_opens_what_it_sealed() {
    let place = Place::new();
    let vault = home(&place).open_or_create().unwrap().vault;
    let opener = || Opener::passphrase(Secret::new("correct horse battery staple"));
    vault.rekey(&[opener()], Outsiders::ShutOut).unwrap();
    let fresh = home(&place).open().unwrap().vault;
    fresh.unlock(&opener()).unwrap();
    fresh.put("lab", key("sk")).unwrap();
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk");
}
