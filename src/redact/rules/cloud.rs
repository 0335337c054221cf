//! Keys of clouds, and private keys whoever made them.

use std::ops::Range;

use super::shape::{ALNUM, ANY, BASE64, DIGIT, HEX, NAME, TOKEN, UPPER, begins, ends, find, key, run, run_within};
use super::{Kind, Rule};

const SECRET: (Kind, &str) = (Kind::Key, "key");

pub(super) const RULES: &[Rule] = &[
    key("aws-access-key", &["AKIA", "ASIA", "ABIA", "ACCA"], (UPPER, 16, 16), "AKIA{A16}", "AKIAS are cars, AKIA{A15}"),
    key("aws-bedrock-key", &["ABSK"], (BASE64, 100, ANY), "ABSK{b128}", "ABSK{b20}"),
    find("azure-account-key", SECRET, &["accountkey="], storage, "AccountKey={b86}==;", "AccountKey={b20};"),
    find(
        "azure-shared-key",
        SECRET,
        &["sharedaccesskey="],
        shared,
        "SharedAccessKeyName=root;SharedAccessKey={b43}=;EntityPath=x",
        "SharedAccessKey={b9}",
    ),
    find("azure-signature", SECRET, &["sig="], signature, "?sv=2022-11-02&sig={b43}%3D&se=1", "?sig=short&x=1"),
    find("azure-ai-key", SECRET, &["jqqj99"], foundry, "{a52}JQQJ99{a26}", "JQQJ99 is its mark"),
    find("azure-client-secret", SECRET, &["7q~", "8q~", "6q~"], entra, "{a3}8Q~{u34}", "a8Q~b"),
    key("gcp-access-token", &["ya29."], (NAME, 30, ANY), "ya29.{u120}", "ya29.md"),
    key("gcp-client-secret", &["GOCSPX-"], (NAME, 28, 28), "GOCSPX-{u28}", "GOCSPX-{u5}"),
    find("gcp-refresh-token", SECRET, &["1//0"], refresh, "1//0{u60}", "1//0 is an error"),
    key("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], (HEX, 64, 64), "dop_v1_{x64}", "dop_v1_{x10}"),
    key("alibaba-key", &["LTAI"], (ALNUM, 12, 20), "LTAI{a20}", "LTAI"),
    key("tencent-key", &["AKID"], (ALNUM, 32, 32), "AKID{a32}", "AKID{a4}"),
    key("databricks-token", &["dapi"], (HEX, 32, 36), "dapi{x32}", "dapi{x8}"),
    key(
        "planetscale-key",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        (NAME, 32, 64),
        "pscale_pw_{u43}",
        "pscale_pw_x",
    ),
    key("flyio-token", &["FlyV1 ", "fo1_", "fm2_", "fm1r_"], (TOKEN, 40, ANY), "fm2_{u43}", "fm2_x"),
    key("vault-token", &["hvs.", "hvb.", "hvr."], (NAME, 24, ANY), "hvs.{u95}", "hvs.md"),
    find("terraform-token", SECRET, &[".atlasv1."], atlas, "{a14}.atlasv1.{u67}", "x.atlasv1.y"),
    key("age-key", &["AGE-SECRET-KEY-1"], (UPPER, 58, 58), "AGE-SECRET-KEY-1{A58}", "AGE-SECRET-KEY-1"),
    find(
        "private-key",
        (Kind::Private, "private-key"),
        &["-----begin"],
        pem,
        "-----BEGIN RSA PRIVATE KEY-----\n{b64}\n{b20}==\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n{b64}\n-----END PUBLIC KEY-----",
    ),
];

/// A run of exactly so many base64 characters, the padding among them.
fn sealed(text: &[u8], anchor: Range<usize>, length: usize) -> Option<Range<usize>> {
    let found = run(text, anchor.end, BASE64);
    (found == length).then_some(anchor.end..anchor.end + found)
}

/// 64 bytes in base64.
fn storage(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    sealed(text, anchor, 88)
}

/// 32 bytes in base64.
fn shared(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    sealed(text, anchor, 44)
}

/// A signature in a query: base64, its signs escaped or not.
fn signature(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let before = anchor.start.checked_sub(1).map(|at| text[at])?;
    let rest = text.get(anchor.end..)?;
    let length = rest.iter().take(91).take_while(|byte| super::shape::is(**byte, BASE64) || **byte == b'%').count();
    (matches!(before, b'?' | b'&' | b';') && (43..=90).contains(&length)).then_some(anchor.end..anchor.end + length)
}

/// 84 letters and digits around a mark.
fn foundry(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let start = anchor.start.checked_sub(52)?;
    let length = run_within(text, start, ALNUM, 85);
    let exact = &text[anchor] == b"JQQJ99";
    (exact && length == 84 && begins(text, start)).then_some(start..start + length)
}

/// Three characters, a digit, `Q~` and 31 to 34 more.
fn entra(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let start = anchor.start.checked_sub(3)?;
    let exact = text[anchor.start + 1] == b'Q' && run_within(text, start, TOKEN, 6) >= 6;
    let length = run_within(text, anchor.end, TOKEN, 35);
    (exact && (31..=34).contains(&length) && begins(text, start)).then_some(start..anchor.end + length)
}

fn refresh(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let length = run(text, anchor.end, NAME);
    let fits = length >= 40 && begins(text, anchor.start);
    fits.then_some(anchor.start..anchor.end + length)
}

fn atlas(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let start = anchor.start.checked_sub(14)?;
    let length = run(text, anchor.end, NAME);
    let fits = run(text, start, ALNUM) == 14 && begins(text, start) && length >= 60;
    fits.then_some(start..anchor.end + length)
}

/// From `-----BEGIN … PRIVATE KEY` to the end of its last line; without an end, as far as it goes on like one.
fn pem(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let title = text.get(anchor.end..(anchor.end + 64).min(text.len()))?;
    let close = memchr::memmem::find(title, b"-----")?;
    memchr::memmem::find(&title[..close], b"PRIVATE KEY")?;
    let body = anchor.end + close + 5;
    let mut at = body;
    while let Some(&byte) = text.get(at) {
        let armour =
            super::shape::is(byte, BASE64) || matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | b'\\' | b':' | b',');
        if !armour && byte != b'-' {
            break;
        }
        if text[at..].starts_with(b"-----") {
            let rest = &text[at + 5..(at + 69).min(text.len())];
            at += memchr::memmem::find(rest, b"-----").map_or(5, |found| found + 10);
            break;
        }
        at += 1;
    }
    // a title alone is talked about, and no key
    let inside = text[body..at].iter().filter(|byte| super::shape::is(**byte, BASE64)).count();
    (inside >= 40).then_some(anchor.start..at)
}

/// Where a run of digits ends a token, and where it does not.
pub(super) fn digits_before(text: &[u8], at: usize, most: usize) -> usize {
    text[..at].iter().rev().take(most + 1).take_while(|byte| super::shape::is(**byte, DIGIT)).count()
}

/// Whether a text ends where a number or word does.
pub(super) fn alone(text: &[u8], range: &Range<usize>) -> bool {
    begins(text, range.start) && ends(text, range.end)
}
