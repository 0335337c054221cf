//! A writer killed at any moment leaves the old or the new vault, and what it said was written is there.

use std::io::BufReader;
use std::process::Child;
use std::time::Duration;

use keywheel::vault::{Outsiders, Sealed, Vault};

use super::sharing::{again, role, says};
use super::{Place, key};

/// How often a writer is killed: 20 times, and 200 by hand.
fn runs() -> u64 {
    match std::env::var("KEYWHEEL_TEST_SOAK").is_ok_and(|value| value == "1") {
        true => 200,
        false => 20,
    }
}

/// Kills the child a moment after it has written something; the last thing that it said was written. Each run takes
/// another moment, from 0 to 16 ms later, which is longer than one write takes.
fn killed(mut child: Child, run: u64) -> u32 {
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut last: u32 = says(&mut said, "ROLE:").expect("it writes").parse().unwrap();
    std::thread::sleep(Duration::from_micros(run * 7919 % 16_000));
    child.kill().unwrap();
    child.wait().unwrap();
    while let Some(turn) = says(&mut said, "ROLE:") {
        last = turn.parse().unwrap();
    }
    last
}

fn unfinished(place: &Place) -> usize {
    place.files().iter().filter(|name| name.ends_with(".new")).count()
}

fn reopened(place: &Place) -> Sealed {
    let vault = Sealed::at(place.vault());
    vault.unlock(&place.key_file()).unwrap();
    vault
}

#[test]
fn a_writer_killed_while_it_adds_loses_nothing_that_it_said_was_written() {
    if let Some((from, vault)) = role() {
        for turn in from.parse::<u32>().unwrap().. {
            vault.put(&turn.to_string(), key(&format!("secret {turn}"))).unwrap();
            println!("ROLE: {turn}");
        }
    }
    let place = Place::new();
    drop(place.by_key_file());
    let (mut next, mut cut_short) = (0, 0);
    for run in 0..runs() {
        let test = "crash::a_writer_killed_while_it_adds_loses_nothing_that_it_said_was_written";
        let last = killed(again(test, &next.to_string(), &place), run);
        cut_short += unfinished(&place);
        let vault = reopened(&place);
        let count = u32::try_from(vault.list().unwrap().len()).unwrap();
        // one more may be durable that it had no time to tell
        assert!((last + 1..=last + 2).contains(&count), "run {run}: told {last}, found {count}");
        for turn in next..count {
            assert_eq!(vault.secret(&turn.to_string()).unwrap().unwrap().expose(), format!("secret {turn}"));
        }
        vault.put("0", key("other")).unwrap();
        assert_eq!(unfinished(&place), 0, "the next writer clears away what the killed one left");
        vault.put("0", key("secret 0")).unwrap();
        next = count;
    }
    let vault = reopened(&place);
    for turn in 0..next {
        assert_eq!(vault.secret(&turn.to_string()).unwrap().unwrap().expose(), format!("secret {turn}"));
    }
    assert!(cut_short > 0, "no writer was killed in the middle of a write");
}

#[test]
fn a_vault_whose_rekey_is_killed_opens_with_all_that_was_in_it() {
    if let Some((place, vault)) = role() {
        for turn in 0.. {
            let opener = keywheel::vault::Opener::KeyFile(place.clone().into());
            vault.rekey(&[opener], Outsiders::Refuse).unwrap();
            println!("ROLE: {turn}");
        }
    }
    let place = Place::new();
    let vault = place.by_key_file();
    for name in ["one", "two"] {
        vault.put(name, key(name)).unwrap();
    }
    let mut generation = vault.status().unwrap().generation;
    for run in 0..runs() {
        let test = "crash::a_vault_whose_rekey_is_killed_opens_with_all_that_was_in_it";
        let last = killed(again(test, place.path("credential").to_str().unwrap(), &place), run);
        let fresh = reopened(&place);
        let now = fresh.status().unwrap().generation;
        let told = generation + u64::from(last) + 1;
        assert!((told..=told + 1).contains(&now), "run {run}: told {told}, found {now}");
        generation = now;
        for name in ["one", "two"] {
            assert_eq!(fresh.secret(name).unwrap().unwrap().expose(), name);
            assert_eq!(vault.secret(name).unwrap().unwrap().expose(), name, "a handle from before follows");
        }
    }
}
