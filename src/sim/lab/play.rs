//! Plays a script: makes the answer that it asks for.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;

use super::Hint;
use super::script::{Base, Edit, Script};
use crate::sim::answer::{Answer, Step};
use crate::sim::engine::{self, Engine};
use crate::sim::persona::At;
use crate::sim::refusal::Refusal;

/// What becomes of the connection when a script is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It stays.
    Keep,
    /// It takes no more requests: `connection: close`, or GOAWAY.
    Retire,
}

impl Script {
    /// The answer to play; `None` hangs up. `usual` gives the persona's own.
    pub(super) fn play(self, engine: &Engine, at: &At<'_>, usual: impl FnOnce() -> Answer) -> (Option<Answer>, Link) {
        let mut answer = match self.base {
            Base::HangUp => return (None, Link::Keep),
            Base::Usual => usual(),
            Base::Fixed(answer) => answer,
            Base::BadKey => engine.refuse(&Refusal::BadKey("sk-lab-expired".to_owned()), at),
            Base::Throttled(hint) => throttled(engine, at, &hint),
        };
        let mut link = Link::Keep;
        for edit in self.edits {
            if matches!(edit, Edit::LastOfConnection) {
                link = Link::Retire;
            }
            answer = apply(answer, edit);
        }
        (Some(answer), link)
    }
}

/// The vendor's 429 with this hint and no other.
pub(super) fn throttled(engine: &Engine, at: &At<'_>, hint: &Hint) -> Answer {
    let mut answer = engine.refuse(&Refusal::Throttled(engine::spent(Duration::from_secs(1))), at);
    let hints =
        |name: &HeaderName| name.as_str().starts_with("retry-after") || name.as_str().starts_with("x-ratelimit");
    let names: Vec<_> = answer.headers.keys().filter(|name| hints(name)).cloned().collect();
    names.iter().for_each(|name| drop(answer.headers.remove(name)));
    match hint.header() {
        Some((name, value)) => answer.header(name, value),
        None => answer,
    }
}

fn apply(mut answer: Answer, edit: Edit) -> Answer {
    match edit {
        Edit::Header(name, value) => return answer.header(&name, value),
        Edit::After(wait) => answer.delay += wait,
        Edit::Every(wait) => {
            let first = position(&answer.steps, 0);
            let (head, tail) = answer.steps.split_at((first + 1).min(answer.steps.len()));
            let spaced = tail.iter().flat_map(|step| match step {
                Step::Bytes(_) => vec![Step::Wait(wait), step.clone()],
                _ => vec![step.clone()],
            });
            answer.steps = head.iter().cloned().chain(spaced).collect();
        }
        Edit::Before(n, wait) => {
            let at = position(&answer.steps, n);
            answer.steps.insert(at, Step::Wait(wait));
        }
        Edit::Stop(n, end) => {
            answer.steps.truncate(position(&answer.steps, n));
            answer.steps.extend(end);
        }
        Edit::NoDone => answer.steps.retain(|step| *step != Step::Bytes(Bytes::from_static(b"data: [DONE]\n\n"))),
        Edit::LastOfConnection => {}
    }
    answer
}

/// Where chunk `n` stands among the steps; the end where there are fewer.
fn position(steps: &[Step], n: usize) -> usize {
    let mut chunks = steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Bytes(_)));
    chunks.nth(n).map_or(steps.len(), |(at, _)| at)
}
