//! A JSON object that is scanned once for its top-level members and otherwise left as the client wrote it.
//!
//! Requests are never decoded and encoded again: that would rewrite numbers, drop unknown fields and cost several
//! times what the network does. What the gateway changes, it splices.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::pieces::{Joiner, Pieces};
use super::scan;

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
    /// Take the member out and put its value at the second name, where nothing stands.
    Rename(Cow<'static, str>, Cow<'static, str>),
}

/// A body with edits that are not yet written.
pub struct Edited<'a> {
    json: &'a Json,
    /// For each member, its new value and whether it is taken out.
    values: Vec<Option<&'a str>>,
    dropped: Vec<bool>,
    /// New members.
    added: Vec<(&'a str, &'a str)>,
}

impl Edit {
    /// Sets a member to a string.
    pub fn set_str(key: &'static str, value: &str) -> Self {
        Self::Set(key.into(), serde_json::Value::from(value).to_string())
    }
}

impl Json {
    /// Scans a body. The bytes are kept, not copied.
    pub fn parse(bytes: Bytes) -> Result<Self, JsonError> {
        let mut members: Vec<Member> = Vec::with_capacity(16);
        let mut wrong = None;
        let scanned = scan::object(&bytes, |key, value| match decode(&bytes[key.clone()]) {
            Some(name) if members.iter().any(|member| *member.key == *name) => {
                wrong.get_or_insert(JsonError::Duplicate(name.into()));
            }
            Some(name) => members.push(Member { key: name.into(), whole: key.start..value.end, value }),
            None => {
                wrong.get_or_insert_with(|| syntax(&bytes));
            }
        });
        match (scanned, wrong) {
            (_, Some(wrong)) => Err(wrong),
            (None, None) => Err(syntax(&bytes)),
            (Some(()), None) => Ok(Self { bytes, members }),
        }
    }

    /// The bytes as they came.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The JSON text of a top-level member. It is checked to be UTF-8 again, so ask for short ones.
    pub fn get(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.raw(key)?).ok()
    }

    /// The same as bytes, however long it is.
    pub fn raw(&self, key: &str) -> Option<&[u8]> {
        let member = self.members.iter().find(|member| &*member.key == key)?;
        Some(&self.bytes[member.value.clone()])
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
    /// change the same allocation comes back, and long values are never copied.
    pub fn splice(&self, edits: &[Edit]) -> Pieces {
        self.edited(edits).pieces()
    }

    /// The body as the edits make it, to be read without being written.
    pub fn edited<'a>(&'a self, edits: &'a [Edit]) -> Edited<'a> {
        let count = self.members.len();
        let mut edited =
            Edited { json: self, values: vec![None; count], dropped: vec![false; count], added: Vec::new() };
        edits.iter().for_each(|edit| edited.apply(edit));
        edited
    }

    fn write(&self, values: &[Option<&str>], dropped: &[bool], added: &[(&str, &str)]) -> Pieces {
        let mut out = Joiner::new(&self.bytes);
        let open = self.bytes.iter().position(|&byte| byte == b'{').map_or(0, |at| at + 1);
        let mut from = 0;
        let mut kept = false;
        for (at, member) in self.members.iter().enumerate() {
            if dropped[at] {
                // the text since the last kept member goes too: it is white space and the comma
                if !kept && from == 0 {
                    out.keep(&self.bytes[..open]);
                }
                from = member.whole.end;
                continue;
            }
            let lead = &self.bytes[from..member.whole.start];
            // before the first kept member no comma may stand, whatever was dropped in front of it
            out.keep(if kept || from == 0 { lead } else { lead.trim_ascii_start().strip_prefix(b",").unwrap_or(lead) });
            match values[at] {
                Some(value) => {
                    out.keep(&self.bytes[member.whole.start..member.value.start]);
                    out.put(value.as_bytes());
                }
                None => out.keep(&self.bytes[member.whole.clone()]),
            }
            from = member.whole.end;
            kept = true;
        }
        let tail = &self.bytes[from..];
        let (inside, rest) = if from == 0 { tail.split_at(open) } else { tail.split_at(0) };
        out.keep(inside);
        for (key, value) in added {
            if kept {
                out.put(b",");
            }
            out.put(serde_json::Value::from(*key).to_string().as_bytes());
            out.put(b":");
            out.put(value.as_bytes());
            kept = true;
        }
        out.keep(rest);
        out.end()
    }
}

