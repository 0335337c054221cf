//! Changes to a request's body.

use serde_json::{Map, Value};

use crate::catalog::{BodyRules, Provider};
use crate::redact::Redacted;
use crate::wire::{Edit, Endpoint, Payload};

/// The edits that rules from data stand for, in the order drop, rename, default, set.
pub fn edits_of(rules: &BodyRules) -> Vec<Edit> {
    let drop = rules.drop.iter().map(|key| Edit::Drop(key.clone().into()));
    let rename = rules.rename.iter().map(|(old, new)| Edit::Rename(old.clone().into(), new.clone().into()));
    let default = rules.default.iter().map(|(key, value)| Edit::Default(key.clone().into(), value.to_string()));
    let set = rules.set.iter().map(|(key, value)| Edit::Set(key.clone().into(), value.to_string()));
    drop.chain(rename).chain(default).chain(set).collect()
}

/// Asks a stream for what it consumed, where the provider takes the question and the client did not ask itself. What
/// else the client put beside it stays.
pub fn ask_usage(provider: &Provider, call: &Redacted) -> Option<Edit> {
    let Payload::Json(json) = &call.payload else { return None };
    if !(provider.ask_usage && call.stream && matches!(call.endpoint, Endpoint::Chat | Endpoint::Completions)) {
        return None;
    }
    let stated = json.get("stream_options").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut options = match stated {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(options)) => options,
        // the provider says what is wrong with it
        Some(_) => return None,
    };
    if options.get("include_usage") == Some(&Value::Bool(true)) {
        return None;
    }
    options.insert("include_usage".to_owned(), Value::Bool(true));
    Some(Edit::Set("stream_options".into(), Value::Object(options).to_string()))
}

/// Names the model as the provider knows it, where the call has a JSON body and a model.
pub(super) fn name_model(call: &Redacted, model: Option<&str>) -> Vec<Edit> {
    match (&call.payload, model) {
        (Payload::Json(_), Some(model)) => vec![Edit::set_str("model", model)],
        _ => Vec::new(),
    }
}
