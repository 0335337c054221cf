//! `hook …` and `commit`: what git calls, and what a person calls in its place.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::{env, on_one_core, paths, questions, review, settings};
use crate::cli::{Command, Commit, Exit, HookName, HookVerb, Lines, ReviewDiff};
use crate::config::{Paths, SecretSource, Settings};
use crate::kit::Secret;
use crate::redact::Known;
use crate::workflows::diff::{Scope, changes};
use crate::workflows::git::Git;
use crate::workflows::hooks::{self, Hook, Reach};
use crate::workflows::message::{self, Message, Writer};
use crate::workflows::secrets;

/// Of what is staged no more is searched for secrets; a longer diff is no commit of a person.
const MOST_SEARCHED: usize = 512 << 20;

/// Does what a verb asks for.
pub(super) fn run(verb: &HookVerb, command: &Command, lines: &mut Lines<'_>) -> Result<(), Failure> {
    match verb {
        HookVerb::Install { global, pre_commit } => {
            let paths = paths(command)?;
            let chosen = if *pre_commit { &Hook::ALL[..] } else { &Hook::ALL[..1] };
            let call = call(command)?;
            let told = on_one_core(async {
                hooks::install(&Git::here(), &reach(*global, &paths), chosen, &call).await.map_err(Failure::new)
            })?;
            told.iter().for_each(|line| lines.say(line));
            lines.say("git commit now begins with a message; take it out with: keywheel hook uninstall");
            Ok(())
        }
        HookVerb::Uninstall { global } => {
            let paths = paths(command)?;
            let told = on_one_core(async {
                hooks::uninstall(&Git::here(), &reach(*global, &paths)).await.map_err(Failure::new)
            })?;
            told.iter().for_each(|line| lines.say(line));
            Ok(())
        }
        HookVerb::Run { hook: HookName::PrepareCommitMsg, args } => {
            // whatever happens, a commit is not kept from being made
            match on_one_core(prepare(args, command)) {
                Ok(Some(words)) => lines.say(format_args!("keywheel: {words}")),
                Ok(None) => {}
                Err(Failure { message, .. }) => lines.say(format_args!("keywheel: no commit message: {message}")),
            }
            Ok(())
        }
        HookVerb::Run { hook: HookName::PreCommit, .. } => on_one_core(search(command, lines)),
    }
}

/// `commit`.
pub(super) async fn commit(asked: &Commit, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let git = Git::here();
    let gateway = questions::gateway(paths).await?;
    let scope = if asked.all { Scope::Tracked } else { Scope::Staged };
    let known = known(&settings);
    let model = asked.model.as_deref();
    let writer = Writer { operator: &gateway, git: &git, settings: &settings, known: &known, model };
    let message = writer.write(scope).await.map_err(Failure::new)?;
    let text = message::placed(&git, &message, b"").await.map_err(Failure::new)?;
    lines.say(format_args!("{} ({})", by(&message), message.why));
    if asked.print {
        return Ok(lines.raw().write_all(&text)?);
    }
    let mut file = tempfile::NamedTempFile::new().map_err(Failure::new)?;
    file.write_all(&text)?;
    let mut args: Vec<OsString> = vec!["commit".into(), "--file".into(), file.path().into()];
    args.extend(asked.all.then(|| "--all".into()));
    let looked_at = !asked.yes && io::stdin().is_terminal();
    args.extend(looked_at.then(|| "--edit".into()));
    let status = git.command(args).status().await;
    let status = status.map_err(|error| Failure::new(format_args!("git cannot be run: {error}")))?;
    // git has said why
    if status.success() { Ok(()) } else { Err(Failure { exit: Exit::Failed, message: String::new() }) }
}

/// Writes a message into the file that git names. `None` where none is wanted.
async fn prepare(args: &[OsString], command: &Command) -> Result<Option<String>, Failure> {
    let file = args.first().ok_or_else(|| Failure::new("git named no file; run: keywheel commit"))?;
    let source = args.get(1).and_then(|source| source.to_str()).map(str::to_owned);
    // the pre-commit framework hands on the file alone
    let source = source.or_else(|| env("PRE_COMMIT_COMMIT_MSG_SOURCE"));
    let git = Git::here();
    if !message::wanted(&git, source.as_deref()).await.map_err(Failure::new)? {
        return Ok(None);
    }
    let paths = paths(command)?;
    let settings = settings::loaded(&paths)?.settings;
    let known = known(&settings);
    let gateway = tokio::time::timeout(settings.commit.timeout, questions::gateway(&paths)).await;
    let gateway = gateway.map_err(|_| Failure::new("the gateway does not answer"))??;
    let writer = Writer { operator: &gateway, git: &git, settings: &settings, known: &known, model: None };
    let message = match writer.write(Scope::Staged).await {
        Err(message::MessageError::Nothing) => return Ok(None),
        written => written.map_err(Failure::new)?,
    };
    let path = PathBuf::from(file);
    let failed = |error| Failure::new(format_args!("{}: {error}", path.display()));
    let old = std::fs::read(&path).map_err(failed)?;
    let text = message::placed(&git, &message, &old).await.map_err(Failure::new)?;
    replace(&path, &text).map_err(failed)?;
    Ok(Some(by(&message)))
}

