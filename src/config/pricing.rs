//! The user's price files on top of the shipped ones: first what was imported, then what was written by hand.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::home::Paths;
use crate::catalog::prices::{PriceError, Prices};

/// Why there is no price table.
#[derive(Debug, thiserror::Error)]
pub enum PricingError {
    /// A file or folder cannot be read.
    #[error("{}: {error}; mend or remove it", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is no price file.
    #[error("{0}; mend the file or remove it")]
    Wrong(#[from] PriceError),
}

/// The table in force: shipped files, imports, the user's own files.
///
/// # Errors
/// The first file that cannot be used; nothing is priced by half a table.
pub fn prices(paths: &Paths) -> Result<Prices, PricingError> {
    load(&[imports(paths), paths.pricing()])
}

/// The table below the user's own files: what an import is compared with.
///
/// # Errors
/// As [`prices`].
pub fn imported(paths: &Paths) -> Result<Prices, PricingError> {
    load(&[imports(paths)])
}

/// The folder for imports. Their names begin with their time, so that a later one lies over an earlier one.
pub fn imports(paths: &Paths) -> PathBuf {
    paths.pricing().join("imported")
}

fn load(folders: &[PathBuf]) -> Result<Prices, PricingError> {
    let mut texts = Vec::new();
    for file in folders.iter().map(|folder| toml_files(folder)).collect::<Result<Vec<_>, _>>()?.concat() {
        let text = fs::read_to_string(&file).map_err(|error| PricingError::Unreadable { path: file.clone(), error })?;
        texts.push((file.display().to_string(), text));
    }
    let texts: Vec<(&str, &str)> = texts.iter().map(|(origin, text)| (origin.as_str(), text.as_str())).collect();
    Ok(Prices::load(&texts)?)
}

/// By name, so that the table does not depend on the file system's order.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, PricingError> {
    let unreadable = |error| PricingError::Unreadable { path: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
