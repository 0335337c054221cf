//! The command line: words in, a `Command` out; records in, lines out. What a command does is in `app`.

pub mod account;
pub mod bar;
pub mod bodies;
pub mod budgets;
pub mod chart;
pub mod command;
pub mod cost;
pub mod dialectics;
pub mod doctor;
pub mod entry;
pub mod exit;
pub mod explain;
pub mod har;
pub mod lines;
pub mod login;
pub mod markdown;
mod pages;
pub mod panes;
pub mod price;
pub mod quota;
pub mod replay;
pub mod requests;
pub mod review;
pub mod show;
pub mod since;
pub mod table;
pub mod vault;
mod wait;
pub mod workflow;

pub use command::{
    AccountVerb, ClientVerb, Command, ConfigVerb, Format, LogFormat, ModelVerb, NewClient, ProviderVerb, Requests,
    Serve, Verb,
};
pub use cost::Cost;
pub use doctor::Doctor;
pub use exit::Exit;
pub use lines::Lines;
pub use price::PriceVerb;
pub use requests::Narrow;
pub use review::{FailOn, ReviewDiff, ReviewFormat};
pub use vault::VaultVerb;
pub use workflow::{AskModel, Commit, HookName, HookVerb};

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

/// Reads a command line, program name first. `Err` means that all has been said: help on stdout, a mistake on stderr.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Exit> {
    let read = pages::dress(Command::command()).try_get_matches_from(args);
    read.and_then(|matches| Command::from_arg_matches(&matches)).map_err(|error| {
        // a reader who left early wanted no more
        drop(error.print());
        if error.use_stderr() { Exit::Usage } else { Exit::Done }
    })
}

/// Writes the completions of a shell.
pub fn completions(shell: clap_complete::Shell, to: &mut dyn std::io::Write) -> std::io::Result<()> {
    // clap_complete panics on a closed pipe, so it writes into memory
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut pages::dress(Command::command()), "keywheel", &mut text);
    to.write_all(&text)
}

/// Writes the manual: one page with a section for every command.
pub fn manual(to: &mut dyn std::io::Write) -> std::io::Result<()> {
    pages::manual(pages::dress(Command::command()), to)
}
