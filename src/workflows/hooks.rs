//! Git hooks: written beside those that are there, which go first, and taken out so that nothing remains.
//!
//! A hook that was there is renamed to `NAME.before-keywheel` in its own folder, so that its bytes, its mode and what it
//! finds beside itself stay; ours calls it with the same arguments, stdin and environment, and ends with its exit code
//! when that is not 0. Only the name that it sees in `$0` is another.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::git::{Git, GitError, path_of};

/// The second line of every hook that we write.
const MARK: &str = "# written by `keywheel hook install`; `keywheel hook uninstall` puts back what was here before";
/// What a hook that was there is renamed to.
const BEFORE: &str = ".before-keywheel";

/// Ends where the hook that went first is one of ours.
const ONCE: &str = "if grep -q '^# written by `keywheel hook install`' \"$before\" 2>/dev/null; then exit 0; fi\n";

/// The hooks of a repository that git would no longer run once it is sent to one folder for all repositories. Those
/// that change what git does by being there at all (`push-to-checkout`, `proc-receive`) are left out.
const PASSED_ON: &[&str] = &[
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "post-receive",
    "post-update",
    "reference-transaction",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "post-index-change",
    "p4-changelist",
    "p4-prepare-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
];

/// A hook of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `prepare-commit-msg`: writes the message.
    Message,
    /// `pre-commit`: searches what is staged for secrets.
    Search,
}

impl Hook {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Message, Self::Search];

    /// Git's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "prepare-commit-msg",
            Self::Search => "pre-commit",
        }
    }

    /// What our hook does when the program is gone: a message can be missed, a search cannot.
    const fn without_program(self) -> &'static str {
        match self {
            Self::Message => "exit 0",
            Self::Search => {
                "echo 'keywheel: nothing staged was searched for secrets, since the program is gone; install it again, or \
                 take this hook out' >&2\nexit 1"
            }
        }
    }

    /// The end of our line: nothing that happens to a message keeps a commit from being made.
    const fn end(self) -> &'static str {
        match self {
            Self::Message => "exit 0",
            Self::Search => "exit $?",
        }
    }
}

/// Where hooks hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the repository of the working folder.
    Repository,
    /// In every repository of this user: in the folder that the global `core.hooksPath` names, else in this one.
    Everywhere(PathBuf),
}

/// Why a hook was not written or not taken out.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Git would not.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The system would not.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A manager of hooks owns the folder.
    #[error(
        "husky owns the hooks of this repository and writes them anew; put this line into .husky/{0} instead: keywheel hook run {0} \"$@\""
    )]
    Managed(&'static str),
    /// An older hook of somebody's lies where the one that is there now would have to go.
    #[error(
        "{0} is in the way: it is the hook from before an earlier install; put it back or remove it, then try again"
    )]
    InTheWay(PathBuf),
}

/// Writes hooks; gives what to tell, one sentence each. `call` is the program and its arguments up to the verb.
pub async fn install(git: &Git, reach: &Reach, hooks: &[Hook], call: &[OsString]) -> Result<Vec<String>, HookError> {
    let mut told = Vec::new();
    let folder = match reach {
        Reach::Repository => of_repository(git, &mut told).await?,
        Reach::Everywhere(own) => match global(git).await {
            Some(folder) if folder != *own => folder,
            _ => {
                pass_on(own)?;
                git.output([OsStr::new("config"), "--global".as_ref(), "core.hooksPath".as_ref(), own.as_ref()])
                    .await?;
                told.push(format!(
                    "core.hooksPath is now {}; hooks of a repository's own still run, from there",
                    own.display()
                ));
                own.clone()
            }
        },
    };
    if folder.ends_with(".husky/_") {
        return Err(HookError::Managed(hooks.first().map_or("prepare-commit-msg", |hook| hook.name())));
    }
    fs::create_dir_all(&folder).map_err(|error| HookError::File(folder.clone(), error))?;
    let passing = matches!(reach, Reach::Everywhere(own) if *own == folder);
    for hook in hooks {
        let path = folder.join(hook.name());
        let before = if passing { Before::Repository } else { Before::Beside };
        let kept = write(&path, &script(*hook, before, call))?;
        let kept = if kept { "; the one that was there goes first" } else { "" };
        told.push(format!("wrote {}{kept}", path.display()));
    }
    Ok(told)
}

/// Takes our hooks out; gives what to tell.
pub async fn uninstall(git: &Git, reach: &Reach) -> Result<Vec<String>, HookError> {
    let mut told = Vec::new();
    let folder = match reach {
        Reach::Repository => of_repository(git, &mut Vec::new()).await?,
        Reach::Everywhere(own) => match global(git).await {
            Some(folder) if folder == *own => {
                git.output(["config", "--global", "--unset", "core.hooksPath"]).await?;
                PASSED_ON.iter().try_for_each(|name| take_out(&own.join(name)).map(drop))?;
                // a file of somebody else keeps it
                drop(fs::remove_dir(own));
                return Ok(vec!["core.hooksPath is no longer set, and its folder is gone".to_owned()]);
            }
            Some(folder) => folder,
            None => return Ok(vec!["no hook of keywheel is there: core.hooksPath is not set globally".to_owned()]),
        },
    };
    for hook in Hook::ALL {
        let path = folder.join(hook.name());
        told.extend(match take_out(&path)? {
            Taken::Restored => Some(format!("{} is as it was before", path.display())),
            Taken::Removed => Some(format!("removed {}", path.display())),
            Taken::Nothing if before(&path).exists() => Some(format!(
                "{} is no longer ours; what was there before is {}",
                path.display(),
                before(&path).display()
            )),
            Taken::Nothing => None,
        });
    }
    if told.is_empty() {
        told.push(format!("no hook of keywheel is in {}", folder.display()));
    }
    Ok(told)
}

