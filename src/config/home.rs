//! Where everything of this installation lies: configuration, state, data and what exists only while it runs.

use std::path::{Path, PathBuf};

use etcetera::AppStrategy;

use crate::kit::file::{self, FileError};

/// The longest path in bytes that every system takes for a socket (108 with the closing NUL on Linux).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// An environment variable's value by its name. Decisions get this instead of reading the process, so that tests run
/// with an empty environment.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The folders and files of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Settings, and providers of the user's own in `providers/`.
    pub config: PathBuf,
    /// What must survive: client keys, the state of accounts.
    pub state: PathBuf,
    /// What grows: the ledger.
    pub data: PathBuf,
    /// Sockets and locks.
    pub run: PathBuf,
    /// The settings file.
    pub file: PathBuf,
    /// Whether somebody named the settings file, so that it must exist.
    pub named: bool,
    /// The project's own settings file, if the working folder has one.
    pub project: Option<PathBuf>,
}

/// Why the folders cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The system names no home.
    #[error("no home folder is known; name one with --home DIR or KEYWHEEL_HOME")]
    Homeless,
    /// A folder or file in it is unusable.
    #[error("{0}; mend that, or choose another place with --home DIR")]
    File(#[from] FileError),
    /// A folder cannot be written.
    #[error("cannot write in {0}: {1}; choose another place with --home DIR")]
    ReadOnly(PathBuf, #[source] std::io::Error),
    /// The socket's path is too long.
    #[error(
        "the socket path {0} has {1} bytes, the system takes {SOCKET_PATH_LIMIT}; choose a shorter --home or --listen unix:///PATH"
    )]
    LongSocket(PathBuf, usize),
}

impl Paths {
    /// Everything under one folder: `config/`, `state/`, `data/`, `run/`.
    pub fn under(home: &Path) -> Self {
        Self::of([home.join("config"), home.join("state"), home.join("data"), home.join("run")])
    }

    /// The place that `--home` or `KEYWHEEL_HOME` names, else the platform's own folders; `config` is `--config` or
    /// `KEYWHEEL_CONFIG`. Relative paths are meant from the working folder `here`, in which the project's file is
    /// looked for. Creates nothing.
    pub fn resolve(home: Option<&Path>, config: Option<&Path>, here: &Path, env: Env<'_>) -> Result<Self, HomeError> {
        let named = |flag: Option<&Path>, variable: &str| {
            let from_env = || env(variable).filter(|text| !text.is_empty()).map(PathBuf::from);
            flag.map(Path::to_owned).or_else(from_env).map(|path| here.join(path))
        };
        let mut paths = match named(home, "KEYWHEEL_HOME") {
            Some(home) => Self::under(&home),
            None => Self::platform(&platform_folders()?),
        };
        if let Some(file) = named(config, "KEYWHEEL_CONFIG") {
            paths.file = file;
            paths.named = true;
        }
        paths.project = project_file(here, &paths.file);
        Ok(paths)
    }

    fn platform(folders: &impl AppStrategy) -> Self {
        let data = folders.data_dir();
        let state = folders.state_dir().unwrap_or_else(|| data.join("state"));
        // without a session's runtime folder the socket lives where the state does: private, and it survives a reboot
        let run = folders.runtime_dir().unwrap_or_else(|| state.join("run"));
        Self::of([folders.config_dir(), state, data, run])
    }

    fn of([config, state, data, run]: [PathBuf; 4]) -> Self {
        let file = config.join("keywheel.toml");
        Self { config, state, data, run, file, named: false, project: None }
    }

    /// Makes the folders, private to this user, refuses those that others may enter, and checks that those that must be
    /// written can be. The folder of the settings may be read-only.
    pub fn prepare(&self) -> Result<(), HomeError> {
        file::private_dir(&self.config)?;
        for folder in [&self.state, &self.data, &self.run] {
            file::private_dir(folder)?;
            tempfile::tempfile_in(folder).map_err(|error| HomeError::ReadOnly(folder.clone(), error))?;
        }
        Ok(())
    }

    /// The home's own socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join("keywheel.sock")
    }

    /// The folder for provider files of the user's own.
    pub fn providers(&self) -> PathBuf {
        self.config.join("providers")
    }

    /// The folder for price files of the user's own.
    pub fn pricing(&self) -> PathBuf {
        self.config.join("pricing")
    }
}

/// Refuses a socket path that the system would cut or refuse with less of an explanation.
pub fn check_socket(path: &Path) -> Result<(), HomeError> {
    match path.as_os_str().len() {
        length if length > SOCKET_PATH_LIMIT => Err(HomeError::LongSocket(path.to_owned(), length)),
        _ => Ok(()),
    }
}

fn platform_folders() -> Result<impl AppStrategy, HomeError> {
    let args = etcetera::AppStrategyArgs {
        top_level_domain: "dev".to_owned(),
        author: "keywheel".to_owned(),
        app_name: "keywheel".to_owned(),
    };
    etcetera::app_strategy::choose_native_strategy(args).map_err(|_| HomeError::Homeless)
}

/// `keywheel.toml` in `here` or above it up to the root of the git repository; outside of one only `here` counts, so
/// that a file in a shared folder such as `/tmp` does not reach into the folders below it.
fn project_file(here: &Path, own: &Path) -> Option<PathBuf> {
    let in_repository = here.ancestors().any(|folder| folder.join(".git").exists());
    let same = |file: &Path| matches!((file.canonicalize(), own.canonicalize()), (Ok(one), Ok(other)) if one == other);
    for folder in here.ancestors() {
        let file = folder.join("keywheel.toml");
        if file.is_file() && !same(&file) {
            return Some(file);
        }
        if !in_repository || folder.join(".git").exists() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bare;

    impl AppStrategy for Bare {
        fn home_dir(&self) -> &Path {
            Path::new("/home/ann")
        }
        fn config_dir(&self) -> PathBuf {
            "/home/ann/.config/keywheel".into()
        }
        fn data_dir(&self) -> PathBuf {
            "/home/ann/.local/share/keywheel".into()
        }
        fn cache_dir(&self) -> PathBuf {
            "/home/ann/.cache/keywheel".into()
        }
        fn state_dir(&self) -> Option<PathBuf> {
            Some("/home/ann/.local/state/keywheel".into())
        }
        fn runtime_dir(&self) -> Option<PathBuf> {
            None
        }
    }

    #[test]
    fn without_a_runtime_folder_the_socket_lives_with_the_state() {
        let paths = Paths::platform(&Bare);
        assert_eq!(paths.socket(), Path::new("/home/ann/.local/state/keywheel/run/keywheel.sock"));
        assert_eq!(paths.file, Path::new("/home/ann/.config/keywheel/keywheel.toml"));
    }
}
