//! The model list in OpenAI's shape, with each model's provider beside it.

use serde_json::{Value, json};

use crate::gateway::ListedModel;
use crate::kit::{Fault, fault::Kind};

/// The answer to `GET /v1/models`.
pub(super) fn list(models: &[ListedModel]) -> Value {
    json!({"object": "list", "data": models.iter().map(row).collect::<Vec<_>>()})
}

/// The answer to `GET /v1/models/{id}`, where `id` may also be written `provider/model`.
pub(super) fn one(models: &[ListedModel], id: &str) -> Result<Value, Fault> {
    let is = |model: &&ListedModel| {
        let bare = id.strip_prefix(model.provider.as_str()).and_then(|rest| rest.strip_prefix('/'));
        model.id == id || bare == Some(model.id.as_str())
    };
    models.iter().find(is).map(row).ok_or_else(|| {
        let words = format!("there is no model {id:?} that you can call; see GET /v1/models for those there are");
        Fault::new(Kind::NotFound, words).code("model_not_found").param("model")
    })
}

fn row(model: &ListedModel) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.provider,
        "provider": model.provider,
    })
}