/// Where git looks for the hooks of this repository.
async fn of_repository(git: &Git, told: &mut Vec<String>) -> Result<PathBuf, HookError> {
    // a relative core.hooksPath is meant from where hooks run: the top of the working tree, or a bare repository
    let top = match git.line(["rev-parse", "--show-toplevel"]).await {
        Ok(top) => path_of(top),
        Err(_) => path_of(git.line(["rev-parse", "--absolute-git-dir"]).await?),
    };
    let top = Git::at(&top);
    let folder = path_of(top.line(["rev-parse", "--path-format=absolute", "--git-path", "hooks"]).await?);
    let scope = top.line(["config", "--show-scope", "--get", "core.hooksPath"]).await.unwrap_or_default();
    if scope.starts_with(b"global\t") || scope.starts_with(b"system\t") {
        told.push(format!(
            "core.hooksPath sends all repositories to {}, so this holds in all of them",
            folder.display()
        ));
    }
    Ok(folder)
}

/// The global `core.hooksPath`.
async fn global(git: &Git) -> Option<PathBuf> {
    let path = git.line(["config", "--global", "--type=path", "--get", "core.hooksPath"]).await.ok()?;
    Some(path_of(path)).filter(|path| !path.as_os_str().is_empty())
}

/// Which hook goes first.
#[derive(Clone, Copy)]
enum Before {
    /// The one that was there, beside ours.
    Beside,
    /// The repository's own, which git no longer sees.
    Repository,
}

fn script(hook: Hook, before: Before, call: &[OsString]) -> Vec<u8> {
    // a repository with a hook of ours in a folder of ours needs it once
    let (first, once) = match before {
        Before::Beside => (format!("before=\"$0{BEFORE}\""), ""),
        Before::Repository => (repositorys(hook.name()), ONCE),
    };
    let program = call.first().map(|program| quoted(program)).unwrap_or_default();
    let call: Vec<Vec<u8>> = call.iter().map(|word| quoted(word)).collect();
    let start = format!(
        "#!/bin/sh\n{MARK}\n{first}\nif [ -x \"$before\" ]; then \"$before\" \"$@\" || exit $?; fi\n{once}if [ -x "
    );
    let end = format!(" hook run {} \"$@\"\n  {}\nfi\n{}\n", hook.name(), hook.end(), hook.without_program());
    [start.as_bytes(), &program, b" ]; then\n  ", &call.join(&b' '), end.as_bytes()].concat()
}

fn repositorys(name: &str) -> String {
    format!("before=\"$(git rev-parse --git-common-dir)/hooks/{name}\"")
}

/// Writes into a folder for all repositories what passes every hook on to the repository's own.
fn pass_on(folder: &Path) -> Result<(), HookError> {
    fs::create_dir_all(folder).map_err(|error| HookError::File(folder.to_owned(), error))?;
    for name in PASSED_ON {
        let first = repositorys(name);
        let text =
            format!("#!/bin/sh\n{MARK}\n{first}\nif [ -x \"$before\" ]; then exec \"$before\" \"$@\"; fi\nexit 0\n");
        // one of ours that does more than pass on is written over below, where it is wanted
        write(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// A word for a shell, whatever its bytes.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut out = vec![b'\''];
    for byte in word.as_encoded_bytes() {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BEFORE);
    name.into()
}

fn is_ours(path: &Path) -> bool {
    fs::read(path).is_ok_and(|text| text.split(|byte| *byte == b'\n').nth(1) == Some(MARK.as_bytes()))
}

/// Writes a hook; says whether one that was there now goes first.
fn write(path: &Path, text: &[u8]) -> Result<bool, HookError> {
    let failed = |error| HookError::File(path.to_owned(), error);
    let kept = before(path);
    let there = path.symlink_metadata().is_ok() && !is_ours(path);
    if there {
        if kept.symlink_metadata().is_ok() {
            return Err(HookError::InTheWay(kept));
        }
        fs::rename(path, &kept).map_err(failed)?;
    }
    let written = put(path, text);
    if written.is_err() && there {
        // nothing may be lost: the old one stands where it stood
        drop(fs::rename(&kept, path));
    }
    written.map_err(failed)?;
    Ok(kept.symlink_metadata().is_ok())
}

/// Writes a program in one step.
fn put(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o755))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

enum Taken {
    Restored,
    Removed,
    Nothing,
}

/// Takes one of ours out and puts back what was there.
fn take_out(path: &Path) -> Result<Taken, HookError> {
    if !is_ours(path) {
        return Ok(Taken::Nothing);
    }
    let kept = before(path);
    let there = kept.symlink_metadata().is_ok();
    let done = if there { fs::rename(&kept, path) } else { fs::remove_file(path) };
    done.map_err(|error| HookError::File(path.to_owned(), error))?;
    Ok(if there { Taken::Restored } else { Taken::Removed })
}
