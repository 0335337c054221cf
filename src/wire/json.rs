//! A JSON object that is scanned once for its top-level members and otherwise left as the client wrote it.
//!
//! Requests are never decoded and encoded again: that would rewrite numbers, drop unknown fields and cost several
//! times what the network does. What the gateway changes, it splices.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object: its bytes, and where its top-level members stand.
#[derive(Clone)]
pub struct Json {
    bytes: Bytes,
    members: Vec<Member>,
}

/// One top-level member. Its text runs from the first byte of the key's quote to the end of the value.
#[derive(Clone)]
struct Member {
    key: Box<str>,
    whole: Range<usize>,
    value: Range<usize>,
}

/// Why a body is not a JSON object that two parsers would read alike.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A key stands twice at the top level, so the gateway and the provider could disagree about it.
    #[error("the body has the key {0:?} twice at the top level; send it once")]
    Duplicate(Box<str>),
    /// Not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    Syntax(String),
}

/// A change to one top-level member. Values are JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Put this value, whether or not the member is there.
    Set(Cow<'static, str>, String),
    /// Put this value only where the client sent none.
    Default(Cow<'static, str>, String),
    /// Take the member out.
    Drop(Cow<'static, str>),
}

impl Edit {
    /// Sets a member to a string.
    pub fn set_str(key: &'static str, value: &str) -> Self {
        Self::Set(key.into(), serde_json::Value::from(value).to_string())
    }

    fn key(&self) -> &str {
        match self {
            Self::Set(key, _) | Self::Default(key, _) | Self::Drop(key) => key,
        }
    }
}

impl Json {
    /// Scans a body. The bytes are kept, not copied.
    pub fn parse(bytes: Bytes) -> Result<Self, JsonError> {
        let mut duplicate = None;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let found = reader
            .deserialize_map(Members { text: &bytes, duplicate: &mut duplicate })
            .and_then(|members| reader.end().map(|()| members));
        match (found, duplicate) {
            (_, Some(key)) => Err(JsonError::Duplicate(key)),
            (Ok(members), None) => Ok(Self { bytes, members }),
            (Err(error), None) => Err(JsonError::Syntax(error.to_string())),
        }
    }

    /// The bytes as they came.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The JSON text of a top-level member.
    pub fn get(&self, key: &str) -> Option<&str> {
        let member = self.members.iter().find(|member| &*member.key == key)?;
        std::str::from_utf8(&self.bytes[member.value.clone()]).ok()
    }

    /// A top-level member that is a string.
    pub fn str(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?).ok()
    }

    /// Whether a top-level member is `true`.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// The body with the edits applied, later ones over earlier ones; all other bytes are as they came. Without any
    /// change the same allocation comes back.
    pub fn splice(&self, edits: &[Edit]) -> Bytes {
        let mut values: Vec<Option<&str>> = vec![None; self.members.len()];
        let mut dropped = vec![false; self.members.len()];
        let mut added: Vec<(&str, &str)> = Vec::new();
        for edit in edits {
            let here = self.members.iter().position(|member| *member.key == *edit.key());
            match (edit, here) {
                (Edit::Set(_, value), Some(at)) => {
                    values[at] = Some(value);
                    dropped[at] = false;
                }
                (Edit::Default(_, value), Some(at)) if dropped[at] => {
                    values[at] = Some(value);
                    dropped[at] = false;
                }
                (Edit::Default(..), Some(_)) => {}
                (Edit::Drop(_), Some(at)) => dropped[at] = true,
                (Edit::Set(key, value), None) => {
                    added.retain(|(other, _)| other != key);
                    added.push((key, value));
                }
                (Edit::Default(key, value), None) => {
                    if !added.iter().any(|(other, _)| other == key) {
                        added.push((key, value));
                    }
                }
                (Edit::Drop(key), None) => added.retain(|(other, _)| other != key),
            }
        }
        let same =
            |at: usize| values[at].is_none_or(|new| new.as_bytes() == &self.bytes[self.members[at].value.clone()]);
        if added.is_empty() && !dropped.contains(&true) && (0..values.len()).all(same) {
            return self.bytes.clone();
        }
        self.write(&values, &dropped, &added)
    }

    fn write(&self, values: &[Option<&str>], dropped: &[bool], added: &[(&str, &str)]) -> Bytes {
        let grown: usize = added.iter().map(|(key, value)| key.len() + value.len() + 8).sum::<usize>()
            + values.iter().flatten().map(|value| value.len()).sum::<usize>();
        let mut out = Vec::with_capacity(self.bytes.len() + grown);
        let open = self.bytes.iter().position(|&byte| byte == b'{').map_or(0, |at| at + 1);
        let mut from = 0;
        let mut kept = false;
        for (at, member) in self.members.iter().enumerate() {
            if dropped[at] {
                // the text since the last kept member goes too: it is white space and the comma
                if !kept && from == 0 {
                    out.extend_from_slice(&self.bytes[..open]);
                }
                from = member.whole.end;
                continue;
            }
            let lead = &self.bytes[from..member.whole.start];
            // before the first kept member no comma may stand, whatever was dropped in front of it
            out.extend_from_slice(if kept || from == 0 {
                lead
            } else {
                lead.trim_ascii_start().strip_prefix(b",").unwrap_or(lead)
            });
            match values[at] {
                Some(value) => {
                    out.extend_from_slice(&self.bytes[member.whole.start..member.value.start]);
                    out.extend_from_slice(value.as_bytes());
                }
                None => out.extend_from_slice(&self.bytes[member.whole.clone()]),
            }
            from = member.whole.end;
            kept = true;
        }
        let tail = &self.bytes[from..];
        let (inside, rest) = if from == 0 { tail.split_at(open) } else { tail.split_at(0) };
        out.extend_from_slice(inside);
        for (key, value) in added {
            if kept {
                out.push(b',');
            }
            out.extend_from_slice(serde_json::Value::from(*key).to_string().as_bytes());
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
            kept = true;
        }
        out.extend_from_slice(rest);
        out.into()
    }
}

/// Collects the members of one object; values are skipped over, not decoded.
struct Members<'a, 'd> {
    text: &'a [u8],
    duplicate: &'d mut Option<Box<str>>,
}

impl<'de> Visitor<'de> for Members<'de, '_> {
    type Value = Vec<Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<Member> = Vec::with_capacity(16);
        let mut end = self.text.iter().position(|&byte| byte == b'{').map_or(0, |at| at + 1);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let value: &RawValue = map.next_value()?;
            if members.iter().any(|member| *member.key == *key) {
                *self.duplicate = Some(key.into());
                return Err(serde::de::Error::custom("duplicate key"));
            }
            let start = value.get().as_ptr().addr() - self.text.as_ptr().addr();
            let quote = end + self.text[end..start].iter().position(|&byte| byte == b'"').unwrap_or(0);
            end = start + value.get().len();
            members.push(Member { key: key.into(), whole: quote..end, value: start..end });
        }
        Ok(members)
    }
}

