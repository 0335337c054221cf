//! DeepSeek: limits are on calls at once, and completions live beside the others.
//!
//! Its keep-alives (blank lines before a body, comments in a stream) and its `reasoning_content` are passed on as they
//! are: a tool turn whose reasoning was taken out is refused, and mended then.

use std::time::Duration;

use super::{Adapter, Answer, Verdict, hint, place};
use crate::catalog::Provider;
use crate::kit::fault::Scope;
use crate::kit::{Kind, Time};
use crate::redact::Redacted;
use crate::wire::{Edit, Endpoint, Json, Payload, edit_items};

/// DeepSeek.
pub(super) struct Deepseek;

/// It sends no hint; a slot is free again as soon as one of the account's own calls ends.
const BUSY: Duration = Duration::from_secs(2);

impl Adapter for Deepseek {
    fn url(
        &self,
        _provider: &Provider,
        base_url: &str,
        endpoint: &Endpoint,
        _model: Option<&str>,
        query: Option<&str>,
    ) -> String {
        let base = base_url.trim_end_matches('/');
        let url = match endpoint {
            // fill-in-the-middle is served at /beta only (api-docs.deepseek.com, guides/fim_completion)
            Endpoint::Completions if !base.ends_with("/beta") => {
                place::below(base.strip_suffix("/v1").unwrap_or(base), "beta/completions")
            }
            _ => place::below(base, endpoint.path()),
        };
        place::with_query(url, query)
    }

    fn verdict(&self, answer: &Answer, now: Time) -> Option<Verdict> {
        let text = answer.words.message.to_lowercase();
        match answer.status {
            // inside a stream its code would make it a 400
            400 if text == "insufficient balance" => Some(Kind::OutOfCredit(None).into()),
            400 if text == "content exists risk" => Some(Kind::Filtered.into()),
            400 if text == "model not exist" => Some(Kind::ModelMissing.into()),
            // the limit is on calls at once, per account: another account helps, waiting is short
            429 => Some(Kind::Throttled(hint::wait(answer, now).or(Some(BUSY)), Scope::Concurrency).into()),
            _ => None,
        }
    }

    fn amend(&self, call: &Redacted, answer: &Answer) -> Vec<Edit> {
        let refused = answer.status == 400 && answer.words.message.contains("reasoning_content");
        let Payload::Json(body) = &call.payload else { return Vec::new() };
        let turns = body.raw("messages").filter(|_| refused).and_then(|turns| edit_items(turns, placeholder));
        turns.map(|turns| Edit::Set("messages".into(), turns)).into_iter().collect()
    }
}

/// Many clients keep no reasoning between turns. Any text is taken in its place (provider facts, row 43).
fn placeholder(turn: &Json) -> Vec<Edit> {
    let kept = turn.str("reasoning_content").is_some_and(|text| !text.is_empty());
    if turn.str("role").as_deref() != Some("assistant") || kept {
        return Vec::new();
    }
    vec![Edit::set_str("reasoning_content", " ")]
}
