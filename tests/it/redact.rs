//! No known secret leaves in any form; everything else leaves as it is.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::StreamExt;
use keywheel::config::Redact;
use keywheel::kit::{Fault, Kind, Said, Secret};
use keywheel::redact::{self, Known};
use keywheel::wire::call::Upload;
use keywheel::wire::{Edit, Endpoint, Payload};

use crate::adapter::call;

const CANARY: &str = "kw/Canary+\"&<é>=42~secret";

fn known(secrets: &[&str]) -> Known {
    let known = Known::default();
    for secret in secrets {
        known.learn(&Secret::new(*secret));
    }
    known
}

fn masked(known: &Known, text: &str) -> String {
    String::from_utf8(known.clean(text.as_bytes()).into_owned()).expect("UTF-8")
}

#[test]
fn a_secret_is_masked_in_every_form_in_which_services_echo_it() {
    let known = known(&[CANARY]);
    let json = serde_json::Value::from(CANARY).to_string();
    let escaped: String = CANARY
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || byte == b'~' {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let forms = [
        CANARY.to_owned(),
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        json.trim_matches('"').replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        escaped.clone(),
        escaped.to_lowercase().replace("canary", "Canary"),
    ];
    for form in forms {
        let out = masked(&known, &format!("key <{form}> was refused"));
        assert_eq!(out, "key <[redacted]> was refused", "{form}");
    }
}

#[test]
fn base64_hides_no_secret_wherever_it_stands_in_the_text() {
    let known = known(&[CANARY]);
    for lead in 0..7 {
        for tail in 0..4 {
            let text = format!("{}{CANARY}{}", "u".repeat(lead), "v".repeat(tail));
            for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let out = masked(&known, &encoded);
                assert!(out.contains("[redacted]"), "{lead} {tail}: {out}");
                let left = out.replace("[redacted]", "").trim_end_matches('=').len();
                let around = (lead + tail) * 8 / 6 + 5;
                assert!(left <= around, "{lead} {tail}: {left} characters are left of {encoded}");
            }
        }
    }
}

#[test]
fn a_text_without_secrets_is_not_copied() {
    let known = known(&[CANARY]);
    let text = b"nothing to see, kw/Canary is not all of it";
    assert!(matches!(known.clean(text), std::borrow::Cow::Borrowed(_)));
    assert!(matches!(Known::default().clean(CANARY.as_bytes()), std::borrow::Cow::Borrowed(_)), "nothing is known yet");
}

#[test]
fn secrets_that_overlap_leave_no_tail() {
    let known = known(&["abcdefgh", "efghijkl", "abcdefghXYZ"]);
    assert_eq!(masked(&known, "abcdefghijkl"), "[redacted]");
    assert_eq!(masked(&known, "1 abcdefghXYZ 2 abcdefgh 3"), "1 [redacted] 2 [redacted] 3");
    assert_eq!(masked(&known, "abcdefghabcdefgh"), "[redacted][redacted]");
}

#[test]
fn short_words_are_no_secrets_and_new_ones_are_known_at_once_everywhere() {
    let known = known(&["short", "sevenxx", ""]);
    assert_eq!(masked(&known, "a short text, sevenxx"), "a short text, sevenxx");
    let elsewhere = known.clone();
    known.learn(&Secret::new("eightxxx"));
    known.learn(&Secret::new("eightxxx"));
    assert_eq!(masked(&elsewhere, "eightxxx"), "[redacted]");
}

#[test]
fn a_secret_that_is_another_ones_encoding_is_masked_in_its_own_encodings_too() {
    let inner = "a-secret-of-some-length";
    let outer = STANDARD.encode(inner);
    let known = known(&[inner, &outer]);
    assert!(masked(&known, &STANDARD.encode(&outer)).contains("[redacted]"));
}

#[test]
fn a_key_in_use_outlives_the_tokens_that_are_not() {
    let known = Known::of_at_most(8);
    let key = Secret::new("the-key-of-many-years");
    known.learn(&key);
    for number in 0..20 {
        known.learn(&Secret::new(format!("token-{number:04}")));
        known.learn(&key);
    }
    assert_eq!(masked(&known, "the-key-of-many-years"), "[redacted]");
    assert_eq!(masked(&known, "token-0019 token-0013"), "[redacted] [redacted]");
    assert_eq!(masked(&known, "token-0012"), "token-0012", "idle the longest, and forgotten");
}

