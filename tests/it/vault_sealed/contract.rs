//! What every home of secrets must do. It is run against memory, the sealed file however it opens, and a real keychain.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keywheel::kit::{Secret, Time};
use keywheel::vault::{Item, ItemKind, Memory, Opener, Sealed, Vault, VaultError};

use super::{Place, cheap, key};

/// Runs the contract against an empty vault.
pub fn holds(vault: &dyn Vault) {
    keeps_what_it_is_given(vault);
    tells_labels_only(vault);
    changes_in_one_step(vault);
    takes_any_sensible_name(vault);
    keeps_others_out(vault);
    loses_nothing_to_threads(vault);
}

fn keeps_what_it_is_given(vault: &dyn Vault) {
    assert!(vault.list().unwrap().is_empty());
    assert!(vault.get("lab").unwrap().is_none());
    vault.put("lab", key("sk-one")).unwrap();
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk-one");
    vault.put("lab", key("sk-two")).unwrap();
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), "sk-two");

    let (from, until) = (Time::from_micros(1_000_000), Time::from_micros(3_600_000_000));
    let mut token = Item::token(Secret::new("at \"ü\" \u{1F511}"), Some(Secret::new("rt")), from, Some(until));
    token.refreshing = Some(Time::from_micros(-5));
    vault.put("token", token).unwrap();
    let token = vault.get("token").unwrap().unwrap();
    assert_eq!(token.secret.expose(), "at \"ü\" \u{1F511}");
    assert_eq!(token.refresh.unwrap().expose(), "rt");
    let times = (token.issued_at, token.expires_at, token.refreshing);
    assert_eq!(times, (Some(from), Some(until), Some(Time::from_micros(-5))));

    let long = "x".repeat(200_000);
    vault.put("document", Item { kind: ItemKind::Document, ..key(&long) }).unwrap();
    assert_eq!(vault.secret("document").unwrap().unwrap().expose(), long);
    assert!(vault.remove("document").unwrap());
    assert!(!vault.remove("document").unwrap(), "removed twice");
    assert!(vault.get("document").unwrap().is_none());
}

fn tells_labels_only(vault: &dyn Vault) {
    let labels = vault.list().unwrap();
    let told: Vec<_> = labels.iter().map(|label| (label.name.as_str(), label.kind, label.expires_at)).collect();
    let until = Some(Time::from_micros(3_600_000_000));
    assert_eq!(told, [("lab", ItemKind::Key, None), ("token", ItemKind::Token, until)]);
    assert!(!format!("{labels:?}").contains("sk-two"));
}

fn changes_in_one_step(vault: &dyn Vault) {
    vault
        .update("lab", &mut |stored| {
            let item = stored.as_mut().unwrap();
            assert_eq!(item.secret.expose(), "sk-two");
            item.refreshing = Some(Time::from_micros(9));
        })
        .unwrap();
    let lab = vault.get("lab").unwrap().unwrap();
    assert_eq!((lab.secret.expose(), lab.refreshing), ("sk-two", Some(Time::from_micros(9))));
    vault.update("fresh", &mut |stored| *stored = Some(key(stored.as_ref().map_or("none", |_| "some")))).unwrap();
    assert_eq!(vault.secret("fresh").unwrap().unwrap().expose(), "none");
    vault.update("fresh", &mut |stored| *stored = None).unwrap();
    assert!(vault.get("fresh").unwrap().is_none());
}

fn takes_any_sensible_name(vault: &dyn Vault) {
    for name in ["../../etc/passwd", "Ä ö/ü\\", ".", "a\"b", &"n".repeat(256)] {
        vault.put(name, key(name)).unwrap();
        assert_eq!(vault.secret(name).unwrap().unwrap().expose(), name);
        assert!(vault.remove(name).unwrap());
    }
    for name in ["", "a\nb", "a\0b", &"n".repeat(257)] {
        assert!(matches!(vault.put(name, key("x")), Err(VaultError::Name)), "{name:?}");
        assert!(matches!(vault.hold(name, Duration::ZERO), Err(VaultError::Name)), "{name:?}");
        assert!(vault.get(name).unwrap().is_none());
    }
}

fn keeps_others_out(vault: &dyn Vault) {
    let held = vault.hold("lab", Duration::ZERO).unwrap();
    assert!(matches!(vault.hold("lab", Duration::from_millis(30)), Err(VaultError::Busy(_))));
    drop(vault.hold("other", Duration::ZERO).unwrap());
    // the fence is around the refresh, not around the entry
    vault.put("lab", key("sk-three")).unwrap();
    let (tell, told) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            drop(vault.hold("lab", Duration::from_secs(20)).unwrap());
            tell.send(()).unwrap();
        });
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "it was let in");
        drop(held);
        told.recv_timeout(Duration::from_secs(20)).expect("it is let in when the hold is dropped");
    });
}

fn loses_nothing_to_threads(vault: &dyn Vault) {
    vault.put("count", key("0")).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                for turn in 0..5 {
                    vault.put(&format!("{writer}-{turn}"), key("x")).unwrap();
                    vault.update("count", &mut plus_one).unwrap();
                }
            });
        }
    });
    assert_eq!(vault.secret("count").unwrap().unwrap().expose(), "20");
    let names: Vec<_> = vault.list().unwrap().into_iter().map(|label| label.name).collect();
    assert!((0..20).all(|at| names.contains(&format!("{}-{}", at / 5, at % 5))), "{names:?}");
}

/// Counts in a secret.
pub fn plus_one(stored: &mut Option<Item>) {
    let count: u32 = stored.as_ref().map_or(0, |item| item.secret.expose().parse().unwrap());
    *stored = Some(key(&(count + 1).to_string()));
}

#[test]
fn memory_keeps_the_contract() {
    holds(&Memory::default());
}

#[test]
fn a_file_sealed_by_a_passphrase_keeps_the_contract() {
    let place = Place::new();
    holds(&Sealed::create(place.vault(), &[cheap("correct horse")]).unwrap());
}

#[test]
fn a_file_sealed_by_a_machine_key_keeps_the_contract() {
    let place = Place::new();
    let machine = Opener::Machine(place.machine("machine-a"));
    holds(&Sealed::create(place.vault(), &[machine]).unwrap());
}

#[test]
fn a_file_sealed_by_a_key_file_keeps_the_contract() {
    let place = Place::new();
    holds(&place.by_key_file());
}