impl<'a> Edited<'a> {
    /// The JSON text of a top-level member, see [`Json::get`].
    pub fn get(&self, key: &str) -> Option<&'a str> {
        std::str::from_utf8(self.raw(key)?).ok()
    }

    /// The same as bytes, however long it is.
    pub fn raw(&self, key: &str) -> Option<&'a [u8]> {
        let Some(at) = self.json.members.iter().position(|member| &*member.key == key) else {
            return self.added.iter().find(|(added, _)| *added == key).map(|(_, value)| value.as_bytes());
        };
        let written = || &self.json.bytes[self.json.members[at].value.clone()];
        (!self.dropped[at]).then(|| self.values[at].map_or_else(written, str::as_bytes))
    }

    fn apply(&mut self, edit: &'a Edit) {
        match edit {
            Edit::Set(key, value) => self.set(key, value),
            Edit::Default(key, value) if self.raw(key).is_none() => self.set(key, value),
            Edit::Default(..) => {}
            Edit::Drop(key) => self.take_out(key),
            Edit::Rename(old, new) => {
                let value = self.get(old);
                self.take_out(old);
                if let Some(value) = value.filter(|_| self.raw(new).is_none_or(|value| value == b"null")) {
                    self.set(new, value);
                }
            }
        }
    }

    fn set(&mut self, key: &'a str, value: &'a str) {
        match self.json.members.iter().position(|member| &*member.key == key) {
            Some(at) => (self.values[at], self.dropped[at]) = (Some(value), false),
            None => {
                self.added.retain(|(other, _)| *other != key);
                self.added.push((key, value));
            }
        }
    }

    fn take_out(&mut self, key: &str) {
        match self.json.members.iter().position(|member| &*member.key == key) {
            Some(at) => self.dropped[at] = true,
            None => self.added.retain(|(other, _)| *other != key),
        }
    }

    /// The body in pieces, none of which ends within a text.
    pub fn pieces(&self) -> Pieces {
        let Self { json, values, dropped, added } = self;
        let same =
            |at: usize| values[at].is_none_or(|new| new.as_bytes() == &json.bytes[json.members[at].value.clone()]);
        if added.is_empty() && !dropped.contains(&true) && (0..values.len()).all(same) {
            return json.bytes.clone().into();
        }
        json.write(values, dropped, added)
    }
}

/// A key without its quotes; decoded only where it holds an escape.
fn decode(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inside = std::str::from_utf8(&quoted[1..quoted.len() - 1]).ok()?;
    if inside.contains('\\') {
        return serde_json::from_slice(quoted).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}

/// What a parser says of a body that is no object.
fn syntax(bytes: &[u8]) -> JsonError {
    let why = serde_json::from_slice::<BTreeMap<String, &RawValue>>(bytes).err();
    JsonError::Syntax(why.map_or_else(|| "a key or a text in it cannot be read".to_owned(), |error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(body: &'static str, edits: &[Edit]) -> String {
        let json = Json::parse(Bytes::from_static(body.as_bytes())).expect("an object");
        let out = json.splice(edits).joined();
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
    fn an_edited_body_reads_as_it_does_once_written() {
        let json = Json::parse(Bytes::from_static(b"{\"a\":1, \"b\":\"x\",\n\"c\":[3]}")).expect("an object");
        let keys = ["a", "b", "c", "d"];
        let edits: Vec<Edit> = keys
            .into_iter()
            .flat_map(|key| [Edit::set_str(key, "new"), Edit::Default(key.into(), "7".into()), Edit::Drop(key.into())])
            .collect();
        // every two of them in every order
        for (one, other) in edits.iter().flat_map(|one| edits.iter().map(move |other| (one, other))) {
            let edits = [one.clone(), other.clone()];
            let edited = json.edited(&edits);
            let written = Json::parse(edited.pieces().joined()).expect("an object");
            for key in keys {
                assert_eq!(edited.raw(key), written.raw(key), "{key} after {edits:?}");
                assert_eq!(edited.get(key), written.get(key), "{key} after {edits:?}");
            }
        }
    }

    #[test]
    fn an_unchanged_body_is_the_same_allocation() {
        let bytes = Bytes::from_static(b"{\"model\":\"m\",\"stream\":true}");
        let json = Json::parse(bytes.clone()).expect("an object");
        let out = json.splice(&[Edit::set_str("model", "m"), Edit::Default("stream".into(), "false".into())]).joined();
        assert_eq!(out.as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn long_values_are_not_copied() {
        let body = Bytes::from(format!("{{\"model\":\"a\",\"messages\":\"{}\"}}", "x".repeat(100_000)));
        let json = Json::parse(body.clone()).expect("an object");
        let pieces: Vec<Bytes> = json.splice(&[Edit::set_str("model", "b")]).into_iter().collect();
        assert_eq!(pieces.concat(), String::from_utf8_lossy(&body).replacen("\"a\"", "\"b\"", 1).as_bytes());
        let inside = |piece: &Bytes| body.as_ptr_range().contains(&piece.as_ptr());
        assert!(pieces.iter().all(|piece| piece.len() < 100 || inside(piece)));
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