#[test]
fn nobodys_secret_is_lost_when_many_learn_at_once() {
    let known = Known::default();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let known = known.clone();
            scope.spawn(move || (0..25).for_each(|n| known.learn(&Secret::new(format!("thread-{thread}-{n:02}")))));
        }
    });
    for (thread, n) in (0..4).flat_map(|thread| (0..25).map(move |n| (thread, n))) {
        assert_eq!(masked(&known, &format!("thread-{thread}-{n:02}")), "[redacted]");
    }
}

#[test]
fn a_fault_is_clean_in_its_sentence_code_field_and_in_what_the_upstream_said() {
    let known = known(&["sk-very-secret-1"]);
    let body = Bytes::from_static(b"{\"error\":\"no sk-very-secret-1\"}");
    let fault = Fault::new(Kind::KeyRejected, "openai refused sk-very-secret-1")
        .code("sk-very-secret-1")
        .param("sk-very-secret-1")
        .said(Said { status: 401, content_type: None, body });
    let clean = known.clean_fault(fault);
    assert!(!format!("{clean:?}").contains("very-secret"), "{clean:?}");
    assert_eq!(clean.message, "openai refused [redacted]");
    assert_eq!(clean.said.expect("kept").body, "{\"error\":\"no [redacted]\"}");
}

#[test]
fn a_redacted_call_can_be_read_and_spliced_and_its_upload_taken_once() {
    let call = call(Endpoint::Chat, &[], r#"{"model":"a"}"#);
    assert_eq!(call.endpoint, Endpoint::Chat);
    assert_eq!(call.splice(&[Edit::set_str("model", "b")]).joined(), r#"{"model":"b"}"#);
    let mut call = call;
    assert!(call.take_upload().is_none());
    assert_eq!(call.splice(&[]).joined(), r#"{"model":"a"}"#, "asking for an upload takes nothing else away");
}

#[tokio::test]
async fn an_upload_is_handed_out_once() {
    let bytes = futures_util::stream::iter([Ok(Bytes::from_static(b"part"))]);
    let upload = Upload { bytes: Box::pin(bytes), length: Some(4) };
    let call = keywheel::wire::Call { payload: Payload::Upload(upload), ..plain() };
    let mut call = redact::pass(call, Redact::Off, &Known::default()).expect("nothing is looked for");
    let mut upload = call.take_upload().expect("the upload");
    assert_eq!(upload.bytes.next().await.expect("a chunk").expect("no error"), "part");
    assert!(call.take_upload().is_none());
    assert!(call.splice(&[]).is_empty());
}

/// A call without a body.
pub(crate) fn plain() -> keywheel::wire::Call {
    keywheel::wire::Call {
        id: keywheel::kit::CallId::new(),
        at: crate::adapter::NOW,
        endpoint: Endpoint::Chat,
        method: http::Method::POST,
        query: None,
        headers: http::HeaderMap::new(),
        model: None,
        stream: false,
        caller: std::sync::Arc::new(keywheel::wire::Caller {
            name: "test".into(),
            models: Vec::new(),
            hide_account: false,
        }),
        patience: None,
        payload: Payload::Empty,
    }
}

#[test]
fn a_secret_that_a_quote_or_the_end_of_a_body_would_cut_is_masked_whole() {
    let secret = "sk-straddles-the-cut-0123456789";
    let known = known(&[secret]);
    let provider = crate::adapter::shipped("openai");
    let dialect = keywheel::adapter::of(provider.adapter);
    let kept = 64 * 1024;
    for lead in (255..305).chain(kept - 80..kept + 5) {
        let body = format!("{{\"error\":{{\"message\":\"{} {secret}\"}}}}", "x".repeat(lead));
        let answer = keywheel::adapter::Answer::new(400, http::HeaderMap::new(), Bytes::from(body.clone()), &known);
        let fault = dialect.classify(&provider, &answer, crate::adapter::NOW);
        assert!(!format!("{fault:?}").contains("sk-"), "{lead}");
        let inside = dialect.first_event(&provider, body.as_bytes(), &known, crate::adapter::NOW);
        assert!(!format!("{:?}", inside.expect("an error")).contains("sk-"), "{lead}");
    }
}
