//! Lays the layers over each other: tables key by key, everything else as a whole.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::key::Key;
use super::layers::Layer;
use super::origins::Origins;
use super::read::Said;
use super::shape::Shape;

/// What all layers say together, lowest first, over the defaults of the program.
pub(super) fn merge(layers: Vec<(Layer, Said)>) -> Origins {
    let mut table = Table::try_from(Shape::default()).unwrap_or_default();
    let mut places = BTreeMap::new();
    for (layer, said) in layers {
        lay(&mut table, said.table, &Key::default());
        places.extend(said.places.into_iter().map(|(key, place)| (key, (layer, place))));
    }
    Origins::new(table, places)
}

fn lay(base: &mut Table, over: Table, at: &Key) {
    for (name, value) in over {
        let key = at.name(&name);
        match (base.get_mut(&name), value) {
            (Some(Value::Table(base)), Value::Table(over)) if !is_one(&key) => lay(base, over, &key),
            (Some(Value::Array(base)), Value::Array(over)) if comes_first(&key) => {
                base.splice(0..0, over);
            }
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

/// `auth` is one statement: the scheme of one header must not be carried over to another.
fn is_one(key: &Key) -> bool {
    matches!(key.names().as_slice(), ["providers", _, "auth"])
}

/// Error rules of a stanza come before those it inherits, since the first match counts.
fn comes_first(key: &Key) -> bool {
    matches!(key.names().as_slice(), ["providers", _, "errors"])
}
