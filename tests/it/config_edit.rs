//! The one writer: comments survive, nothing wrong is written, every step can be undone.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use keywheel::config::edit::set;
use keywheel::config::{EditError, Edited, edit, undo};
use proptest::prelude::*;

use super::config::Home;

const COMMENTED: &str = "# top\n\nkeep_alive = \"30s\" # why thirty\n\n# the room\n[parking] # waits\n\
                         # longest\nmax_wait   =   \"60s\"\t# a minute\n# last words\n";

fn text(home: &Home) -> String {
    fs::read_to_string(&home.paths.file).unwrap()
}

#[test]
fn an_edit_keeps_every_comment_and_all_spacing() {
    let home = Home::with(COMMENTED);
    let edited = edit(&home.paths, |document| {
        set(document, &["keep_alive"], "20s")?;
        set(document, &["parking", "max_wait"], "90s")
    });
    assert_eq!(edited.unwrap(), Edited::Written);
    assert_eq!(text(&home), COMMENTED.replace("30s", "20s").replace("60s", "90s"));
}

#[test]
fn a_byte_order_mark_survives() {
    let home = Home::with("\u{feff}# top\r\nkeep_alive = '1s'\r\n");
    edit(&home.paths, |document| set(document, &["keep_alive"], "2s")).unwrap();
    assert_eq!(text(&home), "\u{feff}# top\r\nkeep_alive = \"2s\"\r\n");
}

#[test]
fn a_missing_file_is_made_private() {
    let home = Home::new();
    edit(&home.paths, |document| {
        set(document, &["models", "fast", "route"], toml_edit::Array::from_iter(["sim/echo"]))
    })
    .unwrap();
    assert_eq!(text(&home), "[models.fast]\nroute = [\"sim/echo\"]\n");
    keywheel::kit::file::check_private(&home.paths.file).unwrap();
    undo(&home.paths).unwrap();
    assert_eq!(text(&home), "");
}

#[test]
fn nothing_wrong_is_written_and_no_backup_is_made_for_it() {
    let home = Home::with(COMMENTED);
    let error = edit(&home.paths, |document| set(document, &["default_provider"], "nobody")).unwrap_err();
    let EditError::Wrong(problems) = &error else { panic!("{error}") };
    assert_eq!(problems.0[0].key, "default_provider");
    let refused = edit(&home.paths, |_| Err("no such account".to_owned())).unwrap_err();
    assert_eq!(refused.to_string(), "no such account");
    assert_eq!(text(&home), COMMENTED);
    assert!(matches!(undo(&home.paths), Err(EditError::NothingToUndo(_))));
}

#[test]
fn a_broken_file_is_not_edited_but_can_be_undone() {
    let home = Home::with("keep_alive = '1s'\n");
    edit(&home.paths, |document| set(document, &["keep_alive"], "2s")).unwrap();
    home.write("keep_alive = = 'oops'\n");
    let error = edit(&home.paths, |document| set(document, &["keep_alive"], "3s")).unwrap_err();
    assert!(matches!(error, EditError::Broken(_)), "{error}");
    undo(&home.paths).unwrap();
    assert_eq!(text(&home), "keep_alive = '1s'\n");
    let undone = fs::read_to_string(home.paths.config.join("keywheel.toml.undone.1")).unwrap();
    assert_eq!(undone, "keep_alive = = 'oops'\n", "what a person wrote by hand is not lost");
}

#[test]
fn undo_goes_back_step_by_step_through_ten_generations() {
    let home = Home::with("keep_alive = '100s' # kept\n");
    for second in 101..=112 {
        edit(&home.paths, |document| set(document, &["keep_alive"], format!("{second}s"))).unwrap();
    }
    assert_eq!(edit(&home.paths, |document| set(document, &["keep_alive"], "112s")).unwrap(), Edited::Unchanged);
    for second in (102..=111).rev() {
        undo(&home.paths).unwrap();
        assert_eq!(text(&home), format!("keep_alive = \"{second}s\" # kept\n"));
    }
    assert!(matches!(undo(&home.paths), Err(EditError::NothingToUndo(_))));
    // what undoing replaced is kept as long
    edit(&home.paths, |document| set(document, &["keep_alive"], "113s")).unwrap();
    let newest = undo(&home.paths).unwrap();
    assert!(newest.ends_with("keywheel.toml.undone.11") && fs::read_to_string(newest).unwrap().contains("113s"));
    let names = fs::read_dir(&home.paths.config).unwrap().map(|entry| entry.unwrap().file_name());
    let undone = names.filter(|name| name.to_string_lossy().contains(".undone."));
    assert_eq!(undone.count(), 10);
}

#[test]
fn edits_at_the_same_time_are_all_kept() {
    let home = Home::new();
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let name = format!("m{}", next.fetch_add(1, Ordering::SeqCst));
                    let route = toml_edit::Array::from_iter(["sim/echo"]);
                    edit(&home.paths, |document| set(document, &["models", &name, "route"], route)).unwrap();
                }
            });
        }
    });
    assert_eq!(home.load().unwrap().settings.models.len(), 20);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_stays_a_link() {
    let home = Home::new();
    let real = home.dir.path().join("real.toml");
    super::config::private(&real, COMMENTED);
    std::os::unix::fs::symlink(&real, &home.paths.file).unwrap();
    edit(&home.paths, |document| set(document, &["discover"], false)).unwrap();
    assert!(fs::symlink_metadata(&home.paths.file).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("discover = false"));
}

/// Lines that mean nothing, in all the ways people write them; `LF` and `CRLF`.
fn idle() -> impl Strategy<Value = String> {
    let line = prop_oneof!["[ \t]{0,3}", "[ \t]{0,2}#[ -~äöü#\"'=\\[\\]]{0,20}", "#!? \\[parking\\] max_wait = 1 *",];
    prop::collection::vec((line, prop_oneof!["\n", "\r\n"]), 0..4)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_bytes_but_the_value_survive_an_edit(
        gaps in prop::collection::vec(idle(), 5),
        space in "[ \t]{0,3}",
        tail in "([ \t]{0,3}#[ -~ß]{0,12})?",
        end in prop_oneof!["\n", "\r\n"],
        second in 1u32..5000,
    ) {
        let whole = |wait: &str| {
            let [a, b, c, d, e] = gaps.as_slice() else { unreachable!("five gaps were made") };
            format!(
                "{a}discover{space}={space}false{tail}{end}{b}hosts = [ # list{end}  'x',{end}]{end}{c}[parking]{tail}{end}\
                 {d}max_wait{space}={space}{wait}{tail}{end}{e}[models.\"a.b\"]{end}route = ['sim/echo']{end}"
            )
        };
        let home = Home::with(&whole("'7s'"));
        let wait = format!("{second}ms");
        edit(&home.paths, |document| set(document, &["parking", "max_wait"], wait.as_str())).unwrap();
        prop_assert_eq!(text(&home), whole(&format!("\"{wait}\"")));
        undo(&home.paths).unwrap();
        prop_assert_eq!(text(&home), whole("'7s'"));
    }
}
