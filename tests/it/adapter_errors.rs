//! Every error row of the provider facts that concerns a shipped provider: the cases in `errors/*.toml` are written from
//! what the vendors document, with the fault that the row asks for.

use std::collections::BTreeMap;

use bytes::Bytes;
use keywheel::adapter::{self, Answer};
use keywheel::kit::fault::Scope;
use keywheel::kit::{Blame, Kind};
use keywheel::redact::Known;
use serde::Deserialize;

use crate::adapter::{NOW, headers, provider, shipped};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    says: String,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
    kind: String,
    next: String,
    blame: String,
    client: u16,
    client_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

#[test]
fn every_documented_error_is_the_fault_that_its_row_asks_for() {
    let mut seen = 0;
    for id in [
        "openai",
        "azure",
        "xai",
        "deepseek",
        "openrouter",
        "groq",
        "cerebras",
        "mistral",
        "together",
        "github-models",
        "ollama",
        "llamacpp",
        "vllm",
    ] {
        let path = crate::adapter::folder().join(format!("../tests/it/errors/{id}.toml"));
        let text = std::fs::read_to_string(path).expect("a file of cases");
        let cases: Cases = toml::from_str(&text).unwrap_or_else(|error| panic!("{id}: {error}"));
        for case in cases.case {
            check(id, &case);
            seen += 1;
        }
    }
    assert!(seen > 120, "only {seen} cases were read");
}

fn check(id: &str, case: &Case) {
    let provider = shipped(id);
    let pairs: Vec<(&str, &str)> = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = Answer::new(case.status, headers(&pairs), Bytes::from(case.body.clone()), &Known::default());
    let fault = adapter::of(provider.adapter).classify(&provider, &answer, NOW);
    let what = format!("{id}, {}: {fault:?}", case.says);
    assert_eq!(format!("{:?}", fault.kind), case.kind, "{what}");
    assert_eq!(format!("{:?}", fault.kind.next()), case.next, "{what}");
    assert_eq!(format!("{:?}", fault.kind.blame()), case.blame, "{what}");
    assert_eq!(fault.status(), case.client, "{what}");
    if let Some(code) = &case.client_code {
        let sent: serde_json::Value = serde_json::from_slice(&keywheel::wire::error::body(&fault)).expect("JSON");
        assert_eq!(fault.code.as_deref().unwrap_or(fault.kind.code()), code, "{what}");
        let own = fault.said.is_some() || sent["error"]["code"] == code.as_str();
        assert!(own, "{what}: the client gets {sent}");
    }
    if case.param.is_some() {
        assert_eq!(fault.param.as_deref(), case.param.as_deref(), "{what}");
    }
    if let Some(message) = &case.message {
        assert_eq!(&fault.message, message, "{what}");
    }
    // the client sees the upstream's body only where the upstream blamed it or failed itself
    let theirs = matches!(fault.kind.blame(), Blame::Client | Blame::Provider);
    assert!(fault.said.is_none() || theirs, "{what}");
    assert!(fault.message.contains(&provider.name), "{what}");
    assert!(!fault.message.contains('\n') && !fault.message.ends_with('.'), "{what}");
    assert!(fault.message.chars().count() < 450, "{what}");
}

fn classify(text: &str, status: u16, body: &str) -> keywheel::kit::Fault {
    let provider = provider("own", text);
    let answer = Answer::new(status, headers(&[]), Bytes::from(body.to_owned()), &Known::default());
    adapter::of(provider.adapter).classify(&provider, &answer, NOW)
}

const OWN: &str = "adapter = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\n";

#[test]
fn a_providers_rows_are_asked_from_the_top_and_all_conditions_of_a_row_must_hold() {
    let text = format!(
        "{OWN}
        [[errors]]
        status = [418]
        code = [\"teapot\"]
        type = [\"pot\"]
        param = \"lid\"
        text = [\"coffee\", \"Tea\"]
        at = [\"/error/degrees\", \"9?\"]
        fault = \"throttled_account\"
        wait = 5

        [[errors]]
        status = [418, 419]
        fault = \"overloaded\"
        window = 3600

        [[errors]]
        fault = \"out_of_credit\"
        wait = 10"
    );
    let full = r#"{"error":{"message":"no TEA","type":"pot","param":"lid","code":"teapot","degrees":95}}"#;
    let kind = |status, body: &str| classify(&text, status, body).kind;
    let five = Some(std::time::Duration::from_secs(5));
    assert_eq!(kind(418, full), Kind::Throttled(five, Scope::Account));
    let to_the_hour = Some(std::time::Duration::from_secs(3600 - 17));
    for other in
        [("teapot", "kettle"), ("pot\"", "pan\""), ("lid", "cup"), ("TEA", "milk"), ("95", "85"), ("degrees", "x")]
    {
        assert_eq!(kind(418, &full.replace(other.0, other.1)), Kind::Overloaded(to_the_hour), "{other:?}");
    }
    assert_eq!(kind(419, full), Kind::Overloaded(to_the_hour));
    assert_eq!(kind(500, full), Kind::OutOfCredit(Some(NOW.after(std::time::Duration::from_secs(10)))));
}

#[test]
fn no_row_turns_a_content_filters_refusal_into_a_second_try() {
    let text = format!("{OWN}[[errors]]\nstatus = [400]\nfault = \"throttled\"\n");
    assert_eq!(classify(&text, 400, "{}").kind, Kind::Throttled(None, Scope::Model));
    let filtered = classify(&text, 400, r#"{"error":{"code":"content_filter","message":"no"}}"#);
    assert_eq!(filtered.kind, Kind::Filtered);
}

#[test]
fn a_long_or_broken_message_becomes_one_short_line() {
    let long = format!("{{\"error\":{{\"message\":\"  first\\n\\tline {}.\"}}}}", "é".repeat(2000));
    let fault = classify(OWN, 400, &long);
    assert!(fault.message.starts_with("own refused the request: first line éé"), "{fault}");
    assert_eq!(fault.message.chars().filter(|c| *c == 'é').count(), 300 - "first line ".len());
    let page = classify(OWN, 500, "<html><title>Oh\nno.</title><p>x</html>");
    assert_eq!(page.message, "own failed with status 500: Oh no");
    assert_eq!(classify(OWN, 500, "").message, "own failed with status 500");
    let said = classify(OWN, 500, &"x".repeat(100_000)).said.expect("kept for the client");
    assert_eq!(said.body.len(), 64 * 1024);
}
