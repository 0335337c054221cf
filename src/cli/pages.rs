//! What help and manual say beyond the one-line texts: examples, exit codes, environment.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Command;
use clap::builder::styling::{AnsiColor, Styles};
use clap_mangen::Man;

use super::Exit;

/// The examples below each verb's help, by its path.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "serve",
        "  keywheel serve                                    on 127.0.0.1:4141 and the home's socket
  keywheel serve -d                                 the same in the background
  keywheel serve --listen unix:                     no open port at all
  keywheel serve --listen tcp://127.0.0.1:0         any free port; the first lines say which",
    ),
    ("status", "  keywheel status --json | jq .accounts_ready"),
    (
        "doctor",
        "  keywheel doctor                                   also when no gateway runs
  keywheel doctor --json | jq -r 'select(.level == \"fail\") | .says'
  keywheel doctor > /dev/null || echo look          0 all is well, 5 something to look at, 1 something is broken",
    ),
    (
        "requests",
        "  keywheel requests --failed                        what went wrong lately
  keywheel requests --status 4xx --since 1h --model lab/fast
  keywheel requests --follow                        each call as it ends
  keywheel requests 0192f3 --timing                 where the time of one call went
  keywheel requests 0192f3                          one call: attempts, decisions, times
  keywheel requests 0192f3 --body                   what was asked and answered, where it was kept
  keywheel requests --failed --har | jq .log        for other tools
  keywheel requests --json | jq -r .model           for scripts",
    ),
    (
        "replay",
        "  keywheel replay 0192f3                            the same bytes again, and what differs
  keywheel replay 0192f3 --model lab/other          the same question to another model
  keywheel replay --failed --since 1h               what failed lately; says what cannot be sent again, and why
  keywheel replay --har calls.har --json            from an export",
    ),
    (
        "cost",
        "  keywheel cost --since 30d                         by model, the dearest first
  keywheel cost --by client,model --since 7d        by several keys
  keywheel cost --by day --since 30d --chart        bars, and the pace
  keywheel cost --by day --since 2026-11-01 --csv   for a sheet",
    ),
    ("client add", "  keywheel client add ci --models 'lab/*' --ttl 30d --rpm 60"),
    ("client rotate", "  keywheel client rotate ci --overlap 1h            the old key works for another hour"),
    ("account list", "  keywheel account list --json | jq -r 'select(.state != \"ready\") | .id + \": \" + .reason'"),
    (
        "account add",
        "  keywheel account add work --provider lab          asks for the key, without echo
  keywheel account add ci --provider lab --key-file /run/secrets/lab --tag ci --rpm 30
  keywheel account add work --replace               another key for an account that is there",
    ),
    (
        "account import",
        "  keywheel account import env --dry-run             the variables of this shell; shows no key
  keywheel account import dotenv ./.env --tag project
  keywheel account import litellm ./config.yaml
  keywheel account import cliproxyapi ~/.cli-proxy-api --yes",
    ),
    (
        "account login",
        "  keywheel account login work                       as its oauth settings say: a code, a page, or what you bring
  keywheel account login work --paste               over SSH: paste the address back
  keywheel account login robot --file robot.json    a service account's document",
    ),
    ("account refresh", "  keywheel account refresh --tag work               each gets a new token now"),
    ("account test", "  keywheel account test work && echo good            the exit code tells"),
    ("account rm", "  keywheel account rm --tag old --yes"),
    (
        "vault rekey",
        "  keywheel vault rekey                              a new key; what opens the vault stays
  keywheel vault rekey --by passphrase              from now on a passphrase opens it, and nothing else
  keywheel vault rekey --by key-file                on a server: vault.key_file names a systemd credential",
    ),
    ("vault unlock", "  keywheel vault unlock --passphrase-file /run/secrets/vault"),
    ("vault export", "  keywheel vault export keys.sealed"),
    ("vault import", "  keywheel vault import keys.sealed --replace"),
    ("provider check", "  keywheel provider check ./my-provider.toml"),
    ("model list", "  keywheel model list --why                         and why a model is missing"),
    ("price show", "  keywheel price show MODEL --at 2026-12-24T20:00Z"),
    ("price import", "  keywheel price import --dry-run model_prices_and_context_window.json"),
    ("config set", "  keywheel config set parking.max_wait 30s"),
    (
        "ask",
        "  keywheel ask 'why is the sky blue?'
  git diff | keywheel ask 'what could break?'       stdin is context
  keywheel ask -f src/main.rs -f notes.md 'explain'
  keywheel ask -m sim/echo --json hello | jq -r .content",
    ),
    (
        "commit",
        "  keywheel commit --all                             the message opens in your editor
  keywheel commit --print                           look at the message only",
    ),
    (
        "review",
        "  keywheel review                                   what is not committed, else this branch
  keywheel review --staged --fail-on medium
  keywheel review main...HEAD --format sarif > review.sarif",
    ),
    (
        "hook install",
        "  keywheel hook install --pre-commit                in this repository
  keywheel hook install --global                    in all of yours",
    ),
    ("hook run", "  keywheel hook run pre-commit                      search what is staged now"),
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
