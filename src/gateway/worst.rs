//! What bounds a call: read from the body as it is sent, for budgets that must hold. What cannot be bounded says why.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use http::Method;
use serde::Deserialize;

use crate::catalog::price_worst::{Bound, Reach};
use crate::wire::{Edited, Endpoint};

/// How large a call can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// It asks no model for anything.
    Free,
    /// As large as that; `field` is where a limit of its answer stands.
    Bounded { bound: Bound, field: &'static str },
    /// Nothing bounds it, and what to do about it.
    Unbounded(&'static str),
}

/// Members by which a provider does more than the call shows: searches, other models, stored instructions.
const MORE_WORK: [&str; 5] = ["models", "plugins", "prompt", "search_parameters", "web_search_options"];
/// Tools that the client runs; others run at the provider and have it read its own answers over and over.
const OWN_TOOLS: [&str; 2] = ["function", "custom"];
/// Keys and kinds of what stands elsewhere, or has more tokens than bytes.
const ELSEWHERE: [&str; 12] = [
    "\"image_url\"",
    "\"input_image\"",
    "\"input_audio\"",
    "\"input_file\"",
    "\"input_video\"",
    "\"video_url\"",
    "\"file_id\"",
    "\"file_url\"",
    "\"file\"",
    "\"previous_response_id\"",
    "\"conversation\"",
    "\"item_reference\"",
];

/// Of a call by its method and endpoint, with this JSON body where it has one.
pub(super) fn extent(method: &Method, endpoint: &Endpoint, body: Option<&Edited<'_>>) -> Extent {
    if matches!(*method, Method::GET | Method::HEAD | Method::DELETE) {
        return Extent::Free;
    }
    let Some(body) = body else { return Extent::Unbounded("its body is not JSON; call another endpoint") };
    let (limits, field): (&[&str], _) = match endpoint {
        Endpoint::Chat => (&["max_completion_tokens", "max_tokens"], "max_tokens"),
        Endpoint::Completions => (&["max_tokens"], "max_tokens"),
        Endpoint::Responses => (&["max_output_tokens"], "max_output_tokens"),
        Endpoint::Embeddings => (&[], ""),
        Endpoint::Other(_) => return Extent::Unbounded("what this endpoint takes is not known; call another one"),
    };
    // completions have prompts of their own
    let more = |key: &&str| !(*key == "prompt" && *endpoint == Endpoint::Completions) && given(body, key);
    if MORE_WORK.iter().any(more) || runs_tools(body) {
        return Extent::Unbounded("the provider may search, run tools or choose models by itself; take that out");
    }
    let Some(choices) = choices(endpoint, body) else {
        return Extent::Unbounded("n, best_of or prompt cannot be read; write whole numbers");
    };
    let pieces = body.pieces();
    let size = pieces.len() as u64;
    let elsewhere =
        !matches!(endpoint, Endpoint::Embeddings) && pieces.into_iter().any(|piece| stands_elsewhere(&piece));
    let input = if elsewhere { Reach::Elsewhere } else { Reach::Body(size) };
    let max_tokens = match endpoint {
        Endpoint::Embeddings => Some(0),
        // one that cannot be read bounds nothing; of two the provider may take either
        _ => limits.iter().filter_map(|key| body.get(key)?.parse().ok()).max(),
    };
    Extent::Bounded { bound: Bound { input, max_tokens, choices, searches: 0 }, field }
}

/// Whether a member is there and says something.
fn given(body: &Edited<'_>, key: &str) -> bool {
    body.raw(key).is_some_and(|value| value != b"null" && value != b"[]" && value != b"{}")
}

/// Whether a tool of the call runs at the provider.
fn runs_tools(body: &Edited<'_>) -> bool {
    #[derive(Deserialize)]
    struct Tool<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<std::borrow::Cow<'a, str>>,
    }
    let Some(tools) = body.raw("tools").filter(|tools| *tools != b"null") else { return false };
    match serde_json::from_slice::<Vec<Tool<'_>>>(tools) {
        Ok(tools) => tools.iter().any(|tool| !tool.kind.as_deref().is_some_and(|kind| OWN_TOOLS.contains(&kind))),
        Err(_) => true,
    }
}

