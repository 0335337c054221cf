//! xAI: a wrong key is a 400, and 403 means four different things (docs.x.ai/developers/debugging).

use bytes::Bytes;
use memchr::memmem;

use super::{Adapter, Answer, Verdict, body};
use crate::catalog::Provider;
use crate::kit::{Kind, Time};
use crate::redact::Redacted;
use crate::wire::{Edit, Endpoint, Json, Payload, edit_items};

/// xAI.
pub(super) struct Xai;

impl Adapter for Xai {
    /// A message's `name` and a tool's `strict` are refused, and carry nothing that the answer needs (provider facts,
    /// 1.4).
    fn edits(&self, _provider: &Provider, call: &Redacted, model: Option<&str>) -> Vec<Edit> {
        let mut edits = body::name_model(call, model);
        let Payload::Json(json) = &call.payload else { return edits };
        if call.endpoint != Endpoint::Chat {
            return edits;
        }
        let mut change = |key: &'static str, word: &[u8], edit: fn(&Json) -> Vec<Edit>| {
            let list = json.raw(key).filter(|list| memmem::find(list, word).is_some());
            edits.extend(list.and_then(|list| edit_items(list, edit)).map(|list| Edit::Set(key.into(), list)));
        };
        change("messages", b"\"name\"", unnamed);
        change("tools", b"\"strict\"", unstrict);
        edits
    }

    fn verdict(&self, answer: &Answer, _now: Time) -> Option<Verdict> {
        // its error is a flat string, which `Words` has read as the message
        let text = answer.words.message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match answer.status {
            // the sentence begins with it; further on it could be the client's own text, quoted
            400 if text.chars().take(60).collect::<String>().contains("api key") => Some(Kind::KeyRejected.into()),
            400 | 403 if says(&["violates usage guidelines", "safety_check_type"]) => Some(Kind::Filtered.into()),
            403 | 429 if says(&["used all available credits", "run out of credits", "monthly spending limit"]) => {
                Some(Kind::OutOfCredit(None).into())
            }
            403 if says(&["blocked", "disabled"]) => Some(Kind::Blocked.into()),
            _ => None,
        }
    }
}

fn unnamed(turn: &Json) -> Vec<Edit> {
    turn.get("name").map(|_| Edit::Drop("name".into())).into_iter().collect()
}

fn unstrict(tool: &Json) -> Vec<Edit> {
    let function = tool.get("function").and_then(|text| Json::parse(Bytes::copy_from_slice(text.as_bytes())).ok());
    let strict = function.filter(|function| function.get("strict").is_some());
    let loose = strict
        .and_then(|function| String::from_utf8(function.splice(&[Edit::Drop("strict".into())]).joined().to_vec()).ok());
    loose.map(|function| Edit::Set("function".into(), function)).into_iter().collect()
}
