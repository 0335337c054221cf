//! The first words of a gateway: what it found, where it listens, and a line to paste.

use std::path::Path;

use crate::cli::Lines;
use crate::config::{CaptureMode, Settings};

/// What there is to say once the doors are open.
pub(super) struct Announcement<'a> {
    /// The settings in force, with the accounts that were found.
    pub(super) settings: &'a Settings,
    /// The open doors, as URLs.
    pub(super) doors: &'a [String],
    /// How many models can be called.
    pub(super) models: usize,
    /// The file that holds the first client key.
    pub(super) key_file: &'a Path,
}

/// What was found and where it can be reached.
pub(super) fn found(about: &Announcement<'_>, lines: &mut Lines<'_>) {
    let Announcement { settings, doors, .. } = about;
    lines.say(format_args!("keywheel {}", env!("CARGO_PKG_VERSION")));
    let width = settings.accounts.iter().map(|account| account.id.len()).max().unwrap_or_default();
    for account in &settings.accounts {
        lines.say(format_args!("  {:width$}  from {}", account.id, account.origin));
    }
    for door in *doors {
        lines.say(format_args!("listening on {door}"));
    }
}

/// What can be called, and how.
pub(super) fn invite(about: &Announcement<'_>, lines: &mut Lines<'_>) {
    let Announcement { settings, doors, models, key_file } = about;
    lines.say(format_args!("{}, {}", count(settings.accounts.len(), "account"), count(*models, "model")));
    if settings.accounts.iter().all(|account| is_offline(settings, &account.provider)) {
        lines.say(
            "no provider key was found, so only the offline models answer; set one in the environment and start again",
        );
    }
    if !key_file.exists() {
        lines.say(gone(key_file));
    }
    if let Some(line) = paste(doors, key_file) {
        lines.say(format_args!("\ntry it:\n  {line}"));
    }
}

/// What somebody hears whose lines to paste read a key from a file that is gone, with its client.
pub(super) fn gone(key_file: &Path) -> String {
    format!(
        "the first client key is gone, and lines that read it from its file do not work; make another with: \
         (umask 077; keywheel client add default > {})",
        quoted(&key_file.to_string_lossy())
    )
}

/// What a new home does not do unless it is told to.
pub(super) fn offer(about: &Announcement<'_>, lines: &mut Lines<'_>) {
    if about.settings.capture.mode == CaptureMode::Off {
        lines.say(
            "prompts and answers are not kept; to keep those of failed calls: keywheel config set capture.mode failed",
        );
    }
}

/// Whether a provider is answered in process.
fn is_offline(settings: &Settings, provider: &str) -> bool {
    settings.providers.get(provider).is_some_and(|provider| provider.base_url.starts_with("sim:"))
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// One line of shell that streams an answer from the offline provider. The key is read from its file, so it stands
/// neither in the history nor on the screen; the socket needs none.
fn paste(doors: &[String], key_file: &Path) -> Option<String> {
    const BODY: &str = r#"{"model":"sim/echo","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    let call = reached(doors, "/v1/chat/completions", key_file)?;
    Some(format!("curl -N {call} -H 'content-type: application/json' -d '{BODY}'"))
}

/// How curl reaches a path of the gateway, with the key that the shell reads from its file; by the socket, which needs
/// none, where that file is gone.
pub(super) fn reached(doors: &[String], path: &str, key_file: &Path) -> Option<String> {
    let to = |scheme: &str| doors.iter().find_map(|door| door.strip_prefix(scheme));
    let at = |url: String| quoted(&format!("{url}{path}"));
    let by_socket = |socket: &str| format!("--unix-socket {} {}", quoted(socket), at("http://localhost".to_owned()));
    match (to("tcp://"), to("tls://"), to("unix://")) {
        (.., Some(socket)) if !key_file.exists() => Some(by_socket(socket)),
        (Some(place), ..) => Some(format!("{} {}", at(format!("http://{}", reachable(place))), bearer(key_file))),
        (_, Some(place), _) => Some(format!("{} {}", at(format!("https://{}", reachable(place))), bearer(key_file))),
        (.., Some(socket)) => Some(by_socket(socket)),
        _ => None,
    }
}

fn bearer(key_file: &Path) -> String {
    format!(r#"-H "Authorization: Bearer $(cat {})""#, quoted(&key_file.to_string_lossy()))
}

/// A door on every address is reached on the loopback.
pub(super) fn reachable(place: &str) -> String {
    place.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

/// As the shell reads it back: bare where it can be.
pub(super) fn quoted(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%,:~".contains(&byte);
    if path.bytes().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
