//! Texts whose form is checked where they are read: one name of a format ties the type, its place in the JSON schema
//! and the check that reports file and line together.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Why a text does not have its form. Lower case, no final dot, and never the text itself: people paste keys into
/// wrong places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub Cow<'static, str>);

impl Malformed {
    /// In these words.
    pub fn new(words: impl Into<Cow<'static, str>>) -> Self {
        Self(words.into())
    }
}

/// A text with a form of its own.
pub trait Checked: FromStr<Err = Malformed> + fmt::Display {
    /// The name of the form, as `format` of the JSON schema shows it.
    const FORMAT: &'static str;
}

/// Lets a type that is written as one text be read from settings and shown in their schema.
macro_rules! checked {
    ($type:ty, $format:literal) => {
        impl $crate::catalog::Checked for $type {
            const FORMAT: &'static str = $format;
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $format.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

pub(crate) use checked;
