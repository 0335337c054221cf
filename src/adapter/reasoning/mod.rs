//! Tells a model how hard to think: the level that policy and client agree on, in the field that its family knows, and
//! without what the family then refuses. Pure: a body and rules go in, edits and a note come out.

mod fields;
mod inline;
mod instruct;
mod short;
mod veil;
mod wanted;

use std::fmt::Write;

use fields::Fields;
use serde_json::{Map, Value};
pub use veil::Veil;
pub use wanted::wanted;

use crate::catalog::reasoning::{Family, Form, Level, Policy, family};
use crate::wire::{Edit, Endpoint, Json};

/// What a route is and what is wanted of it.
pub struct Order<'a> {
    /// A user's own families, which go before those that are shipped.
    pub own: &'a [Family],
    /// The provider's id.
    pub provider: &'a str,
    /// The model as the provider knows it.
    pub model: &'a str,
    /// What is asked of it.
    pub endpoint: &'a Endpoint,
    /// What the route and the client's rules say.
    pub policy: Policy,
    /// What the client asks for outside the body.
    pub asked: Option<Level>,
}

/// What became of an order.
#[derive(Debug, PartialEq)]
pub struct Enforced {
    /// The changes to the body.
    pub edits: Vec<Edit>,
    /// What was wanted and what is sent, for a header: `requested=max; sent=high; removed=temperature`.
    pub note: String,
}

/// The changes that carry out an order; `None` where the dialect has no place for reasoning or nothing is wanted.
pub fn enforce(order: &Order<'_>, body: &Json) -> Option<Enforced> {
    let form = form(order.endpoint)?;
    let said = wanted(body);
    let level = order.policy.level(order.asked.or(said))?;
    let requested = order.policy.force.or(order.asked).or(said);
    let family = family(order.own, order.provider, order.model, form);
    let mut note = format!("requested={}", requested.map_or("unsaid", Level::word));
    let mut fields = Fields::cleared(body);
    let sent = family.and_then(|family| Some((family, family.level(level, order.policy)?)));
    let edits = match sent {
        Some((family, level)) => {
            let switched = if level == Level::None { "off" } else { "on" };
            let word = if family.is_switch() { switched } else { level.word() };
            let _ = write!(note, "; sent={word}");
            fields.tell(family, form, level);
            if let Some(longest) = fields.make_room(family, form) {
                let _ = write!(note, "; longest={longest}");
            }
            let (removed, mut edits) = refused(family, level, body);
            if !removed.is_empty() {
                let _ = write!(note, "; removed={}", removed.join(","));
            }
            edits.extend(fields.edits());
            edits
        }
        None => {
            let words = order.policy.instruct && family.is_none() && level > Level::None;
            note.push_str(if words { "; sent=instructions" } else { "; sent=unsupported" });
            let mut edits = fields.edits();
            edits.extend(words.then(|| instruct::edit(form, body, level)).flatten());
            edits
        }
    };
    Some(Enforced { edits, note })
}

/// These edits, and with them the wish for the provider's own summary of its thoughts, where the client has none (the
/// responses dialect).
pub fn summarise(body: &Json, mut edits: Vec<Edit>) -> Vec<Edit> {
    let at = edits.iter().position(|edit| matches!(edit, Edit::Set(key, _) if key == "reasoning"));
    let text = match at.map(|at| &edits[at]) {
        Some(Edit::Set(_, text)) => Some(text.as_str()),
        _ => body.get("reasoning").filter(|text| *text != "null"),
    };
    let Ok(mut reasoning) = serde_json::from_str::<Map<String, Value>>(text.unwrap_or("{}")) else { return edits };
    if !reasoning.get("summary").is_none_or(Value::is_null) {
        return edits;
    }
    reasoning.insert("summary".to_owned(), "auto".into());
    at.map(|at| edits.remove(at));
    edits.push(Edit::Set("reasoning".into(), Value::Object(reasoning).to_string()));
    edits
}

/// The dialect of a path, where it has fields for reasoning.
fn form(endpoint: &Endpoint) -> Option<Form> {
    match endpoint {
        Endpoint::Chat => Some(Form::Chat),
        Endpoint::Responses => Some(Form::Responses),
        Endpoint::Completions | Endpoint::Embeddings => None,
        Endpoint::Other(path) => match &**path {
            "messages" => Some(Form::Messages),
            "api/chat" => Some(Form::Native),
            path if path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent") => {
                Some(Form::Generate)
            }
            _ => None,
        },
    }
}

/// The fields that the family refuses at this level: their names, and the edits that take them out or set them right.
fn refused(family: &Family, level: Level, body: &Json) -> (Vec<String>, Vec<Edit>) {
    let thinks = level > Level::None;
    let names = family.refuses.iter().chain(family.refuses_thinking.iter().filter(|_| thinks));
    let mut removed: Vec<String> = names.filter(|name| body.raw(name).is_some()).cloned().collect();
    let mut edits: Vec<Edit> = removed.iter().map(|name| Edit::Drop(name.clone().into())).collect();
    for (name, value) in family.fixed.iter().filter(|_| thinks) {
        let value = value.to_string();
        if body.get(name).is_some_and(|sent| sent != value) {
            edits.push(Edit::Set(name.clone().into(), value));
            removed.push(name.clone());
        }
    }
    (removed, edits)
}
