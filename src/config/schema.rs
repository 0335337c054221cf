//! The JSON schema of the settings file, and of a provider file.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::shape::Shape;
use crate::catalog::Stanza;

static SETTINGS: LazyLock<Value> = LazyLock::new(of::<Shape>);
static PROVIDER: LazyLock<Value> = LazyLock::new(of::<Stanza>);

/// The schema of `keywheel.toml`, draft 2020-12, without references.
pub fn settings() -> &'static Value {
    &SETTINGS
}

/// The schema of `providers/ID.toml`.
pub fn provider() -> &'static Value {
    &PROVIDER
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    without_null(&mut schema);
    schema.to_value()
}

/// TOML has no null: an optional key is left out instead, so its schema is that of the value.
fn without_null(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        object
            .remove("default")
            .filter(|default| !default.is_null())
            .map(|default| object.insert("default".to_owned(), default));
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
            choices.retain(|choice| choice["type"] != "null");
            if let [only] = choices.as_mut_slice()
                && let Value::Object(only) = only.take()
            {
                object.remove("anyOf");
                let described = object.contains_key("description");
                object.extend(only.into_iter().filter(|(key, _)| !(described && key == "description")));
            }
        }
    }
    schemars::transform::transform_subschemas(&mut without_null, schema);
}