/// Searches what is staged. Needs no gateway, and no settings that are right.
async fn search(command: &Command, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = paths(command).and_then(|paths| settings::loaded(&paths)).ok().map(|loaded| loaded.settings);
    let known = settings.as_ref().map(known).unwrap_or_default();
    let unsearched: Vec<wildmatch::WildMatch> = settings
        .iter()
        .flat_map(|settings| &settings.commit.unsearched)
        .map(|glob| wildmatch::WildMatch::new(glob))
        .collect();
    let changes = changes(&Git::here(), Scope::Staged, MOST_SEARCHED).await.map_err(Failure::new)?;
    let searched = changes.iter().filter(|change| !unsearched.iter().any(|glob| glob.matches(&change.name())));
    let mut found = 0;
    for change in searched {
        for secrets::Finding { path, line, rule } in secrets::added(&known, change) {
            found += 1;
            lines.data(format_args!("{path}:{line}: {rule}"))?;
        }
    }
    match found {
        0 => reviewed(settings.as_ref(), command, lines).await,
        found => Err(Failure::new(format_args!(
            "{found} staged {} like a secret; take it out and rotate it if it is one, or write keywheel:allow into a line \
             that holds none",
            if found == 1 { "line looks" } else { "lines look" }
        ))),
    }
}

/// Has what is staged reviewed, where the settings want that. A commit is kept from being made by what is found and by
/// nothing else: no gateway, an error and a late answer let it through.
async fn reviewed(settings: Option<&Settings>, command: &Command, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let Some(patience) = settings.and_then(|settings| settings.commit.review) else { return Ok(()) };
    match review::run(&ReviewDiff::staged(patience), &paths(command)?, lines).await {
        Ok(()) => Ok(()),
        Err(Failure { exit: Exit::Found, .. }) => {
            Err(Failure::new("the review found what stands above; git commit --no-verify commits it all the same"))
        }
        Err(Failure { message, .. }) => {
            lines.say(format_args!("keywheel: not reviewed: {message}"));
            Ok(())
        }
    }
}

/// What counts as a secret: the rules, and the keys that this shell holds for accounts.
pub(super) fn known(settings: &Settings) -> Known {
    let known = Known::default();
    known.heed(&settings.national_ids);
    for account in &settings.accounts {
        if let SecretSource::Env(name) = &account.secret
            && let Some(value) = env(name)
        {
            known.learn(&Secret::new(value.trim()));
        }
    }
    known
}

fn by(message: &Message) -> String {
    let masked = match message.masked {
        0 => String::new(),
        1 => "; a secret in the diff was not sent".to_owned(),
        some => format!("; {some} secrets in the diff were not sent"),
    };
    format!("message by {}{masked}", message.author)
}

fn reach(global: bool, paths: &Paths) -> Reach {
    if global { Reach::Everywhere(paths.data.join("hooks")) } else { Reach::Repository }
}

/// How a hook calls this program: by the name under which a shell finds it, which an update keeps, else by its place.
fn call(command: &Command) -> Result<Vec<OsString>, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::new(format_args!("this program's place is unknown: {error}")))?;
    let same =
        |path: &PathBuf| matches!((path.canonicalize(), own.canonicalize()), (Ok(one), Ok(other)) if one == other);
    let found =
        env("PATH").and_then(|path| std::env::split_paths(&path).map(|folder| folder.join("keywheel")).find(same));
    let mut call = vec![found.filter(|path| path.is_absolute()).unwrap_or(own).into_os_string()];
    let home = command.home.clone().or_else(|| env("KEYWHEEL_HOME").map(PathBuf::from));
    let config = command.config.clone().or_else(|| env("KEYWHEEL_CONFIG").map(PathBuf::from));
    for (flag, path) in [("--home", home), ("--config", config)] {
        if let Some(path) = path {
            let path = std::path::absolute(path).map_err(Failure::new)?;
            call.extend([flag.into(), path.into_os_string()]);
        }
    }
    Ok(call)
}

/// Replaces a file in one step, with the mode that it had.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
