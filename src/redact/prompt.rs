//! Looks through what a client sends to a model: masks the secrets in the strings of its body, or refuses the call.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::Known;
use super::masks::Masks;
use super::scan::Hit;
use super::walk::{Decoded, Leaf, Place, leaves};
use crate::kit::{Fault, Kind};
use crate::wire::Json;

/// Names, ids and sealed texts that must come back as they were given; they are no part of the conversation.
const OPAQUE: [&[u8]; 14] = [
    b"model",
    b"role",
    b"type",
    b"id",
    b"call_id",
    b"tool_call_id",
    b"item_id",
    b"file_id",
    b"previous_response_id",
    b"prompt_cache_key",
    b"encrypted_content",
    b"signature",
    b"thought_signature",
    b"service_tier",
];

/// Parts of a key that make its value a secret.
const TELLING: [&str; 8] = ["passw", "secret", "token", "key", "auth", "credential", "pwd", "cookie"];

/// Longer values say themselves what they are.
const FIELD: usize = 4096;

/// At most so many places are named in a refusal.
const NAMED: usize = 5;

/// The body with placeholders in the place of secrets; the same body where it holds none.
pub(super) fn masked(json: &Json, known: &Known) -> Result<(Json, Arc<Masks>), Fault> {
    let text = json.bytes();
    let (mut masks, mut out, mut done) = (Masks::default(), Vec::new(), 0);
    each_hit(text, known, |place, from, decoded, hit| {
        let secret = String::from_utf8_lossy(&decoded.text[hit.start..hit.end]);
        // in the arguments of a tool a text is written as JSON within JSON
        let inner = (place.key() == b"arguments" && secret.contains('\\'))
            .then(|| serde_json::from_str::<String>(&format!("\"{secret}\"")).ok())
            .flatten();
        let name = masks.place(inner.as_deref().unwrap_or(&secret), &hit, text);
        out.extend_from_slice(&text[done..from + decoded.written(hit.start)]);
        out.extend_from_slice(name.as_bytes());
        done = from + decoded.written(hit.end);
    })?;
    if masks.is_empty() {
        return Ok((json.clone(), Arc::default()));
    }
    out.extend_from_slice(&text[done..]);
    let json = Json::parse(Bytes::from(out)).map_err(|_| unsearched("a body whose strings cannot be told apart"))?;
    Ok((json, Arc::new(masks)))
}

/// Nothing, when the body holds no secret; else a refusal that names the rules and the places. `rules` takes the rules.
pub(super) fn searched(json: &Json, known: &Known, rules: &mut BTreeSet<&'static str>) -> Result<(), Fault> {
    let (mut found, mut seen, mut first) = (Vec::new(), HashSet::new(), None);
    each_hit(json.bytes(), known, |place, _, _, hit| {
        first.get_or_insert_with(|| place.to_string());
        let words = format!("{} at {place}", hit.id());
        rules.insert(hit.id());
        if found.len() < NAMED && !seen.contains(&words) {
            found.push(words.clone());
        }
        seen.insert(words);
    })?;
    let Some(first) = first else { return Ok(()) };
    let more = seen.len() - found.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(refused(&format!("{}{more}", found.join(", "))).param(first))
}

/// The same for a body that is no JSON, in which no placeholder could be undone.
pub(super) fn searched_raw(bytes: &Bytes, known: &Known, rules: &mut BTreeSet<&'static str>) -> Result<(), Fault> {
    let hits = known.hits(bytes).map_err(|_| unsearched("this body"))?;
    rules.extend(hits.iter().map(Hit::id));
    hits.first().map_or(Ok(()), |hit| Err(refused(&format!("{} in the body", hit.id()))))
}

/// A refusal where a body cannot be searched.
pub(super) fn unsearched(what: &str) -> Fault {
    Fault::new(
        Kind::Invalid(400),
        format!("{what} cannot be searched for secrets, as this route demands; use a route with redact = \"off\""),
    )
    .code("redaction_failed")
}

fn refused(found: &str) -> Fault {
    Fault::new(
        Kind::Invalid(400),
        format!("this route takes no secrets, and the call holds what looks like one: {found}; take it out and send it again"),
    )
    .code("secret_in_prompt")
}

/// Calls `each` with every secret in the strings of a body: its place, where its string begins, and the string.
fn each_hit(
    text: &[u8],
    known: &Known,
    mut each: impl FnMut(&Place<'_>, usize, &Decoded<'_>, Hit),
) -> Result<(), Fault> {
    let mut wrong = None;
    leaves(text, |place, leaf| {
        let Leaf::Text(range) = leaf else { return };
        if place.is_field() && OPAQUE.contains(&place.key()) || wrong.is_some() {
            return;
        }
        let found = Decoded::of(&text[range.clone()]).ok_or("a string that cannot be decoded").and_then(|decoded| {
            let hits =
                hits(place, &decoded.text, known).ok_or("a text with this much in it that looks like a secret")?;
            hits.into_iter().for_each(|hit| each(place, range.start, &decoded, hit));
            Ok(())
        });
        wrong = found.err();
    });
    wrong.map_or(Ok(()), |what| Err(unsearched(what)))
}

/// The secrets in one string. The key of a short one may say what it is.
pub(super) fn hits(place: &Place<'_>, text: &[u8], known: &Known) -> Option<Vec<Hit>> {
    let key = place.key().to_ascii_lowercase();
    let holds = |part: &&str| memchr::memmem::find(&key, part.as_bytes()).is_some();
    if text.len() > FIELD || key.len() > 64 || !TELLING.iter().any(holds) {
        return known.hits(text).ok();
    }
    let head = [b"\"", key.as_slice(), b"\":\""].concat();
    let hits = known.hits(&[&head, text, b"\""].concat()).ok()?;
    let inside = |hit: &Hit| hit.end > head.len() && hit.start < head.len() + text.len();
    let shift = |hit: Hit| Hit {
        start: hit.start.saturating_sub(head.len()),
        end: (hit.end - head.len()).min(text.len()),
        ..hit
    };
    Some(hits.into_iter().filter(inside).map(shift).collect())
}
