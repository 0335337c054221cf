//! A file that is not as it was written: cut, flipped, forged. Each gives an error with a name, and changes nothing.

use std::fs;
use std::path::Path;

use keywheel::kit::Secret;
use keywheel::kit::seal::SealError;
use keywheel::vault::{Damage, Opener, Outsiders, Sealed, Vault, VaultError};
use sha2::{Digest, Sha256};

use super::{CANARY, Place, cheap, key};

/// A vault with an entry, its bytes, and a handle that was unlocked while it was whole.
fn whole(place: &Place, opener: &Opener) -> (Sealed, Vec<u8>) {
    let vault = Sealed::create(place.vault(), std::slice::from_ref(opener)).unwrap();
    vault.put("lab", key(CANARY)).unwrap();
    let bytes = fs::read(place.vault()).unwrap();
    (vault, bytes)
}

/// Everything one may do with a vault; each must fail with damage of this kind, and leave the file alone.
fn everything_fails(vault: &Sealed, opener: &Opener, what: &str, damage: fn(&VaultError) -> bool) {
    let before = fs::read(vault.path()).unwrap();
    let failures = [
        vault.status().map(|_| ()),
        vault.unlock(opener),
        vault.data_key().map(|_| ()),
        vault.get("lab").map(|_| ()),
        vault.list().map(|_| ()),
        vault.put("lab", key("other")),
        vault.remove("lab").map(|_| ()),
        vault.add_wrap(opener).map(|_| ()),
        vault.rekey(std::slice::from_ref(opener), Outsiders::ShutOut).map(|_| ()),
        vault.export(&vault.path().with_extension("copy"), Secret::new("x")).map(|_| ()),
    ];
    for (at, failure) in failures.into_iter().enumerate() {
        let error = failure.expect_err(what);
        assert!(damage(&error), "{what}, deed {at}: {error}");
        assert!(!error.to_string().contains(CANARY));
    }
    assert!(fs::read(vault.path()).unwrap() == before, "{what}: the file was changed");
}

fn is_damage(error: &VaultError) -> bool {
    matches!(error, VaultError::NotAVault(_) | VaultError::Damaged(_, Damage::Cut | Damage::Checksum))
}

#[test]
fn a_file_cut_at_any_length_is_named_so_and_left_alone() {
    let place = Place::new();
    let opener = place.key_file();
    let (vault, bytes) = whole(&place, &opener);
    for length in 0..bytes.len() {
        fs::write(place.vault(), &bytes[..length]).unwrap();
        everything_fails(&vault, &opener, &format!("cut at {length}"), is_damage);
    }
    fs::write(place.vault(), &bytes).unwrap();
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), CANARY);
}

#[test]
fn a_file_with_any_byte_flipped_is_named_so_and_left_alone() {
    let place = Place::new();
    let opener = place.key_file();
    let (vault, bytes) = whole(&place, &opener);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(place.vault(), &flipped).unwrap();
        everything_fails(&vault, &opener, &format!("flipped at {at}"), is_damage);
    }
}

/// The bytes with another header, whose length and checksum are right again.
fn forged(bytes: &[u8], edit: impl Fn(&str) -> String) -> Vec<u8> {
    let length = u32::from_be_bytes(bytes[10..14].try_into().unwrap()) as usize;
    let header = edit(std::str::from_utf8(&bytes[14..14 + length]).unwrap());
    let length_now = u32::try_from(header.len()).unwrap().to_be_bytes();
    let body = &bytes[14 + length..bytes.len() - 32];
    summed([&bytes[..10], &length_now, header.as_bytes(), body].concat())
}

fn summed(mut content: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::digest(&content);
    content.extend(sum);
    content
}

/// Whoever can write the file can make its checksum right. Then the seals must tell.
#[test]
fn a_byte_flipped_with_a_right_checksum_is_not_believed() {
    let place = Place::new();
    let (vault, bytes) = whole(&place, &cheap("correct horse"));
    for at in 0..bytes.len() - 32 {
        for flip in [0x01, 0x10, 0x80] {
            let mut content = bytes[..bytes.len() - 32].to_vec();
            content[at] ^= flip;
            let forged = summed(content);
            fs::write(place.vault(), &forged).unwrap();
            assert!(Sealed::at(place.vault()).unlock(&cheap("correct horse")).is_err(), "flipped {flip:#x} at {at}");
            assert!(vault.get("lab").is_err(), "flipped {flip:#x} at {at}, already unlocked");
            assert!(vault.put("lab", key("x")).is_err(), "flipped {flip:#x} at {at}, written");
            assert!(fs::read(place.vault()).unwrap() == forged, "flipped {flip:#x} at {at}: changed");
        }
    }
}

fn opened(path: &Path, content: &[u8]) -> VaultError {
    fs::write(path, content).unwrap();
    Sealed::at(path).unlock(&cheap("correct horse")).unwrap_err()
}

