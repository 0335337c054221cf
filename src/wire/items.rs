//! Edits inside a list of objects, such as the messages or the tools of a call; what no edit names stays as it came.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Edit, Json};

/// The JSON text of a list whose objects got the edits that `edits` asks for; `None` where nothing changes or the text is no
/// list. Items that are no objects, or have a key twice, are left alone.
pub fn edit_items(list: &[u8], mut edits: impl FnMut(&Json) -> Vec<Edit>) -> Option<String> {
    let items: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
    let mut out = Vec::new();
    let mut from = 0;
    for text in items.into_iter().map(RawValue::get) {
        let Ok(item) = Json::parse(Bytes::copy_from_slice(text.as_bytes())) else { continue };
        let edits = edits(&item);
        if edits.is_empty() {
            continue;
        }
        // the items are borrowed from the list, so where they stand is known
        let start = text.as_ptr().addr() - list.as_ptr().addr();
        out.extend_from_slice(&list[from..start]);
        out.extend_from_slice(&item.splice(&edits).joined());
        from = start + text.len();
    }
    if from == 0 {
        return None;
    }
    out.extend_from_slice(&list[from..]);
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_items_that_are_named_change() {
        let mark = |item: &Json| match item.str("role").as_deref() {
            Some("a") => vec![Edit::set_str("x", " ")],
            _ => Vec::new(),
        };
        let list = b"[ {\"role\":\"a\", \"n\" :1.10} ,{\"role\":\"b\"}, 7,\n{ \"x\":null,\"role\":\"a\" } ]";
        let edited =
            "[ {\"role\":\"a\", \"n\" :1.10,\"x\":\" \"} ,{\"role\":\"b\"}, 7,\n{ \"x\":\" \",\"role\":\"a\" } ]";
        assert_eq!(edit_items(list, mark).as_deref(), Some(edited));
        for same in ["[]", "{}", "[{\"role\":\"b\"}]", "[{\"role\":\"a\",\"role\":\"a\"}]", "[", "null"] {
            assert_eq!(edit_items(same.as_bytes(), mark), None, "{same}");
        }
    }
}
