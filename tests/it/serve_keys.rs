//! The store of client keys: what is written, who is let in, and for how long.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keywheel::kit::{Clock, Secret, Time};
use keywheel::serve::keys::{Denied, First, KEY_FILE, KeyError, KeyOptions, Keys, STORE_FILE, ensure_first};

const HOUR: Duration = Duration::from_secs(3600);

fn who(keys: &Keys, key: &Secret) -> Result<String, Denied> {
    keys.check(std::iter::once(key.expose())).map(|pass| pass.caller().name.clone())
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
}

#[test]
fn a_key_is_accepted_and_no_part_of_its_secret_is_stored() {
    let dir = home();
    let path = dir.path().join(STORE_FILE);
    let keys = Keys::open(&path).expect("an empty store");
    let options = KeyOptions { models: vec!["deepseek/*".into()], hide_account: true, ..KeyOptions::default() };
    let key = keys.add("ci", options).expect("a key");
    assert_eq!(who(&keys, &key), Ok("ci".into()));
    let caller = keys.check(std::iter::once(key.expose())).expect("a good key").caller();
    assert!(caller.may_use("deepseek", "v4") && !caller.may_use("openai", "gpt") && caller.hide_account);

    let stored = std::fs::read_to_string(&path).expect("the store");
    let secret = key.expose().rsplit('-').next().expect("three parts");
    assert!(!stored.contains(secret) && stored.contains("name = \"ci\""), "{stored}");
    assert_eq!(mode(&path), 0o600);

    let reopened = Keys::open(&path).expect("the same store");
    assert_eq!(who(&reopened, &key), Ok("ci".into()));
}

#[test]
fn a_wrong_key_is_refused_but_does_not_spoil_a_right_one_beside_it() {
    let dir = home();
    let keys = Keys::open(&dir.path().join(STORE_FILE)).expect("an empty store");
    let key = keys.add("ci", KeyOptions::default()).expect("a key");
    let forged = format!("{}x", &key.expose()[..key.expose().len() - 1]);
    let check = |list: &[&str]| keys.check(list.iter().copied()).map(|_| ());
    assert_eq!(check(&[]), Err(Denied::Missing));
    assert_eq!(check(&[&forged]), Err(Denied::Unknown));
    assert_eq!(check(&["DUMMY_KEY"]), Err(Denied::Unknown));
    assert_eq!(check(&["DUMMY_KEY", key.expose()]), Ok(()));
}

