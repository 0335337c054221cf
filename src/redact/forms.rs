//! The ways in which a secret may be written: plain, in a JSON string, in a URL, inside base64.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// A text that must not be shown; wiped when dropped.
pub(super) type Form = Zeroizing<String>;

/// Every form of a secret, each once, the plain one first.
pub(super) fn of(secret: &str) -> Vec<Form> {
    let in_json = json(secret);
    let mut forms = vec![
        Zeroizing::new(secret.to_owned()),
        Zeroizing::new(in_json.replace('/', "\\/")),
        // Go escapes these three in every JSON string
        Zeroizing::new(in_json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")),
        in_json,
        url(secret, b"-._~", |hex, byte| write!(hex, "%{byte:02X}")),
        url(secret, b"-._~", |hex, byte| write!(hex, "%{byte:02x}")),
        // encodeURIComponent, and a form's own (WHATWG URL, section 5.2)
        url(secret, b"-._~!*'()", |hex, byte| write!(hex, "%{byte:02X}")),
        url(secret, b"-._*", |hex, byte| if byte == b' ' { hex.write_char('+') } else { write!(hex, "%{byte:02X}") }),
    ];
    for lead in 0..3 {
        forms.push(base64(secret, lead, &STANDARD_NO_PAD));
        forms.push(base64(secret, lead, &URL_SAFE_NO_PAD));
    }
    let mut once: Vec<Form> = Vec::with_capacity(forms.len());
    for form in forms {
        if !once.contains(&form) {
            once.push(form);
        }
    }
    once
}

fn json(secret: &str) -> Form {
    let quoted = Zeroizing::new(serde_json::Value::from(secret).to_string());
    Zeroizing::new(quoted[1..quoted.len() - 1].to_owned())
}

/// RFC 3986: all but letters, digits and the unreserved signs are escaped; who else writes URLs keeps other signs.
fn url(secret: &str, kept: &[u8], escape: impl Fn(&mut String, u8) -> std::fmt::Result) -> Form {
    let mut out = Zeroizing::new(String::with_capacity(secret.len() * 3));
    for byte in secret.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            sign if kept.contains(&sign) => out.push(char::from(sign)),
            // writing to a string cannot fail
            _ => escape(&mut out, byte).unwrap_or_default(),
        }
    }
    out
}

/// The characters of a longer base64 text that depend on the secret alone, when it begins `lead` bytes after a multiple
/// of three. The first and last characters also hold bits of its neighbours.
fn base64(secret: &str, lead: usize, alphabet: &impl Engine) -> Form {
    let mut bytes = Zeroizing::new(vec![0; lead]);
    bytes.extend_from_slice(secret.as_bytes());
    let text = Zeroizing::new(alphabet.encode(bytes.as_slice()));
    let from = (lead * 8).div_ceil(6);
    let to = bytes.len() * 8 / 6;
    Zeroizing::new(text[from..to].to_owned())
}
