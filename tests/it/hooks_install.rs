//! Writing hooks and taking them out: beside those that are there, wherever git looks for them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::hooks_rig::{Bench, MESSAGE, planted};

/// Every file below a folder with its mode and bytes; links with where they lead.
fn contents(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let bytes = if meta.is_symlink() {
            std::fs::read_link(&path).unwrap().to_str().unwrap().as_bytes().to_vec()
        } else {
            std::fs::read(&path).unwrap()
        };
        found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), (meta.permissions().mode(), bytes));
    }
    found
}

#[test]
fn a_hook_that_is_there_goes_first_and_its_exit_code_counts() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let old = "#!/bin/sh\necho \"$@\" >> args\ncat >> stdin\ngit rev-parse --is-inside-work-tree >> args\nexit ${OLD_ENDS:-0}\n";
    repo.program(".git/hooks/prepare-commit-msg", old);
    repo.program(".git/hooks/helper", "exit 0\n");
    std::os::unix::fs::symlink("helper", repo.path.join(".git/hooks/pre-commit")).unwrap();
    let before = contents(&repo.path.join(".git/hooks"));
    let told = repo.keywheel(["hook", "install", "--pre-commit"]);
    assert!(told.err.contains("the one that was there goes first") && told.out.is_empty(), "{told:?}");
    // a second time changes nothing
    let once = contents(&repo.path.join(".git/hooks"));
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    assert_eq!(contents(&repo.path.join(".git/hooks")), once);

    repo.stage("a.txt", "a\n");
    repo.git(["commit"]).done();
    assert_eq!(repo.message(), MESSAGE);
    let args = std::fs::read_to_string(repo.path.join("args")).unwrap();
    assert_eq!(args, ".git/COMMIT_EDITMSG\ntrue\n");
    repo.stage("a.txt", "b\n");
    let refused = repo.command("git").args(["commit"]).env("OLD_ENDS", "7").output().unwrap();
    assert_eq!((refused.status.code(), bench.calls()), (Some(1), 1), "git ends with 1, and nobody was asked");
    let mut hook = repo.command("sh");
    let hook = hook.args([".git/hooks/prepare-commit-msg", "x"]).env("OLD_ENDS", "7").output().unwrap();
    assert_eq!(hook.status.code(), Some(7), "{hook:?}");

    repo.keywheel(["hook", "uninstall"]).done();
    assert_eq!(contents(&repo.path.join(".git/hooks")), before);
    let nothing = repo.keywheel(["hook", "uninstall"]);
    assert!(nothing.err.contains("no hook of keywheel is in"), "{nothing:?}");
}

#[test]
fn where_no_hook_was_none_is_left_and_one_that_may_not_run_stays_so() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let hooks = repo.path.join(".git/hooks");
    let before = contents(&hooks);
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    repo.keywheel(["hook", "uninstall"]).done();
    assert_eq!(contents(&hooks), before);

    // git passes over a hook that may not be run; so do we
    repo.write(".git/hooks/pre-commit", "exit 9\n");
    let before = contents(&hooks);
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    repo.stage("a.txt", "a\n");
    repo.git(["commit", "-m", "a"]).done();
    repo.keywheel(["hook", "uninstall"]).done();
    assert_eq!(contents(&hooks), before);

    // somebody else wrote over ours: neither is lost
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    repo.write(".git/hooks/pre-commit", "#!/bin/sh\n# another tool\n");
    assert!(repo.keywheel(["hook", "install", "--pre-commit"]).failed(1).contains("is in the way"));
    let told = repo.keywheel(["hook", "uninstall"]);
    assert!(told.err.contains("is no longer ours"), "{told:?}");
    assert_eq!(std::fs::read(hooks.join("pre-commit.before-keywheel")).unwrap(), b"exit 9\n");
}

#[test]
fn hooks_path_is_honoured_from_any_folder_and_husky_is_not_broken() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    repo.git(["config", "core.hooksPath", ".githooks"]).done();
    repo.write("deep/er/x.txt", "x\n");
    let below = repo.at(repo.path.join("deep/er"));
    below.keywheel(["hook", "install"]).done();
    assert!(repo.path.join(".githooks/prepare-commit-msg").exists());
    assert!(!repo.path.join(".git/hooks/prepare-commit-msg").exists());
    below.git(["add", "x.txt"]).done();
    below.git(["commit"]).done();
    assert_eq!(repo.message(), MESSAGE);
    below.keywheel(["hook", "uninstall"]).done();
    assert_eq!(contents(&repo.path.join(".githooks")), BTreeMap::new());

    repo.git(["config", "core.hooksPath", ".husky/_"]).done();
    let told = repo.keywheel(["hook", "install"]).failed(1);
    assert!(told.contains(".husky/prepare-commit-msg instead: keywheel hook run"), "{told}");
    let outside = repo.at(repo.path.parent().unwrap()).keywheel(["hook", "install"]).failed(1);
    assert!(outside.contains("no git repository"), "{outside}");
}

