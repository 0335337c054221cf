//! Changes to a request's body.

use crate::catalog::BodyRules;
use crate::redact::Redacted;
use crate::wire::{Edit, Payload};

/// The edits that rules from data stand for, in the order drop, default, set.
pub fn edits_of(rules: &BodyRules) -> Vec<Edit> {
    let drop = rules.drop.iter().map(|key| Edit::Drop(key.clone().into()));
    let default = rules.default.iter().map(|(key, value)| Edit::Default(key.clone().into(), value.to_string()));
    let set = rules.set.iter().map(|(key, value)| Edit::Set(key.clone().into(), value.to_string()));
    drop.chain(default).chain(set).collect()
}

/// Names the model as the provider knows it, where the call has a JSON body and a model.
pub(super) fn name_model(call: &Redacted, model: Option<&str>) -> Vec<Edit> {
    match (&call.payload, model) {
        (Payload::Json(_), Some(model)) => vec![Edit::set_str("model", model)],
        _ => Vec::new(),
    }
}
