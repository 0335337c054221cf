//! The one writer of the settings file: locked, comments kept, checked before it is written, and undone on request.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::home::Paths;
use super::lines;
use super::load::validate;
use super::problem::{Problem, Problems};
use crate::kit::file::{self, FileError, Lock};

/// How many texts of each kind are kept beside the file.
const GENERATIONS: usize = 10;

/// The texts from before an edit, and those that an undo replaced: `keywheel.toml.bak.3`.
const BEFORE: &str = "bak";
const UNDONE: &str = "undone";

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// The file has a new text.
    Written,
    /// The file already said so.
    Unchanged,
}

/// Why the settings file was not changed. It is as it was in every case.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// The file cannot be written, or its folder not be locked.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not TOML as it is.
    #[error("the settings file must be mended first:\n{0}")]
    Broken(Problems),
    /// The change itself found that it cannot be made.
    #[error("{0}")]
    Refused(String),
    /// With the change the settings would be wrong.
    #[error("not written, because the settings would be wrong:\n{0}")]
    Wrong(Problems),
    /// There is no earlier text.
    #[error("there is no earlier version of {0} to go back to")]
    NothingToUndo(PathBuf),
}

/// Changes the settings file. `change` gets the document and may refuse in words; comments and everything that it does
/// not touch stay as they are. The earlier text is kept for `undo`. Blocking.
pub fn edit<F>(paths: &Paths, change: F) -> Result<Edited, EditError>
where
    F: FnOnce(&mut DocumentMut) -> Result<(), String>,
{
    let file = open(paths)?;
    let _lock = Lock::wait(&beside(&file, "lock"))?;
    let before = text_of(&file)?;
    let mut document: DocumentMut = lines::plain(&before).parse().map_err(|error: toml_edit::TomlError| {
        let message = format!("not TOML: {}", error.message());
        EditError::Broken(Problems(vec![Problem::in_file(file.display().to_string(), message)]))
    })?;
    change(&mut document).map_err(EditError::Refused)?;
    let after = lines::like(&before, &document.to_string());
    if after == before {
        return Ok(Edited::Unchanged);
    }
    validate(paths, &after).map_err(EditError::Wrong)?;
    keep(&file, BEFORE, &before)?;
    file::replace(&file, after.as_bytes())?;
    Ok(Edited::Written)
}

/// Puts back the text before the last edit; called again, the one before that. What it replaces, hand edits included,
/// is kept beside it, in the file that is given back. Blocking.
pub fn undo(paths: &Paths) -> Result<PathBuf, EditError> {
    let file = open(paths)?;
    let _lock = Lock::wait(&beside(&file, "lock"))?;
    let Some((_, newest)) = generations(&file, BEFORE).pop() else { return Err(EditError::NothingToUndo(file)) };
    let earlier = text_of(&newest)?;
    let kept = keep(&file, UNDONE, &text_of(&file)?)?;
    file::replace(&file, earlier.as_bytes())?;
    fs::remove_file(&newest).map_err(|error| FileError::Io("remove", newest, error))?;
    Ok(kept)
}

/// Sets one value and keeps the comments around it. Tables on the way are made where they are missing; fails when the
/// way leads through something that is not a table.
pub fn set(document: &mut DocumentMut, key: &[&str], value: impl Into<Value>) -> Result<(), String> {
    let Some((last, way)) = key.split_last() else { return Err("no key is named".to_owned()) };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in way {
        if !table.contains_key(name) {
            let mut made = toml_edit::Table::new();
            made.set_implicit(way.last() != Some(name));
            table.insert(name, Item::Table(made));
        }
        let below = table.get_mut(name).and_then(Item::as_table_like_mut);
        table = below.ok_or_else(|| format!("`{name}` is not a table"))?;
    }
    let value = value.into();
    match table.get_mut(last) {
        Some(Item::Value(old)) => {
            // the comment at the end of the line hangs on the old value
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        Some(Item::None) | None => {
            table.insert(last, Item::Value(value));
        }
        Some(_) => return Err(format!("`{last}` is a table; name a key in it")),
    }
    Ok(())
}

/// The file itself, where the name is a link into somebody's collection of settings: the link must stay one.
fn open(paths: &Paths) -> Result<PathBuf, EditError> {
    let file = paths.file.canonicalize().unwrap_or_else(|_| paths.file.clone());
    if let Some(folder) = file.parent().filter(|folder| !folder.is_dir()) {
        file::private_dir(folder)?;
    }
    Ok(file)
}

fn text_of(path: &Path) -> Result<String, EditError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| EditError::Read(path.to_owned(), error)),
    }
}

/// `keywheel.toml.SUFFIX`.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Keeps a text as the newest of its kind, and no more of that kind than there may be; gives back where it lies.
fn keep(file: &Path, kind: &str, text: &str) -> Result<PathBuf, EditError> {
    let kept = generations(file, kind);
    let next = kept.last().map_or(1, |(number, _)| number + 1);
    let newest = beside(file, &format!("{kind}.{next}"));
    file::replace(&newest, text.as_bytes())?;
    let surplus = (kept.len() + 1).saturating_sub(GENERATIONS);
    for (_, old) in kept.into_iter().take(surplus) {
        fs::remove_file(&old).map_err(|error| FileError::Io("remove", old, error))?;
    }
    Ok(newest)
}

/// The kept texts of a kind, oldest first.
fn generations(file: &Path, kind: &str) -> Vec<(u64, PathBuf)> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let prefix = format!("{name}.{kind}.");
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse().ok();
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut kept: Vec<_> = files.filter_map(|path| Some((number(&path)?, path))).collect();
    kept.sort();
    kept
}
