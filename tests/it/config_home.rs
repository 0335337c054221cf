//! Where everything lies.

use std::fs;
use std::path::Path;

use keywheel::config::Paths;
use keywheel::config::home::check_socket;

use super::config::lookup;

#[test]
fn a_named_home_holds_everything_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::resolve(Some(Path::new("kw")), None, dir.path(), &lookup(&[])).unwrap();
    paths.prepare().unwrap();
    let home = dir.path().join("kw");
    assert_eq!(paths.file, home.join("config/keywheel.toml"));
    assert_eq!(paths.socket(), home.join("run/keywheel.sock"));
    for folder in [&paths.config, &paths.state, &paths.data, &paths.run] {
        assert!(folder.starts_with(&home));
        keywheel::kit::file::private_dir(folder).unwrap();
    }
}

#[test]
fn a_flag_wins_over_the_environment() {
    let here = Path::new("/here");
    let env = lookup(&[("KEYWHEEL_HOME", "/from/env"), ("KEYWHEEL_CONFIG", "its.toml")]);
    let paths = Paths::resolve(None, None, here, &env).unwrap();
    assert_eq!(
        (paths.state.as_path(), paths.file.as_path()),
        (Path::new("/from/env/state"), Path::new("/here/its.toml"))
    );
    assert!(paths.named);
    let paths = Paths::resolve(Some(Path::new("/flag")), Some(Path::new("/mine.toml")), here, &env).unwrap();
    assert_eq!((paths.state.as_path(), paths.file.as_path()), (Path::new("/flag/state"), Path::new("/mine.toml")));
}

#[test]
fn a_home_that_cannot_be_made_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Paths::under(&file.join("home")).prepare().unwrap_err().to_string();
    assert!(
        error.starts_with("cannot create folder ") && error.ends_with("choose another place with --home DIR"),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_home_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut paths = Paths::under(dir.path());
    // private and never writable, also for root
    paths.state = "/proc/self/fd".into();
    let error = paths.prepare().unwrap_err().to_string();
    assert!(error.starts_with("cannot write in /proc/self/fd: ") && error.contains("--home DIR"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_home_that_others_may_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::under(dir.path());
    paths.prepare().unwrap();
    fs::set_permissions(&paths.state, PermissionsExt::from_mode(0o750)).unwrap();
    let error = paths.prepare().unwrap_err().to_string();
    assert!(error.contains("chmod 700"), "{error}");
}

#[test]
fn a_socket_path_over_107_bytes_is_refused() {
    check_socket(Path::new(&"x".repeat(107))).unwrap();
    let error = check_socket(Path::new(&"x".repeat(108))).unwrap_err().to_string();
    assert!(error.contains("has 108 bytes, the system takes 107") && error.contains("--home"), "{error}");
}

#[test]
fn the_projects_file_is_looked_for_up_to_the_root_of_the_repository() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("outside/repository/a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(dir.path().join("outside/repository/.git")).unwrap();
    let home = dir.path().join("home");
    let project = |here: &Path| Paths::resolve(Some(&home), None, here, &lookup(&[])).unwrap().project;

    fs::write(dir.path().join("outside/keywheel.toml"), "").unwrap();
    assert_eq!(project(&deep), None, "above the repository");
    assert_eq!(project(&dir.path().join("outside")), Some(dir.path().join("outside/keywheel.toml")));
    let inside = dir.path().join("outside/repository/keywheel.toml");
    fs::write(&inside, "").unwrap();
    assert_eq!(project(&deep), Some(inside.clone()));

    let own = Paths::resolve(Some(&home), Some(&inside), &deep, &lookup(&[])).unwrap();
    assert_eq!(own.project, None, "the settings file itself is not a project's");
}

#[test]
fn outside_of_a_repository_only_the_working_folder_counts() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    fs::write(dir.path().join("keywheel.toml"), "").unwrap();
    let paths = Paths::resolve(Some(&dir.path().join("home")), None, &below, &lookup(&[])).unwrap();
    assert_eq!(paths.project, None);
}