#[test]
fn a_rotated_key_works_until_its_overlap_is_over_and_an_expiring_one_until_its_time() {
    let dir = home();
    let clock = Clock::manual(Time::from_micros(1_800_000_000_000_000));
    let keys = Keys::open_at(&dir.path().join(STORE_FILE), clock.clone()).expect("an empty store");
    let options = KeyOptions { ttl: Some(48 * HOUR), ..KeyOptions::default() };
    let old = keys.add("ci", options).expect("a key");
    let new = keys.rotate("ci", 24 * HOUR).expect("another key");
    assert_eq!((who(&keys, &old), who(&keys, &new)), (Ok("ci".into()), Ok("ci".into())));
    clock.advance(24 * HOUR - Duration::from_secs(1));
    assert!(who(&keys, &old).is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!((who(&keys, &old), who(&keys, &new)), (Err(Denied::Expired), Ok("ci".into())));
    clock.advance(24 * HOUR);
    assert_eq!(who(&keys, &new), Err(Denied::Expired));

    let once = keys.add("once", KeyOptions::default()).expect("a key");
    let next = keys.rotate("once", Duration::ZERO).expect("another key");
    assert_eq!((who(&keys, &once), who(&keys, &next)), (Err(Denied::Unknown), Ok("once".into())));
}

#[test]
fn names_are_checked_and_a_missing_client_is_named() {
    let dir = home();
    let keys = Keys::open(&dir.path().join(STORE_FILE)).expect("an empty store");
    keys.add("ci", KeyOptions::default()).expect("a key");
    assert!(matches!(keys.add("ci", KeyOptions::default()), Err(KeyError::Exists(_))));
    assert!(matches!(keys.add("local", KeyOptions::default()), Err(KeyError::Reserved(_))));
    for bad in ["", "a b", "a\nb", "ä", &"x".repeat(65)] {
        assert!(matches!(keys.add(bad, KeyOptions::default()), Err(KeyError::Name(_))), "{bad:?}");
    }
    let zero = KeyOptions { rpm: Some(0), ..KeyOptions::default() };
    assert!(matches!(keys.add("zero", zero), Err(KeyError::NoRate(_))));
    assert!(matches!(keys.rotate("nobody", HOUR), Err(KeyError::Missing(_))));
    assert!(matches!(keys.remove("nobody"), Err(KeyError::Missing(_))));
    assert_eq!(keys.list().expect("rows").len(), 1);
}

#[test]
fn a_store_that_is_damaged_or_open_to_others_is_refused_with_a_way_out() {
    let dir = home();
    let path = dir.path().join(STORE_FILE);
    let keys = Keys::open(&path).expect("an empty store");
    keys.add("ci", KeyOptions::default()).expect("a key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let said = Keys::open(&path).err().expect("refused").to_string();
    assert!(said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    std::fs::write(&path, "[[client]]\nname = 1\n").expect("write");
    let said = Keys::open(&path).err().expect("refused").to_string();
    assert!(said.contains("keywheel client add"), "{said}");
}

#[test]
fn the_first_start_makes_a_key_in_a_private_file_and_later_starts_leave_it_alone() {
    let dir = home();
    let state = dir.path().join("state");
    assert_eq!(ensure_first(&state).expect("a first key"), First::Made);
    let file = state.join(KEY_FILE);
    assert_eq!((mode(&file), mode(&state)), (0o600, 0o700));
    let read = || Secret::new(std::fs::read_to_string(&file).expect("the key file"));
    let keys = Keys::open(&state.join(STORE_FILE)).expect("the store");
    let first = read();
    assert_eq!(who(&keys, &first), Ok("default".into()));
    assert_eq!(ensure_first(&state).expect("again"), First::Kept);
    assert!(read().expose() == first.expose());

    keys.rotate("default", Duration::ZERO).expect("another key");
    assert!(read().expose() != first.expose(), "the file follows a rotation");
    assert_eq!(who(&keys, &read()), Ok("default".into()));
    keys.remove("default").expect("removed");
    assert!(!file.exists());
    assert_eq!(ensure_first(&state).expect("again"), First::Kept, "somebody removed it on purpose");
}

#[test]
fn eight_processes_worth_of_writers_lose_no_client() {
    let dir = home();
    let path = dir.path().join(STORE_FILE);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = path.clone();
            scope.spawn(move || {
                let keys = Keys::open(&path).expect("the store");
                for key in 0..5 {
                    keys.add(&format!("c{writer}-{key}"), KeyOptions::default()).expect("a key");
                }
            });
        }
    });
    assert_eq!(Keys::open(&path).expect("the store").list().expect("rows").len(), 40);
}

#[tokio::test]
async fn a_follower_sees_within_a_second_what_another_process_changed() {
    let dir = home();
    let path = dir.path().join(STORE_FILE);
    let door = Arc::new(Keys::open(&path).expect("an empty store"));
    let _follow = door.follow();
    let other = Keys::open(&path).expect("the same store");
    let key = other.add("ci", KeyOptions::default()).expect("a key");
    seen(|| who(&door, &key).is_ok()).await;
    // a store that cannot be read leaves the last good one in force
    let good = std::fs::read(&path).expect("the store");
    std::fs::write(&path, "nonsense").expect("write");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(who(&door, &key).is_ok());
    std::fs::write(&path, good).expect("write");
    other.remove("ci").expect("removed");
    seen(|| who(&door, &key) == Err(Denied::Unknown)).await;
}

/// Waits for a change; a busy machine gets more than the second that a quiet one needs.
async fn seen(changed: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !changed() {
        assert!(began.elapsed() < Duration::from_secs(5), "the change was not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
