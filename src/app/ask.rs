//! `ask`: a question to the running gateway, its answer on stdout as it arrives.

use std::io::{self, IsTerminal, Write};

use serde_json::json;

use super::failure::Failure;
use super::{env, questions, settings};
use crate::cli::markdown::{Markdown, columns};
use crate::cli::{AskModel, Exit, Lines};
use crate::config::Paths;
use crate::operator::Operator;
use crate::workflows::choice::{By, Choice, Purpose, choose};
use crate::workflows::question::{Context, question};
use crate::workflows::{Chat, ChatError, Piece, Prompt, bill, open};

/// Asks, and writes the answer.
pub(super) async fn run(asked: &AskModel, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let text = put_together(asked)?;
    let gateway = questions::gateway(paths).await?;
    let choice = choose(&gateway, Purpose::Answer, asked.model.as_deref(), &settings).await.map_err(failed)?;
    let Choice { model, why, by } =
        choice.ok_or_else(|| Failure::new("no model can be called; see: keywheel model list --why"))?;
    match by {
        By::Person => {}
        By::Rank if !io::stderr().is_terminal() => {}
        By::Rank => lines.say(format_args!("asking {model} ({why}); -m, or model in [ask], names another")),
        // a script too must not take an echo for an answer
        By::Nobody => lines.say(format_args!("asking {model}: {why}")),
    }
    let mut prompt = Prompt::new(model, text);
    if let Some(system) = asked.system.as_ref().or(settings.ask.system.as_ref()) {
        prompt = prompt.system(system.as_str());
    }
    let talk = async {
        let mut chat = open(&gateway, prompt).await.map_err(failed)?;
        if asked.json { whole(&gateway, chat, lines).await } else { streamed(asked, &mut chat, lines).await }
    };
    tokio::select! {
        done = talk => done,
        // the call ends with the connection that it came by, which is dropped here
        _ = tokio::signal::ctrl_c() => {
            // a colour under way would stay
            let end = if coloured(asked) { "\u{1b}[0m\n" } else { "\n" };
            lines.raw().write_all(end.as_bytes())?;
            Err(Failure { exit: Exit::Interrupted, message: String::new() })
        }
    }
}

/// The words, the files and what comes through stdin.
fn put_together(asked: &AskModel) -> Result<String, Failure> {
    let waits = asked.words.iter().any(|word| word == "-");
    let words: Vec<&str> = asked.words.iter().map(String::as_str).filter(|word| *word != "-").collect();
    let mut context = Vec::new();
    for file in &asked.files {
        context.push(Context::file(file).map_err(Failure::new)?);
    }
    if waits || !io::stdin().is_terminal() {
        context.push(Context::stdin(io::stdin().lock()).map_err(Failure::new)?);
    }
    question(&words.join(" "), &context).map_err(Failure::new)
}

/// Writes the answer piece by piece.
async fn streamed(asked: &AskModel, chat: &mut Chat, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let mut page = Page::new(asked, lines);
    let ended = loop {
        match chat.next().await {
            Ok(Some(Piece::Content(text))) => page.content(&text)?,
            Ok(Some(Piece::Reasoning(text))) if asked.reasoning => page.thought(&text),
            Ok(Some(Piece::Reasoning(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(failed(error)),
        }
    };
    page.end()?;
    ended
}

/// Writes one JSON object.
async fn whole(gateway: &dyn Operator, chat: Chat, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let said = chat.whole().await.map_err(failed)?;
    let bill = bill(gateway, &said.head.id).await.unwrap_or_default();
    let head = &said.head;
    Ok(lines.json(&json!({
        "id": head.id, "provider": head.provider, "account": head.account, "model": head.model,
        "content": said.content, "reasoning": said.reasoning, "finish_reason": said.finish,
        "usage": bill.usage, "cost_usd": bill.cost_usd, "estimated": bill.estimated,
    }))?)
}

/// Whether a person looks who wants colours.
fn coloured(asked: &AskModel) -> bool {
    let wanted = env("NO_COLOR").is_none_or(|set| set.is_empty()) && env("TERM").is_none_or(|term| term != "dumb");
    wanted && !asked.plain && !asked.json && io::stdout().is_terminal()
}

/// Where an answer is written: with colours where a person looks, else byte for byte.
enum Page<'a> {
    Coloured(Markdown<&'a mut dyn Write>),
    Plain { to: &'a mut dyn Write, last: char },
}

impl<'a> Page<'a> {
    fn new(asked: &AskModel, lines: &'a mut Lines<'_>) -> Self {
        let to = lines.raw();
        if coloured(asked) { Self::Coloured(Markdown::new(to).wide(columns())) } else { Self::Plain { to, last: '\n' } }
    }

    fn content(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Coloured(markdown) => markdown.push(text),
            Self::Plain { to, last } => {
                *last = text.chars().last().unwrap_or(*last);
                to.write_all(text.as_bytes())?;
                to.flush()
            }
        }
    }

    /// Words for a person; a closed stderr loses them and nothing else.
    fn thought(&self, text: &str) {
        let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        let mut words = io::stderr();
        drop(words.write_all(text.as_bytes()).and_then(|()| words.flush()));
    }

    /// A shell's prompt begins on a line of its own.
    fn end(self) -> io::Result<()> {
        match self {
            Self::Coloured(mut markdown) => {
                markdown.end()?;
                markdown.push("\n")
            }
            Self::Plain { last: '\n', .. } => Ok(()),
            Self::Plain { to, .. } => to.write_all(b"\n"),
        }
    }
}

fn failed(error: ChatError) -> Failure {
    Failure::new(error)
}
