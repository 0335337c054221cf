//! Which model is asked where nobody named one.

use super::chat::ChatError;
use crate::config::Settings;
use crate::operator::{Ask, ModelRow, Operator, Reply};

/// A model, and why this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As any client would write it.
    pub model: String,
    /// Why it was chosen, in words.
    pub why: String,
}

/// Whether a model that answers without a network will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offline {
    /// Better than none.
    Taken,
    /// It only repeats what it hears.
    Refused,
}

/// Words in the names of models that do not chat.
const SILENT: &[&str] = &[
    "embed",
    "tts",
    "whisper",
    "transcribe",
    "dall-e",
    "image",
    "moderation",
    "audio",
    "realtime",
    "rerank",
    "speech",
    "video",
    "sora",
    "ocr",
    "guard",
    "babbage",
    "davinci",
    "instruct",
    "search",
    "codex",
];

/// The model that is `wanted`, else the first of the user's own names, else one of the default provider, else of any
/// other. `None`: nothing can be called.
pub async fn choose(
    operator: &dyn Operator,
    wanted: Option<&str>,
    settings: &Settings,
    offline: Offline,
) -> Result<Option<Choice>, ChatError> {
    if let Some(model) = wanted {
        return Ok(Some(Choice { model: model.to_owned(), why: "as you said".to_owned() }));
    }
    match operator.ask(Ask::Models { why: false }).await.map_err(ChatError::Unreachable)? {
        Reply::Models(rows) => Ok(best(&rows, settings, offline)),
        _ => Ok(None),
    }
}

/// The best of the models that can be called.
pub fn best(rows: &[ModelRow], settings: &Settings, offline: Offline) -> Option<Choice> {
    let choice = |row: &ModelRow, why: &str| Some(Choice { model: row.id.clone(), why: why.to_owned() });
    let own = |row: &&ModelRow| settings.models.contains_key(&row.id);
    if let Some(row) = rows.iter().find(own) {
        return choice(row, "the first name in [models]");
    }
    let far = |row: &&ModelRow| !matches!(row.id.split('/').next(), Some("sim" | "dialectics"));
    let chats = |row: &&ModelRow| {
        let name = row.id.to_lowercase();
        far(row) && !SILENT.iter().any(|word| name.contains(word))
    };
    let default = settings.default_provider.as_deref();
    if let Some(row) = rows.iter().filter(chats).find(|row| Some(row.provider.as_str()) == default) {
        return choice(row, "a model of default_provider");
    }
    if let Some(row) = rows.iter().find(chats) {
        return choice(row, "the first chat model that can be called");
    }
    let near =
        Choice { model: "sim/echo".to_owned(), why: "no provider has an account, so it only repeats".to_owned() };
    (offline == Offline::Taken).then_some(near)
}
