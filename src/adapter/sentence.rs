//! Puts a verdict into words: whose answer it was, what it means, and what it said.

use http::header;

use super::{Answer, Verdict};
use crate::catalog::Provider;
use crate::kit::fault::Scope;
use crate::kit::{Blame, Fault, Kind, Said};

/// Of what a provider says, this many characters are quoted.
const QUOTED: usize = 300;

/// The fault for a verdict. The upstream's own answer is kept where the client gets it: for its own mistakes and for
/// the provider's failures, unless the verdict says a clearer status than the upstream did.
pub(super) fn fault(provider: &Provider, answer: &Answer, verdict: Verdict) -> Fault {
    let kind = verdict.kind;
    let quoted = quote(answer);
    let mut message = meaning(&provider.name, kind, answer.status);
    if !quoted.is_empty() {
        message.push_str(": ");
        message.push_str(&quoted);
    }
    let mut fault = Fault::new(kind, message);
    let words = &answer.words;
    if let Some(code) = verdict.code {
        fault = fault.code(code);
    } else if kind.blame() == Blame::Client && is_name(&words.code) {
        fault = fault.code(words.code.clone());
    }
    if kind.blame() == Blame::Client && !words.param.is_empty() {
        fault = fault.param(words.param.clone());
    }
    let restated = matches!(kind, Kind::Invalid(status) if status != answer.status);
    if matches!(kind.blame(), Blame::Client | Blame::Provider) && !restated {
        fault = fault.said(said(answer));
    }
    fault
}

fn said(answer: &Answer) -> Said {
    let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Said { status: answer.status, content_type: content_type.map(str::to_owned), body: answer.body.clone() }
}

fn meaning(name: &str, kind: Kind, status: u16) -> String {
    match kind {
        Kind::Invalid(_) => format!("{name} refused the request"),
        Kind::Filtered => format!("the content filter of {name} refused the request"),
        Kind::KeyRejected => format!("{name} rejected the account's key; replace it"),
        Kind::Blocked => format!("{name} has blocked the account or the place it is called from; ask them why"),
        Kind::OutOfCredit(_) => format!("the account at {name} has no money left; add credit or raise its limit"),
        Kind::OverBudget(_) => format!("the account's own budget at {name} is spent; raise it"),
        Kind::Throttled(_, Scope::Concurrency) => format!("{name} allows this account no more calls at once"),
        Kind::Throttled(..) => format!("{name} limits the rate of this account"),
        Kind::ModelMissing => format!("{name} does not offer this model to the account"),
        Kind::Overloaded(_) => format!("{name} is overloaded"),
        Kind::Unreachable => format!("somebody in front of {name} answered with a page; check the network and proxy"),
        _ => format!("{name} failed with status {status}"),
    }
}

/// What the provider said: one line, its beginning, without the dot at its end. Of a page, its title.
fn quote(answer: &Answer) -> String {
    let text = answer.words.message.trim_start();
    let text = if text.starts_with('<') { title(text) } else { text };
    let mut line = String::with_capacity(QUOTED);
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > QUOTED * 4 {
            break;
        }
    }
    let cut = line.char_indices().nth(QUOTED).map_or(line.len(), |(at, _)| at);
    line.truncate(cut);
    line.truncate(line.trim_end_matches(['.', ' ']).len());
    line
}

fn title(page: &str) -> &str {
    let inner = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    inner.map_or("an HTML page", |(title, _)| title)
}

/// Whether a code is a name such as clients compare, and not a number or a sentence.
fn is_name(code: &str) -> bool {
    code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
