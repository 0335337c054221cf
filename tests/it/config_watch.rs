//! A change of any file is noticed; what does not concern the settings is not.

use std::fs;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use keywheel::config::edit::set;
use keywheel::config::{Paths, Watch, edit, watch};

use super::config::{Home, private};

/// Generous, for a busy machine: a test waits so long only when it fails.
const SOON: Duration = Duration::from_secs(10);

fn watching(paths: &Paths) -> (Watch, Receiver<()>) {
    let (changed, seen) = mpsc::channel();
    (watch(paths, move || changed.send(()).unwrap_or_default()).unwrap(), seen)
}

#[test]
fn a_change_of_each_file_is_noticed() {
    let home = Home::with("discover = true\n");
    fs::remove_dir(home.paths.providers()).unwrap();
    let project = home.dir.path().join("project.toml");
    let mut paths = home.paths.clone();
    paths.project = Some(project.clone());
    let (_watch, seen) = watching(&paths);

    home.write("discover = false\n");
    seen.recv_timeout(SOON).expect("the settings file was written");
    edit(&paths, |document| set(document, &["discover"], true)).unwrap();
    seen.recv_timeout(SOON).expect("the settings file was replaced");
    private(&project, "");
    seen.recv_timeout(SOON).expect("the project's file appeared");
    fs::create_dir(paths.providers()).unwrap();
    home.provider("mine", "name = 'x'\n");
    seen.recv_timeout(SOON).expect("a provider's file appeared in a new folder");
    settle(&seen);
    home.provider("mine", "name = 'y'\n");
    seen.recv_timeout(SOON).expect("a provider's file was written");

    settle(&seen);
    fs::write(paths.config.join("notes.txt"), "").unwrap();
    fs::write(paths.providers().join("mine.toml~"), "").unwrap();
    assert_eq!(settle(&seen), 0, "a file that is no setting was reported");
}

#[test]
fn a_burst_of_writes_is_told_as_few_changes() {
    let home = Home::with("");
    let (_watch, seen) = watching(&home.paths);
    for round in 0..40 {
        home.write(&format!("keep_alive = '{}s'\n", round + 1));
    }
    let told = settle(&seen);
    assert!((1..20).contains(&told), "40 writes were told as {told} changes");
}

/// Waits until nothing more is reported, and says how many reports came.
fn settle(seen: &Receiver<()>) -> usize {
    std::iter::from_fn(|| seen.recv_timeout(Duration::from_millis(600)).ok()).count()
}

#[test]
fn a_broken_file_leaves_the_settings_in_force() {
    let home = Home::with("keep_alive = '3s'\n");
    let live = keywheel::config::Live::new(home.load().unwrap().settings);
    let before = live.now();
    home.write("keep_alive = 3\n");
    let problems = home.load().map(|loaded| live.replace(loaded.settings)).unwrap_err();
    assert!(problems.to_string().ends_with("keywheel.toml:1: keep_alive: must be a text in quotes, not a number"));
    assert_eq!(live.now().keep_alive, Duration::from_secs(3));
    home.write("keep_alive = '4s'\n");
    home.load().map(|loaded| live.replace(loaded.settings)).unwrap();
    assert_eq!(
        (before.keep_alive.as_secs(), live.now().keep_alive.as_secs()),
        (3, 4),
        "a call under way keeps its own"
    );
}
