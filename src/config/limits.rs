//! What the schema asks of one value: its type, its choices, its range and its form.

use serde_json::Value as Schema;
use toml::Value;

use super::budgets::Zone;
use super::forms::{Route, Size, Usd};
use super::problem::nearest;
use super::settings::Listen;
use crate::catalog::{BaseUrl, Checked, EnvName, LocalUrl, ProxyUrl, Wait};

/// Why a value is not accepted; without the value, which may be a key in the wrong place.
pub(super) struct Wrong {
    /// In words.
    pub message: String,
    /// The valid word that comes nearest.
    pub nearest: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), nearest: None }
    }
}

type Check = fn(&str) -> Result<(), String>;

/// The forms that texts can have, by the `format` of their schema.
const FORMS: &[(&str, Check)] = &[
    (Wait::FORMAT, form::<Wait>),
    (Size::FORMAT, form::<Size>),
    (Usd::FORMAT, form::<Usd>),
    (Zone::FORMAT, form::<Zone>),
    (Route::FORMAT, form::<Route>),
    (Listen::FORMAT, form::<Listen>),
    (BaseUrl::FORMAT, form::<BaseUrl>),
    (LocalUrl::FORMAT, form::<LocalUrl>),
    (ProxyUrl::FORMAT, form::<ProxyUrl>),
    (EnvName::FORMAT, form::<EnvName>),
];

fn form<T: Checked>(text: &str) -> Result<(), String> {
    T::from_str(text).map(drop).map_err(|malformed| malformed.to_string())
}

/// Checks one value, but not what is inside a table or a list.
pub(super) fn check(schema: &Schema, value: &Value) -> Result<(), Wrong> {
    let words = choices(schema);
    if !words.is_empty() {
        return choice(&words, value);
    }
    match (schema["type"].as_str(), value) {
        (None, _) => json(value),
        (Some("string"), Value::String(text)) => text_form(schema, text),
        (Some("integer"), Value::Integer(number)) => range(schema, *number),
        (Some("boolean"), Value::Boolean(_)) | (Some("object"), Value::Table(_)) => Ok(()),
        (Some(wanted), found) => Err(Wrong::new(format!("must be {}, not {}", wanted_name(wanted), found_name(found)))),
    }
}

/// The words of which the value must be one, as `enum` or as one `const` a variant.
fn choices(schema: &Schema) -> Vec<&str> {
    let plain = schema["enum"].as_array().into_iter().flatten();
    let documented = schema["oneOf"].as_array().into_iter().flatten().flat_map(|one| {
        let several = one["enum"].as_array().into_iter().flatten();
        one.get("const").into_iter().chain(several)
    });
    plain.chain(documented).filter_map(Schema::as_str).collect()
}

fn choice(words: &[&str], value: &Value) -> Result<(), Wrong> {
    match value.as_str() {
        Some(word) if words.contains(&word) => Ok(()),
        word => {
            let nearest = word.and_then(|word| nearest(word, words.iter().copied()));
            Err(Wrong { message: format!("must be one of {}", words.join(", ")), nearest })
        }
    }
}

fn text_form(schema: &Schema, text: &str) -> Result<(), Wrong> {
    if text.is_empty() && schema["minLength"].as_u64().is_some_and(|least| least > 0) {
        return Err(Wrong::new("must not be empty"));
    }
    let form = FORMS.iter().find(|(name, _)| schema["format"] == **name);
    form.map_or(Ok(()), |(_, check)| check(text)).map_err(Wrong::new)
}

/// What is wrong with the number of items in a list.
pub(super) fn count(schema: &Schema, items: usize) -> Option<String> {
    let items = items as u64;
    match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
        (Some(1), _) if items == 0 => Some("must not be empty".to_owned()),
        (Some(least), _) if items < least => Some(format!("must have {least} or more")),
        (_, Some(most)) if items > most => Some(format!("must have {most} or fewer")),
        _ => None,
    }
}

fn range(schema: &Schema, number: i64) -> Result<(), Wrong> {
    if let Some(least) = schema["minimum"].as_i64().filter(|least| number < *least) {
        return Err(Wrong::new(format!("must be {least} or more")));
    }
    let most = schema["maximum"].as_i64().or(match schema["format"].as_str() {
        Some("uint32") => Some(i64::from(u32::MAX)),
        Some("int32") => Some(i64::from(i32::MAX)),
        _ => None,
    });
    match most.filter(|most| number > *most) {
        Some(most) => Err(Wrong::new(format!("must be {most} or less"))),
        None => Ok(()),
    }
}

/// A free value ends in a JSON body, which has no dates and no infinite numbers.
fn json(value: &Value) -> Result<(), Wrong> {
    match value {
        Value::Datetime(_) => Err(Wrong::new("JSON has no dates; write it as a text in quotes")),
        Value::Float(number) if !number.is_finite() => Err(Wrong::new("JSON has no such number")),
        Value::Array(list) => list.iter().try_for_each(json),
        Value::Table(table) => table.values().try_for_each(json),
        _ => Ok(()),
    }
}

fn wanted_name(wanted: &str) -> &'static str {
    match wanted {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "a table",
    }
}

fn found_name(found: &Value) -> &'static str {
    match found {
        Value::String(_) => "a text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
