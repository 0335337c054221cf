//! The layers of the settings, lowest first: built-in, the user's files, the project's file, environment, flags.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use super::home::{Env, Paths};
use super::key::Key;
use super::problem::Problem;
use super::read::{Lines, Said, Source, read};
use super::schema;
use crate::catalog::SHIPPED;

/// Which layer says something; later ones win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Shipped inside the binary.
    BuiltIn,
    /// The user's provider files and settings file.
    User,
    /// `keywheel.toml` of the project in whose folder the gateway was started.
    Project,
    /// Environment variables.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "built-in",
            Self::User => "user",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen URL`, as often as given.
    pub listen: Vec<String>,
    /// `--no-discover`.
    pub no_discover: bool,
}

/// How the text of an environment variable becomes a TOML value.
#[derive(Clone, Copy, Debug)]
enum Write {
    Text,
    Plain,
    List,
}

/// The environment variables that are settings: name, key, how it is written.
const VARIABLES: &[(&str, &str, Write)] = &[
    ("KEYWHEEL_LISTEN", "listen", Write::List),
    ("KEYWHEEL_ALLOW_PLAINTEXT", "allow_plaintext", Write::Plain),
    ("KEYWHEEL_HOSTS", "hosts", Write::List),
    ("KEYWHEEL_ORIGINS", "origins", Write::List),
    ("KEYWHEEL_PROXY", "proxy", Write::Text),
    ("KEYWHEEL_DEFAULT_PROVIDER", "default_provider", Write::Text),
    ("KEYWHEEL_DISCOVER", "discover", Write::Plain),
    ("KEYWHEEL_HEADER_AFTER", "header_after", Write::Text),
    ("KEYWHEEL_KEEP_ALIVE", "keep_alive", Write::Text),
    ("KEYWHEEL_BODY_LIMIT", "body_limit", Write::Text),
    ("KEYWHEEL_UPLOAD_LIMIT", "upload_limit", Write::Text),
    ("KEYWHEEL_MAX_WAIT", "parking.max_wait", Write::Text),
    ("KEYWHEEL_MAX_PARKED", "parking.max_parked", Write::Plain),
    ("KEYWHEEL_METRICS_PUBLIC", "metrics.public", Write::Plain),
    ("KEYWHEEL_OTLP_ENDPOINT", "otlp.endpoint", Write::Text),
];

/// The environment variables that are settings, each with its key; lists are separated by commas.
pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES.iter().map(|(variable, key, _)| (*variable, *key))
}

/// What a project's file may set. A cloned repository must not send credentials elsewhere, run commands or open doors.
const HARMLESS: &[&str] = &["models", "default_provider", "dialectics", "parking"];

/// Everything that says something, lowest layer first, and the problems met.
pub(super) struct Gathered {
    /// The layers.
    pub layers: Vec<(Layer, Said)>,
    /// The problems.
    pub problems: Vec<Problem>,
    /// Whether a file could not be read at all, so that what it defines is unknown.
    pub gaps: bool,
}

impl Gathered {
    /// What is shipped.
    pub(super) fn built_in() -> Self {
        let mut gathered = Self { layers: Vec::new(), problems: Vec::new(), gaps: false };
        for (id, text) in SHIPPED {
            let name = format!("shipped providers/{id}.toml");
            gathered.add(Layer::BuiltIn, provider_source(name, id, (*text).to_owned()));
        }
        gathered
    }

    /// Adds the user's provider files and settings file; `text` stands in for the settings file where given.
    pub(super) fn user(&mut self, paths: &Paths, text: Option<&str>) {
        for (name, id, text) in self.provider_files(&paths.providers()) {
            self.add(Layer::User, provider_source(name, &id, text));
        }
        let name = paths.file.display().to_string();
        match text {
            Some(text) => self.add(Layer::User, settings_source(name, text.to_owned())),
            None => {
                if let Some(text) = self.own_file(&paths.file, paths.named) {
                    self.add(Layer::User, settings_source(name, text));
                }
            }
        }
    }

    /// Adds the project's file, without what it may not set.
    pub(super) fn project(&mut self, file: &Path) {
        let Some(text) = self.file(file, false) else { return };
        let source = settings_source(file.display().to_string(), text);
        let Some(mut said) = read(&source, &mut self.problems) else {
            self.gaps = true;
            return;
        };
        let refused: Vec<String> = said.table.keys().filter(|key| !HARMLESS.contains(&key.as_str())).cloned().collect();
        for name in refused {
            said.table.remove(&name);
            let key = Key::of(&[&name]);
            let line = said.places.get(&key).and_then(|place| place.line);
            let message = format!(
                "a project may set only {}, because a cloned repository must not redirect credentials; \
                 put this into your own settings file",
                HARMLESS.join(", ")
            );
            let problem = Problem::in_file(&source.name, message);
            self.problems.push(Problem { line, key: key.to_string(), ..problem });
        }
        self.layers.push((Layer::Project, said));
    }

    /// Adds the environment.
    pub(super) fn environment(&mut self, env: Env<'_>) {
        for (variable, key, write) in VARIABLES {
            let Some(text) = env(variable).filter(|text| !text.is_empty()) else { continue };
            self.add(Layer::Environment, made(variable, key, &write.toml(&text)));
        }
    }

    /// Adds the command line.
    pub(super) fn flags(&mut self, flags: &Overrides) {
        if !flags.listen.is_empty() {
            self.add(Layer::Flag, made("--listen", "listen", &toml_list(flags.listen.iter().map(String::as_str))));
        }
        if flags.no_discover {
            self.add(Layer::Flag, made("--no-discover", "discover", "false"));
        }
    }

    /// Adds one text.
    pub(super) fn add(&mut self, layer: Layer, source: Source<'_>) {
        match read(&source, &mut self.problems) {
            Some(said) => self.layers.push((layer, said)),
            None => self.gaps = true,
        }
    }

    /// A file that decides what runs here and where keys go, so nobody else may write it.
    fn own_file(&mut self, path: &Path, must_exist: bool) -> Option<String> {
        if let Some(mode) = writable_by_others(path) {
            let file = path.display();
            self.gap(path, format!("other users may write it (mode {mode:o}); run: chmod 600 {file}"));
            return None;
        }
        self.file(path, must_exist)
    }

    fn file(&mut self, path: &Path, must_exist: bool) -> Option<String> {
        match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
            Err(error) => {
                self.gap(path, format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn gap(&mut self, path: &Path, message: String) {
        self.problems.push(Problem::in_file(path.display().to_string(), message));
        self.gaps = true;
    }

    fn provider_files(&mut self, folder: &Path) -> Vec<(String, String, String)> {
        let mut files: Vec<_> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        let mut read = Vec::new();
        for path in files {
            let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            if let Some(text) = self.own_file(&path, true) {
                read.push((path.display().to_string(), id, text));
            }
        }
        read
    }
}

impl Write {
    fn toml(self, text: &str) -> String {
        match self {
            Self::Text => toml_text(text),
            // what is neither a number nor a boolean becomes a text, so that the check names the type that it wants
            Self::Plain if text == "true" || text == "false" || text.parse::<i64>().is_ok() => text.to_owned(),
            Self::Plain => toml_text(text),
            Self::List => toml_list(text.split(',').map(str::trim).filter(|item| !item.is_empty())),
        }
    }
}

/// The settings file's text.
pub(super) fn settings_source(name: String, text: String) -> Source<'static> {
    Source { name, lines: Lines::Shown, text, schema: schema::settings(), at: Key::default() }
}

/// The text of a provider's own file.
pub(super) fn provider_source(name: String, id: &str, text: String) -> Source<'static> {
    Source { name, lines: Lines::Shown, text, schema: schema::provider(), at: Key::of(&["providers", id]) }
}

fn made(name: &str, key: &str, value: &str) -> Source<'static> {
    let text = format!("{key} = {value}");
    Source { name: name.to_owned(), lines: Lines::Hidden, text, schema: schema::settings(), at: Key::default() }
}

fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn toml_list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    toml::Value::Array(items.map(toml::Value::from).collect()).to_string()
}

/// The mode of a file that somebody else may change.
fn writable_by_others(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o022 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
