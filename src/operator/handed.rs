//! A secret on its way to the gateway of the same person, over the home's own socket.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kit::Secret;

/// A secret that a question carries. It is written into the question's body and shown nowhere.
#[derive(Clone)]
pub struct Handed(pub Secret);

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed(…)")
    }
}

/// No two are equal: nobody shall find out by asking.
impl PartialEq for Handed {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Serialize for Handed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Handed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(text)))
    }
}
