//! A question with its context: files and whatever came through stdin, each under its name.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// More context than this fits into no model.
const MOST: usize = 8 << 20;

/// Why a question cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// Stdin cannot be read.
    #[error("cannot read stdin: {0}")]
    Stdin(#[source] io::Error),
    /// Not text.
    #[error("{0} is no text; only text can be sent, so convert it first")]
    Binary(String),
    /// Too much.
    #[error("with {0} the question has more than 8 MiB; send less")]
    TooMuch(String),
    /// Nothing at all.
    #[error("there is nothing to ask; write keywheel ask \"…\", or pipe a text into it")]
    Empty,
}

/// A piece of context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The file's name; empty for stdin.
    name: String,
    text: String,
}

impl Context {
    /// A text file.
    pub fn file(path: &Path) -> Result<Self, QuestionError> {
        let failed = |error| QuestionError::File(path.to_owned(), error);
        let name = path.display().to_string();
        let text = text(&name, File::open(path).map_err(failed)?, failed)?;
        Ok(Self { name, text })
    }

    /// What comes through stdin, to its end.
    pub fn stdin(from: impl Read) -> Result<Self, QuestionError> {
        Ok(Self { name: String::new(), text: text("stdin", from, QuestionError::Stdin)? })
    }
}

fn text(name: &str, from: impl Read, failed: impl Fn(io::Error) -> QuestionError) -> Result<String, QuestionError> {
    let mut bytes = Vec::new();
    from.take(MOST as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MOST {
        return Err(QuestionError::TooMuch(name.to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(QuestionError::Binary(name.to_owned())),
    }
}

/// The question as a model reads it: the context first, since what stands last is answered.
pub fn question(words: &str, context: &[Context]) -> Result<String, QuestionError> {
    let mut whole = String::new();
    let named = context.iter().filter(|context| !context.text.trim().is_empty());
    let several = context.len() > 1 || !words.trim().is_empty();
    for Context { name, text } in named {
        let text = text.trim_end();
        let _ = match (name.as_str(), several) {
            ("", false) => writeln!(whole, "{text}"),
            ("", true) => writeln!(whole, "<stdin>\n{text}\n</stdin>\n"),
            (name, _) => writeln!(whole, "<file name=\"{name}\">\n{text}\n</file>\n"),
        };
        if whole.len() > MOST {
            return Err(QuestionError::TooMuch(if name.is_empty() { "stdin".to_owned() } else { name.clone() }));
        }
    }
    whole += words.trim();
    let whole = whole.trim_end().to_owned();
    if whole.is_empty() { Err(QuestionError::Empty) } else { Ok(whole) }
}