/// How many answers are billed.
fn choices(endpoint: &Endpoint, body: &Edited<'_>) -> Option<u64> {
    let number = |key: &str| match body.get(key) {
        None | Some("null") => Some(1),
        Some(text) => text.parse::<u64>().ok().map(|number| number.max(1)),
    };
    match endpoint {
        Endpoint::Chat => number("n"),
        Endpoint::Completions => number("n")?.max(number("best_of")?).checked_mul(prompts(body)?),
        _ => Some(1),
    }
}

/// How many prompts a completion has: a text or a list of tokens is one, a list of those is several.
fn prompts(body: &Edited<'_>) -> Option<u64> {
    let Some(prompt) = body.raw("prompt").filter(|prompt| prompt.starts_with(b"[")) else { return Some(1) };
    let list: Vec<&serde_json::value::RawValue> = serde_json::from_slice(prompt).ok()?;
    let several = list.first().is_some_and(|first| first.get().starts_with(['"', '[']));
    Some(if several { list.len() as u64 } else { 1 })
}

/// Whether a body names content beside its own text.
fn stands_elsewhere(body: &[u8]) -> bool {
    static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(ELSEWHERE).ok());
    FINDER.as_ref().is_none_or(|finder| finder.is_match(body))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::Json;

    fn of(endpoint: Endpoint, body: &str) -> Extent {
        let json = Json::parse(Bytes::from(body.to_owned())).expect("an object");
        extent(&Method::POST, &endpoint, Some(&json.edited(&[])))
    }

    fn bounded(endpoint: Endpoint, body: &str) -> Bound {
        match of(endpoint, body) {
            Extent::Bounded { bound, .. } => bound,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn a_call_is_bounded_by_its_body_its_limit_and_its_number_of_answers() {
        let body = r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":7,"max_completion_tokens":9,"n":3}"#;
        let bound = bounded(Endpoint::Chat, body);
        assert_eq!(
            bound,
            Bound { input: Reach::Body(body.len() as u64), max_tokens: Some(9), choices: 3, searches: 0 }
        );
        // a limit of another dialect, or one that is no whole number, limits nothing
        assert_eq!(bounded(Endpoint::Responses, r#"{"max_tokens":7,"input":"x"}"#).max_tokens, None);
        assert_eq!(bounded(Endpoint::Chat, r#"{"max_tokens":7.0}"#).max_tokens, None);
        assert_eq!(bounded(Endpoint::Chat, r#"{"max_tokens":null}"#).max_tokens, None);
        assert_eq!(bounded(Endpoint::Embeddings, r#"{"input":["a","b"]}"#).max_tokens, Some(0));
        for (prompt, choices) in [(r#""a""#, 2), (r#"["a","b","c"]"#, 6), ("[1,2,3]", 2), ("[[1,2],[3]]", 4)] {
            let body = format!(r#"{{"prompt":{prompt},"n":1,"best_of":2}}"#);
            assert_eq!(bounded(Endpoint::Completions, &body).choices, choices, "{prompt}");
        }
    }

    #[test]
    fn what_stands_elsewhere_or_runs_there_is_no_matter_of_bytes() {
        let image = r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://a"}}]}]}"#;
        assert_eq!(bounded(Endpoint::Chat, image).input, Reach::Elsewhere);
        assert_eq!(bounded(Endpoint::Responses, r#"{"previous_response_id":"r"}"#).input, Reach::Elsewhere);
        let told = r#"{"messages":[{"role":"user","content":"what is \"image_url\"?"}]}"#;
        assert!(matches!(bounded(Endpoint::Chat, told).input, Reach::Body(_)), "words about it are words");
        for body in [
            r#"{"tools":[{"type":"web_search"}]}"#,
            r#"{"tools":[{"type":"function"},{"type":"mcp"}]}"#,
            r#"{"tools":[{}]}"#,
            r#"{"web_search_options":{"a":1}}"#,
            r#"{"models":["a"]}"#,
            r#"{"n":"3"}"#,
        ] {
            assert!(matches!(of(Endpoint::Chat, body), Extent::Unbounded(_)), "{body}");
        }
        assert!(matches!(
            of(Endpoint::Chat, r#"{"tools":[{"type":"function"}],"plugins":[]}"#),
            Extent::Bounded { .. }
        ));
        assert!(matches!(of(Endpoint::Other("images/generations".into()), "{}"), Extent::Unbounded(_)));
        assert_eq!(extent(&Method::GET, &Endpoint::Other("files".into()), None), Extent::Free);
    }
}
