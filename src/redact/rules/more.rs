//! Keys of payment, mail and chat services.

use std::ops::Range;

use super::cloud::digits_before;
use super::shape::{ALNUM, ANY, HEX, LOWER, NAME, TOKEN, begins, ends, find, key, run};
use super::{Kind, Rule};

const SECRET: (Kind, &str) = (Kind::Key, "key");

pub(super) const RULES: &[Rule] = &[
    key(
        "stripe-key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"],
        (ALNUM, 16, ANY),
        "sk_live_{a24}",
        "sk_test_mode",
    ),
    key("webhook-secret", &["whsec_"], (TOKEN, 24, ANY), "whsec_{b32}", "whsec_name"),
    key(
        "slack-token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxc-", "xoxd-", "xoxe.xoxp-", "xapp-"],
        (NAME, 20, ANY),
        "xoxb-{d12}-{d13}-{a24}",
        "xoxb-token",
    ),
    find(
        "slack-webhook",
        SECRET,
        &["hooks.slack.com/"],
        hook,
        "https://hooks.slack.com/services/T{A8}/B{A10}/{a24}",
        "https://hooks.slack.com/docs",
    ),
    find(
        "discord-webhook",
        SECRET,
        &["/api/webhooks/"],
        webhook,
        "https://discord.com/api/webhooks/{d18}/{u68}",
        "/api/webhooks/list",
    ),
    find(
        "twilio-key",
        SECRET,
        &[
            "sk0", "sk1", "sk2", "sk3", "sk4", "sk5", "sk6", "sk7", "sk8", "sk9", "ska", "skb", "skc", "skd", "ske",
            "skf",
        ],
        twilio,
        "SK{x32}",
        "SK{x31}",
    ),
    find("sendgrid-key", SECRET, &["sg."], sendgrid, "SG.{u22}.{u43}", "SG.{u22}.{u4}"),
    key("mailgun-key", &["key-"], (HEX, 32, 32), "key-{x32}", "key-value-store"),
    find("mailchimp-key", SECRET, &["-us"], mailchimp, "{x32}-us14", "en-us14"),
    key("brevo-key", &["xkeysib-"], (NAME, 64, ANY), "xkeysib-{x64}-{a16}", "xkeysib-x"),
    key("resend-key", &["re_"], (NAME, 32, 36), "re_{a8}_{a24}", "re_exported_names"),
    find("telegram-token", SECRET, &[":aa"], telegram, "{d10}:AA{u33}", "12:AAA"),
    key("square-token", &["sq0atp-", "sq0csp-", "sq0idp-"], (NAME, 22, 43), "sq0atp-{u22}", "sq0atp-x"),
    key("shopify-token", &["shpat_", "shpca_", "shppa_", "shpss_"], (HEX, 32, 32), "shpat_{x32}", "shpat_x"),
    key("facebook-token", &["EAAC", "EAAB", "EAAG", "EAAA"], (ALNUM, 60, ANY), "EAAC{a150}", "EAAC{a20}"),
    key(
        "paypal-token",
        &["access_token$production$"],
        (LOWER, 16, ANY),
        "access_token$production${z16}${x32}",
        "access_token$",
    ),
    key("dropbox-token", &["sl.u.", "sl.B"], (NAME, 100, ANY), "sl.u.{u140}", "sl.u.x"),
    key("contentful-token", &["CFPAT-"], (NAME, 43, 43), "CFPAT-{u43}", "CFPAT-x"),
];

/// Everything behind the host.
fn hook(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let path = text.get(anchor.end..)?;
    let kind = [&b"services/"[..], b"workflows/", b"triggers/"].into_iter().find(|kind| path.starts_with(kind))?;
    let from = anchor.end + kind.len();
    let length = run(text, from, TOKEN);
    (length >= 40).then_some(from..from + length)
}

/// A number and a token.
fn webhook(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let number = run(text, anchor.end, super::shape::DIGIT);
    let slash = anchor.end + number;
    let token = run(text, slash + 1, NAME);
    (number >= 17 && text.get(slash) == Some(&b'/') && token >= 60).then_some(slash + 1..slash + 1 + token)
}

fn twilio(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let exact = text[anchor.start..].starts_with(b"SK") && run(text, anchor.start + 2, HEX) == 32;
    let end = anchor.start + 34;
    (exact && begins(text, anchor.start) && ends(text, end)).then_some(anchor.start..end)
}

fn sendgrid(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    if !text[anchor.start..].starts_with(b"SG") || !begins(text, anchor.start) {
        return None;
    }
    let first = run(text, anchor.end, NAME);
    let dot = anchor.end + first;
    let second = run(text, dot + 1, NAME);
    let fits = (16..=24).contains(&first) && text.get(dot) == Some(&b'.') && second >= 38;
    fits.then_some(anchor.start..dot + 1 + second)
}

fn mailchimp(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let number = run(text, anchor.end, super::shape::DIGIT);
    let start = anchor.start.checked_sub(32)?;
    let fits = (1..=2).contains(&number) && begins(text, start) && run(text, start, HEX) == 32;
    fits.then_some(start..anchor.end + number)
}

/// The bot's number, a colon, `AA` and 33 more.
fn telegram(text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
    let number = digits_before(text, anchor.start, 11);
    let exact = &text[anchor.clone()] == b":AA" && (8..=10).contains(&number);
    let token = run(text, anchor.end, NAME);
    (exact && (32..=34).contains(&token)).then_some(anchor.start - number..anchor.end + token)
}
