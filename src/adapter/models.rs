//! Reads model lists, whatever shape they have.

use serde_json::Value;

/// The ids in a model list: `{"data": [{"id"}]}`, or a bare array as Together and GitHub send it. `None` when the body
/// is no list.
pub fn model_ids(body: &[u8]) -> Option<Vec<String>> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let list = json.get("data").or_else(|| json.get("models")).unwrap_or(&json).as_array()?;
    Some(list.iter().filter_map(|model| Some(model.get("id")?.as_str()?.to_owned())).collect())
}
