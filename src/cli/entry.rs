//! How a secret comes in: typed without echo, through stdin, or from a file. Never as an argument, which every user of
//! the machine could read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::kit::Secret;

/// More than any key or passphrase is long.
const LONGEST: usize = 64 << 10;

/// Why there is no secret. What was read is not in it.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Nobody can be asked.
    #[error("the {0} cannot be asked for, since stdin is no terminal and says nothing; give it there or by {1} FILE")]
    Nobody(String, &'static str),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// The terminal or stdin cannot be read.
    #[error("cannot read the {0}: {1}")]
    Input(String, #[source] io::Error),
    /// There is nothing in it.
    #[error("the {0} is empty")]
    Empty(String),
    /// More than one line, or no text.
    #[error("the {0} must be one line of text")]
    Odd(String),
    /// Typed differently the second time.
    #[error("the two do not match; nothing was changed")]
    Differ,
}

/// A secret that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it is: `passphrase of the vault`.
    pub what: &'a str,
    /// The file to read it from; `-` is stdin.
    pub file: Option<&'a Path>,
    /// The flag that names such a file.
    pub flag: &'static str,
    /// How often it is typed.
    pub typed: Typed,
}

/// How often a secret is typed at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Once: a mistake shows at once.
    Once,
    /// Twice: a mistake would lock somebody out.
    Twice,
}

impl Entry<'_> {
    /// The secret. From the file if one is named, else typed, else from stdin.
    pub fn read(self) -> Result<Secret, EntryError> {
        match self.file {
            Some(path) if path != Path::new("-") => {
                let failed = |error| EntryError::File(path.to_owned(), error);
                let text = all_of(File::open(path).map_err(failed)?).map_err(failed)?;
                self.one_line(text)
            }
            None if io::stdin().is_terminal() => self.typed(),
            _ => {
                let text =
                    all_of(io::stdin().lock()).map_err(|error| EntryError::Input(self.what.to_owned(), error))?;
                if text.trim().is_empty() && self.file.is_none() {
                    return Err(EntryError::Nobody(self.what.to_owned(), self.flag));
                }
                self.one_line(text)
            }
        }
    }

    fn typed(self) -> Result<Secret, EntryError> {
        let ask = |prompt: String| {
            let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
            typed.map_err(|error| EntryError::Input(self.what.to_owned(), error))
        };
        let first = ask(format!("{}: ", self.what))?;
        if self.typed == Typed::Twice && ask(format!("{}, again: ", self.what))? != first {
            return Err(EntryError::Differ);
        }
        self.one_line(first)
    }

    fn one_line(self, text: Zeroizing<String>) -> Result<Secret, EntryError> {
        let line = text.trim();
        match line {
            "" => Err(EntryError::Empty(self.what.to_owned())),
            line if line.chars().any(char::is_control) => Err(EntryError::Odd(self.what.to_owned())),
            line => Ok(Secret::new(line)),
        }
    }
}

/// All of a small text, in one buffer from the start: growing would leave copies behind.
fn all_of(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    from.take(LONGEST as u64).read_to_string(&mut text)?;
    Ok(text)
}
