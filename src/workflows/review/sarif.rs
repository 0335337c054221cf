//! A review as SARIF 2.1.0 (OASIS), which code hosts show beside the lines.

use serde_json::{Value, json};

use super::{Review, Severity};

/// The whole review.
pub fn sarif(review: &Review) -> Value {
    let rules: Vec<Value> = Severity::ALL.iter().map(|severity| rule(*severity)).collect();
    let results: Vec<Value> = review
        .findings
        .iter()
        .map(|finding| {
            let text = if finding.detail.is_empty() {
                finding.title.clone()
            } else {
                format!("{}\n\n{}", finding.title, finding.detail)
            };
            let uri = uri(&finding.file);
            let mut result = json!({
                "ruleId": id(finding.severity),
                "ruleIndex": finding.severity as usize,
                "level": level(finding.severity),
                "message": {"text": text},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": finding.line, "endLine": finding.end_line},
                }}],
            });
            if let (Some(replacement), Some(_)) = (&finding.replacement, &finding.patch) {
                result["fixes"] = json!([{"artifactChanges": [{
                    "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
                    "replacements": [{
                        "deletedRegion": {"startLine": finding.line, "endLine": finding.end_line},
                        "insertedContent": {"text": replacement},
                    }],
                }]}]);
            }
            result
        })
        .collect();
    let notes: Vec<Value> = review
        .failed
        .iter()
        .map(|missed| json!({"level": "error", "message": {"text": format!("not read: {}: {}", missed.files.join(", "), missed.why)}}))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "keywheel review",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
                "properties": {"model": review.model},
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": review.failed.is_empty(), "toolExecutionNotifications": notes}],
            "results": results,
        }],
    })
}

fn id(severity: Severity) -> String {
    format!("review/{}", severity.word())
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

fn rule(severity: Severity) -> Value {
    let words = match severity {
        Severity::Low => "could be nicer",
        Severity::Medium => "will hurt somebody some day",
        Severity::High => "is wrong",
        Severity::Critical => "loses data, money or secrets",
    };
    json!({"id": id(severity), "shortDescription": {"text": words}, "defaultConfiguration": {"level": level(severity)}})
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        let plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~' | b'+' | b'@' | b',');
        if plain { out.push(char::from(byte)) } else { out.push_str(&format!("%{byte:02X}")) }
    }
    out
}
