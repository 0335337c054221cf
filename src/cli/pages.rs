//! What help and manual say beyond the one-line texts: examples, exit codes, environment.

use std::fmt::Write as _;
use std::io;

use clap::Command;
use clap::builder::styling::{AnsiColor, Styles};

use super::Exit;

/// The examples below each verb's help, by its path.
const EXAMPLES: [(&str, &str); 10] = [
    (
        "serve",
        "  keywheel serve                                    on 127.0.0.1:4141 and the home's socket
  keywheel serve -d                                 the same in the background
  keywheel serve --listen unix:                     no open port at all
  keywheel serve --listen tcp://127.0.0.1:0         any free port; the first lines say which",
    ),
    ("status", "  keywheel status --json | jq .accounts_ready"),
    (
        "requests",
        "  keywheel requests --failed                        what went wrong lately
  keywheel requests 0192f3                          one call: attempts, decisions, times
  keywheel requests --json | jq -r .model           for scripts",
    ),
    ("client add", "  keywheel client add ci --models 'lab/*' --ttl 30d --rpm 60"),
    ("client rotate", "  keywheel client rotate ci --overlap 1h            the old key works for another hour"),
    ("account list", "  keywheel account list --json | jq -r 'select(.state != \"ready\") | .id + \": \" + .reason'"),
    ("provider check", "  keywheel provider check ./my-provider.toml"),
    ("model list", "  keywheel model list --why                         and why a model is missing"),
    ("config set", "  keywheel config set parking.max_wait 30s"),
    ("completions", "  keywheel completions bash > ~/.local/share/bash-completion/completions/keywheel"),
];

/// Colours only where clap finds a terminal; `NO_COLOR` is honoured there.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Adds to the derived command what its doc comments cannot hold.
pub(super) fn dress(command: Command) -> Command {
    let command = command.styles(STYLES).max_term_width(100).after_help(closing()).disable_help_subcommand(true);
    EXAMPLES.iter().fold(command, |command, (path, examples)| {
        let path: Vec<&str> = path.split(' ').collect();
        add_examples(command, &path, examples)
    })
}

fn add_examples(command: Command, path: &[&'static str], examples: &'static str) -> Command {
    match path {
        [] => command.after_help(format!("Examples:\n{examples}")),
        [verb, rest @ ..] => command.mut_subcommand(verb, |inner| add_examples(inner, rest, examples)),
    }
}

/// The end of `keywheel --help`.
fn closing() -> String {
    let mut text = "Data goes to stdout, words to stderr. Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        // writing into a String cannot fail
        let _ = writeln!(text, "  {}  {}", exit.code(), exit.meaning());
    }
    text.push_str("\nKEYWHEEL_LOG sets what is logged (info, debug, keywheel=trace); NO_COLOR turns colours off.");
    text
}

/// The manual: the program's own page, then a section for every verb.
pub(super) fn manual(mut command: Command, to: &mut dyn io::Write) -> io::Result<()> {
    command.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    sections(&command, "keywheel", &mut text)?;
    to.write_all(&text)
}

fn sections(command: &Command, path: &str, text: &mut Vec<u8>) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let path = format!("{path} {}", verb.get_name());
        if verb.has_subcommands() {
            sections(verb, &path, text)?;
            continue;
        }
        io::Write::write_all(text, format!(".SH \"{}\"\n", path.to_uppercase()).as_bytes())?;
        let man = clap_mangen::Man::new(verb.clone());
        man.render_synopsis_section(text)?;
        man.render_description_section(text)?;
        man.render_options_section(text)?;
    }
    Ok(())
}