#[test]
fn worktrees_and_submodules_have_their_hooks_where_git_looks() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let tree = repo.path.join("../tree");
    repo.git(["worktree", "add", "-q", tree.to_str().unwrap()]).done();
    let tree = repo.at(tree);
    tree.keywheel(["hook", "install"]).done();
    assert!(repo.path.join(".git/hooks/prepare-commit-msg").exists());
    tree.stage("t.txt", "t\n");
    tree.git(["commit"]).done();
    assert_eq!(tree.message(), MESSAGE);
    assert!(bench.asked().contains("Branch: tree\n"), "{}", bench.asked());

    let outer = bench.repo("outer");
    outer.git(["submodule", "--quiet", "add", repo.path.to_str().unwrap(), "inner"]).done();
    let inner = outer.at(outer.path.join("inner"));
    inner.keywheel(["hook", "install"]).done();
    assert!(outer.path.join(".git/modules/inner/hooks/prepare-commit-msg").exists());
    inner.stage("i.txt", "i\n");
    inner.git(["commit"]).done();
    assert_eq!((inner.message().as_str(), bench.calls()), (MESSAGE, 2));
    // the outer repository sees the submodule move
    outer.keywheel(["hook", "install"]).done();
    outer.git(["add", "."]).done();
    outer.git(["commit"]).done();
    assert!(bench.asked().contains("+Subproject commit"), "{}", bench.asked());
}

#[test]
fn global_hooks_hold_everywhere_and_repositories_keep_their_own() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let config = repo.write("../gitconfig", "[user]\n\tname = Ann\n");
    repo.program(".git/hooks/commit-msg", "#!/bin/sh\ngrep -q greet \"$1\" || exit 3\n");
    repo.program(".git/hooks/pre-commit", "#!/bin/sh\necho own >> own\n");
    repo.keywheel(["hook", "install", "--global", "--pre-commit"]).done();
    repo.stage("a.txt", "a\n");
    repo.git(["commit"]).done();
    assert_eq!(repo.message(), MESSAGE);
    assert!(repo.path.join("own").exists(), "the repository's own pre-commit ran");
    repo.stage("b.txt", "b\n");
    assert_eq!(repo.git(["commit", "-m", "not that word"]).code, 1, "its commit-msg says no");
    repo.stage("b.txt", format!("{}\n", planted()));
    assert!(repo.git(["commit", "-m", "greet"]).failed(1).contains("b.txt:1: "));

    // where both are installed a message is written once
    let calls = bench.calls();
    let other = bench.repo("other");
    other.write(".git/hooks/none", "");
    other.git(["config", "--global", "--unset", "core.hooksPath"]).done();
    other.keywheel(["hook", "install"]).done();
    other.keywheel(["hook", "install", "--global", "--pre-commit"]).done();
    other.stage("c.txt", "c\n");
    other.git(["commit"]).done();
    assert_eq!((other.message().as_str(), bench.calls()), (MESSAGE, calls + 1));

    repo.keywheel(["hook", "uninstall", "--global"]).done();
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "[user]\n\tname = Ann\n");
    assert!(!bench.rig.keywheel.home().join("data/hooks").exists());
}

#[test]
fn a_global_folder_of_ones_own_is_used_and_left_as_it_was() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    let folder = repo.path.join("../hooks");
    let own = repo.program("../hooks/prepare-commit-msg", "#!/bin/sh\necho own >> \"$1\"\n");
    repo.git(["config", "--global", "core.hooksPath", folder.to_str().unwrap()]).done();
    let before = contents(&folder);
    repo.keywheel(["hook", "install", "--global"]).done();
    repo.stage("a.txt", "a\n");
    repo.git(["commit"]).done();
    assert!(repo.message().starts_with(MESSAGE) && repo.message().ends_with("own"), "{}", repo.message());
    repo.keywheel(["hook", "uninstall", "--global"]).done();
    assert_eq!(contents(&folder), before);
    assert!(own.exists());
    let told = repo.keywheel(["hook", "install"]);
    assert!(told.err.contains("so this holds in all of them"), "{told:?}");
}

#[test]
fn a_program_that_is_gone_loses_a_message_and_stops_a_search() {
    let bench = Bench::new();
    let repo = bench.repo("r");
    repo.keywheel(["hook", "install", "--pre-commit"]).done();
    for (name, code) in [("prepare-commit-msg", 0), ("pre-commit", 1)] {
        let hook = repo.path.join(".git/hooks").join(name);
        let text = std::fs::read_to_string(&hook).unwrap().replace(env!("CARGO_BIN_EXE_keywheel"), "/nowhere/keywheel");
        std::fs::write(&hook, text).unwrap();
        let ended = repo.command("sh").args([hook.to_str().unwrap(), "x"]).output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{name}");
    }
}