/// A key, borrowed unless it holds escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(body: &'static str, edits: &[Edit]) -> String {
        let json = Json::parse(Bytes::from_static(body.as_bytes())).expect("an object");
        let out = json.splice(edits);
        Json::parse(out.clone()).expect("the splice is an object");
        String::from_utf8(out.to_vec()).expect("UTF-8")
    }

    #[test]
    fn only_named_members_change() {
        let model = Edit::set_str("model", "m2");
        assert_eq!(
            spliced("{ \"n\" : 1.10,\n\"model\": \"a\" , \"x\":9007199254740993}", std::slice::from_ref(&model)),
            "{ \"n\" : 1.10,\n\"model\": \"m2\" , \"x\":9007199254740993}"
        );
        assert_eq!(spliced("{}", std::slice::from_ref(&model)), "{\"model\":\"m2\"}");
        assert_eq!(spliced(" { } ", std::slice::from_ref(&model)), " {\"model\":\"m2\" } ");
        assert_eq!(spliced("{\"a\":1 }", std::slice::from_ref(&model)), "{\"a\":1,\"model\":\"m2\" }");
    }

    #[test]
    fn members_are_dropped_wherever_they_stand() {
        let drop = |key: &'static str| Edit::Drop(key.into());
        assert_eq!(spliced("{\"a\":1, \"b\":2, \"c\":3}", &[drop("a")]), "{ \"b\":2, \"c\":3}");
        assert_eq!(spliced("{\"a\":1, \"b\":2, \"c\":3}", &[drop("b")]), "{\"a\":1, \"c\":3}");
        assert_eq!(spliced("{\"a\":1, \"b\":2, \"c\":3}", &[drop("c")]), "{\"a\":1, \"b\":2}");
        assert_eq!(spliced("{\"a\":1, \"b\":2, \"c\":3}", &[drop("a"), drop("b")]), "{ \"c\":3}");
        assert_eq!(spliced("{\"a\":1}", &[drop("a")]), "{}");
        assert_eq!(spliced("{\"a\":1}", &[drop("a"), Edit::set_str("m", "x")]), "{\"m\":\"x\"}");
        assert_eq!(spliced("{\"a\":1}", &[drop("a"), Edit::Default("a".into(), "2".into())]), "{\"a\":2}");
    }

    #[test]
    fn an_unchanged_body_is_the_same_allocation() {
        let bytes = Bytes::from_static(b"{\"model\":\"m\",\"stream\":true}");
        let json = Json::parse(bytes.clone()).expect("an object");
        let out = json.splice(&[Edit::set_str("model", "m"), Edit::Default("stream".into(), "false".into())]);
        assert_eq!(out.as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_even_when_escaped() {
        let twice = Json::parse(Bytes::from_static(b"{\"model\":\"a\",\"\\u006dodel\":\"b\"}"));
        assert_eq!(twice.err(), Some(JsonError::Duplicate("model".into())));
        let nested = Json::parse(Bytes::from_static(b"{\"a\":{\"b\":1,\"b\":2}}"));
        assert!(nested.is_ok(), "only the top level is read by us");
        for bad in ["", "[]", "{\"a\":1", "{\"a\":1}x", "{\"a\":}", "{a:1}", "\"x\"", "{\"a\":\"\u{1}\"}"] {
            assert!(matches!(Json::parse(Bytes::from(bad)), Err(JsonError::Syntax(_))), "{bad:?}");
        }
    }
}
