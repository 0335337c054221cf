//! The schema, the example file, and the provider files that are shipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keywheel::catalog::SHIPPED;
use keywheel::config::{self, schema};
use serde_json::Value;

const EXAMPLE: &str = include_str!("../../examples/keywheel.toml");

#[test]
fn the_example_file_is_right() {
    let settings = config::parse(EXAMPLE).unwrap();
    assert_eq!(settings.accounts.len(), 9, "seven of its own and the two offline ones");
    assert_eq!(settings.dialectics["duel"].legs.len(), 2);
}

#[test]
fn every_key_of_the_schema_occurs_in_the_example_file() {
    let example: toml::Value = toml::from_str(EXAMPLE).unwrap();
    let mut missing = BTreeSet::new();
    let asked = absent(schema::settings(), &[&serde_json::to_value(example).unwrap()], "", &mut missing);
    assert_eq!(missing, BTreeSet::new());
    assert!(asked > 80, "only {asked} keys were looked for");
}

/// Notes the keys below `schema` that none of the `found` values has; counts those it looked for.
fn absent(schema: &Value, found: &[&Value], at: &str, missing: &mut BTreeSet<String>) -> usize {
    let mut asked = 0;
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let inside: Vec<_> = found.iter().filter_map(|value| value.get(name)).collect();
        let at = format!("{at}.{name}");
        asked += 1;
        if inside.is_empty() {
            missing.insert(at.clone());
        }
        asked += absent(below, &inside, &at, missing);
    }
    if let Some(items) = schema.get("items") {
        let inside: Vec<_> = found.iter().filter_map(|value| value.as_array()).flatten().collect();
        asked += absent(items, &inside, &format!("{at}[]"), missing);
    }
    if let Some(rest) = schema.get("additionalProperties").filter(|rest| rest.is_object()) {
        let inside: Vec<_> = found.iter().filter_map(|value| value.as_object()).flat_map(|map| map.values()).collect();
        asked += absent(rest, &inside, &format!("{at}.*"), missing);
    }
    asked
}

#[test]
fn the_schema_says_what_each_key_is_for() {
    let schema = schema::settings();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["listen"]["default"][0], "tcp://127.0.0.1:4141");
    for (name, property) in schema["properties"].as_object().unwrap() {
        assert!(property["description"].is_string(), "{name} is not described");
        assert!(!property.to_string().contains("null"), "{name}: TOML has no null");
    }
    let account = &schema["properties"]["accounts"]["items"];
    assert_eq!(account["required"], serde_json::json!(["id", "provider"]));
    assert_eq!(account["properties"]["weight"]["minimum"], 1);
    assert_eq!(schema::provider()["properties"]["base_url"]["format"], "base-url");
}

fn shipped_folder() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_file_in_the_providers_folder_is_embedded() {
    let embedded: BTreeSet<_> = SHIPPED.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(embedded, shipped_folder());
}

#[test]
fn every_shipped_provider_is_complete() {
    let settings = config::parse("").unwrap();
    let complete: BTreeSet<_> = settings.providers.keys().cloned().collect();
    assert_eq!(complete, shipped_folder(), "a shipped file lacks its adapter or base_url");
    assert!(settings.provider_origins.values().all(|origin| origin == "shipped"));
}
