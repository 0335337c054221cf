//! Answers that are no conversation: embeddings, model lists, and the receipt for anything else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ask::{Ask, text};

const DIMENSIONS: usize = 8;

/// Vectors that are a function of the text alone, as floats or base64 of little-endian `f32`.
pub(crate) fn embeddings(ask: &Ask) -> Value {
    let inputs = match &ask.body["input"] {
        Value::Array(list) if list.iter().all(|item| !item.is_number()) => list.clone(),
        one => vec![one.clone()],
    };
    let size = ask.body["dimensions"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(DIMENSIONS);
    let words: usize = inputs.iter().map(|input| text(input).split_whitespace().count().max(1)).sum();
    let rows = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(&input.to_string(), size);
        let embedding = match ask.body["encoding_format"].as_str() {
            Some("base64") => {
                json!(STANDARD.encode(vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()))
            }
            _ => json!(vector),
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    json!({"object": "list", "data": rows.collect::<Vec<_>>(), "model": ask.model,
        "usage": {"prompt_tokens": words, "total_tokens": words}})
}

/// Multiples of 1/128 from -1 to 1, which are exact in both encodings.
fn vector(text: &str, size: usize) -> Vec<f32> {
    // FNV-1a: the same on every machine
    let stir = |state: u32, byte: u8| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let seed = text.bytes().fold(0x811c_9dc5, stir);
    let states = std::iter::successors(Some(seed), |&state| Some(stir(state, 0)));
    states.take(size).map(|state| f32::from(state.to_be_bytes()[0]) / 128.0 - 1.0).collect()
}

/// A list of models.
pub(crate) fn models(names: &[String], owner: &str) -> Value {
    let rows = names.iter().map(|name| model(name, owner));
    json!({"object": "list", "data": rows.collect::<Vec<_>>()})
}

/// One model.
pub(crate) fn model(name: &str, owner: &str) -> Value {
    json!({"id": name, "object": "model", "created": 1_700_000_000, "owned_by": owner})
}

/// What a path says that the engine passes no judgement on: how much arrived there.
pub(crate) fn receipt(path: &str, bytes: usize) -> Value {
    json!({"object": "receipt", "path": path, "bytes": bytes})
}
