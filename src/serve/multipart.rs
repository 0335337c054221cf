//! Finds one short field in the beginning of a `multipart/form-data` body (RFC 7578), without taking the body apart.

use memchr::memmem;

/// The boundary in a `content-type`.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The value of a field, as far as the body is there.
pub(super) fn field(body: &[u8], boundary: &str, name: &str) -> Option<String> {
    let delimiter = format!("--{boundary}");
    let mut rest = &body[memmem::find(body, delimiter.as_bytes())? + delimiter.len()..];
    let between = format!("\r\n{delimiter}");
    loop {
        let head_end = memmem::find(rest, b"\r\n\r\n")?;
        let (head, value) = (&rest[..head_end], &rest[head_end + 4..]);
        let end = memmem::find(value, between.as_bytes())?;
        if part_name(head) == Some(name) {
            return std::str::from_utf8(&value[..end]).ok().map(|value| value.trim().to_owned());
        }
        rest = &value[end + between.len()..];
    }
}

fn part_name(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-disposition").then(|| parameter(value, "name"))?
    })
}

fn parameter<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\
        Content-Type: audio/wav\r\n\r\nRIFF\r\n--X\r\n\r\n--XX\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n\
        lab/whisper\r\n--XX--\r\n";

    #[test]
    fn a_field_is_found_behind_a_file_once_all_of_it_is_there() {
        assert_eq!(field(BODY, "XX", "model").as_deref(), Some("lab/whisper"));
        assert_eq!(field(BODY, "XX", "prompt"), None);
        assert_eq!(field(BODY, "YY", "model"), None);
        let whole = memmem::find(BODY, b"whisper\r\n--XX").expect("it is there") + b"whisper\r\n--XX".len();
        for cut in 0..whole {
            assert_eq!(field(&BODY[..cut], "XX", "model"), None, "cut at {cut}");
        }
        assert!(field(&BODY[..whole], "XX", "model").is_some());
    }

    #[test]
    fn the_boundary_may_be_quoted_and_stand_anywhere() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
        assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\""), Some("a b"));
        for none in
            ["multipart/form-data", "multipart/mixed; boundary=a", "application/json", "multipart/form-data; boundary="]
        {
            assert_eq!(boundary(none), None, "{none}");
        }
    }
}
