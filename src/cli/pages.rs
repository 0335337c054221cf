//! What help and manual say beyond the one-line texts: examples, exit codes, environment.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Command;
use clap::builder::styling::{AnsiColor, Styles};
use clap_mangen::Man;

use super::Exit;

/// The examples below each verb's help, by its path.
const EXAMPLES: [(&str, &str); 13] = [
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
    (
        "cost",
        "  keywheel cost --since 30d                         by model, the dearest first
  keywheel cost --by day --since 2026-11-01 --csv   for a sheet",
    ),
    ("client add", "  keywheel client add ci --models 'lab/*' --ttl 30d --rpm 60"),
    ("client rotate", "  keywheel client rotate ci --overlap 1h            the old key works for another hour"),
    ("account list", "  keywheel account list --json | jq -r 'select(.state != \"ready\") | .id + \": \" + .reason'"),
    ("provider check", "  keywheel provider check ./my-provider.toml"),
    ("model list", "  keywheel model list --why                         and why a model is missing"),
    ("price show", "  keywheel price show MODEL --at 2026-12-24T20:00Z"),
    ("price import", "  keywheel price import --dry-run model_prices_and_context_window.json"),
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
    command.mut_subcommands(|verb| with_examples(verb, ""))
}

fn with_examples(verb: Command, above: &str) -> Command {
    let path = format!("{above}{}", verb.get_name());
    let verb = match EXAMPLES.iter().find(|(of, _)| *of == path) {
        Some((_, examples)) => verb.after_help(format!("Examples:\n{examples}")),
        None => verb,
    };
    verb.mut_subcommands(|inner| with_examples(inner, &format!("{path} ")))
}

/// The end of `keywheel --help`.
fn closing() -> String {
    let mut text = "Start with `keywheel serve`: it needs no configuration and says what to do next.\n\n\
        Data goes to stdout, words to stderr. Exit codes:\n"
        .to_owned();
    for exit in Exit::ALL {
        // writing into a String cannot fail
        let _ = writeln!(text, "  {}  {}", exit.code(), exit.meaning());
    }
    text.push_str("\nKEYWHEEL_LOG sets what is logged (info, debug, keywheel=trace); NO_COLOR turns colours off.");
    text
}

/// The manual: the program itself, a section for every verb, and the exit codes.
pub(super) fn manual(mut command: Command, to: &mut dyn io::Write) -> io::Result<()> {
    command.build();
    let mut text = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_options_section(&mut text)?;
    verbs(&command, &mut text)?;
    writeln!(text, ".SH \"EXIT STATUS\"")?;
    for exit in Exit::ALL {
        writeln!(text, ".TP\n{}\n{}", exit.code(), exit.meaning())?;
    }
    to.write_all(&text)
}

fn verbs(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    for verb in command.get_subcommands() {
        if verb.has_subcommands() {
            verbs(verb, text)?;
            continue;
        }
        let path = verb.get_bin_name().unwrap_or(verb.get_name()).to_uppercase();
        writeln!(text, ".SH \"{path}\"")?;
        if let Some(about) = verb.get_about() {
            writeln!(text, "{about}")?;
        }
        let own = verb.clone().mut_args(|arg| match arg.get_id().as_str() {
            "home" | "config" => arg.hide(true),
            _ => arg,
        });
        // both would open sections of their own, as large as the verb's
        let mut inner = Vec::new();
        Man::new(own.clone()).render_synopsis_section(&mut inner)?;
        Man::new(own).render_options_section(&mut inner)?;
        let inner = String::from_utf8_lossy(&inner).replace(".SH SYNOPSIS", ".PP").replace(".SH OPTIONS", ".PP");
        text.extend(inner.bytes());
    }
    Ok(())
}