#[test]
fn damage_and_a_wrong_passphrase_are_told_apart() {
    let place = Place::new();
    let (_, bytes) = whole(&place, &cheap("correct horse"));
    let vault = Sealed::at(place.vault());
    assert!(matches!(vault.unlock(&cheap("battery staple")), Err(VaultError::WrongPassphrase)));
    assert!(matches!(vault.get("lab"), Err(VaultError::Locked)));

    let again = forged(&bytes, |header| header.replace("\"generation\":2", "\"generation\":1"));
    assert!(matches!(opened(&place.vault(), &again), VaultError::Damaged(_, Damage::Body)));
    let nonsense = forged(&bytes, |header| header.replace("\"generation\":2", "\"generation\":2,\"more\":0"));
    assert!(matches!(opened(&place.vault(), &nonsense), VaultError::Damaged(_, Damage::Header)));
    let newer = summed([b"keywheel\x00\x07".as_slice(), &bytes[10..bytes.len() - 32]].concat());
    assert!(matches!(opened(&place.vault(), &newer), VaultError::Unsupported(_, 7, 1)));
    assert!(matches!(opened(&place.vault(), b"PK\x03\x04 something else"), VaultError::NotAVault(_)));

    fs::write(place.vault(), &bytes).unwrap();
    vault.unlock(&cheap("correct horse")).unwrap();
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), CANARY);
}

#[test]
fn a_cost_out_of_bounds_is_refused_before_memory_is_taken() {
    let place = Place::new();
    let (_, bytes) = whole(&place, &cheap("correct horse"));
    let rows = [
        ("\"memory_kib\":32", "\"memory_kib\":1048577", "memory_kib"),
        ("\"memory_kib\":32", "\"memory_kib\":4294967295", "memory_kib"),
        ("\"memory_kib\":32", "\"memory_kib\":7", "memory_kib"),
        ("\"passes\":1", "\"passes\":17", "passes"),
        ("\"lanes\":1", "\"lanes\":16777215", "lanes"),
        ("\"lanes\":1", "\"lanes\":9", "lanes"),
    ];
    for (said, forgery, at_fault) in rows {
        let forgery = forged(&bytes, |header| header.replace(said, forgery));
        assert!(forgery != bytes, "{said} is in the header");
        let (before, error) = (peak_memory(), opened(&place.vault(), &forgery));
        let VaultError::Seal(SealError::Bounds(name, ..)) = error else { panic!("{error}") };
        assert_eq!(name, at_fault);
        // other tests of this process take memory too, but no gigabyte
        assert!(peak_memory() - before < 900 << 10, "{said}: memory was taken");
    }
    let beyond = forged(&bytes, |header| header.replace("\"memory_kib\":32", "\"memory_kib\":4294967296"));
    assert!(matches!(opened(&place.vault(), &beyond), VaultError::Damaged(_, Damage::Header)));
}

/// The most resident memory this process ever had, in KiB; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[test]
fn a_header_that_lies_about_its_size_or_its_wraps_is_damaged() {
    let place = Place::new();
    let (_, bytes) = whole(&place, &cheap("correct horse"));
    for length in [u32::MAX, 64 * 1024 + 1, u32::try_from(bytes.len()).unwrap(), 0] {
        let content = [&bytes[..10], &length.to_be_bytes(), &bytes[14..bytes.len() - 32]].concat();
        let error = opened(&place.vault(), &summed(content));
        assert!(matches!(error, VaultError::Damaged(_, Damage::Header)), "{length}: {error}");
    }
    let wraps = |header: &str| header[header.find("[{").unwrap() + 1..header.rfind("}]").unwrap() + 1].to_owned();
    let many = forged(&bytes, |header| header.replace(&wraps(header), &vec![wraps(header); 9].join(",")));
    assert!(matches!(opened(&place.vault(), &many), VaultError::Damaged(_, Damage::Header)));
    let none = forged(&bytes, |header| header.replace(&wraps(header), ""));
    assert!(matches!(opened(&place.vault(), &none), VaultError::Damaged(_, Damage::Header)));
}

#[test]
fn a_file_too_large_for_a_vault_is_not_read() {
    let place = Place::new();
    let (vault, bytes) = whole(&place, &place.key_file());
    let file = fs::File::options().write(true).open(place.vault()).unwrap();
    file.set_len(1 << 33).unwrap();
    assert!(matches!(vault.get("lab"), Err(VaultError::TooLarge(..))));
    file.set_len(bytes.len() as u64).unwrap();
    assert!(matches!(vault.put("lab", key(&"x".repeat(33 << 20))), Err(VaultError::TooLarge(..))));
    assert_eq!(vault.secret("lab").unwrap().unwrap().expose(), CANARY);
}
