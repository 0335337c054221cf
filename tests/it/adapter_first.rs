//! Errors that come as answers: in the first frame of a stream, or in the body of a 200.

use keywheel::adapter;
use keywheel::kit::Fault;
use keywheel::redact::Known;

use crate::adapter::{NOW, shipped};

fn first(id: &str, frame: &str) -> Option<Fault> {
    let provider = shipped(id);
    adapter::of(provider.adapter).first_event(&provider, frame.as_bytes(), &Known::default(), NOW)
}

/// Provider, frame, and the kind of fault that it means.
const FRAMES: &[(&str, &str, &str)] = &[
    (
        "openrouter",
        r#"data: {"id":"gen-1","object":"chat.completion.chunk","error":{"code":429,"message":"Rate limit exceeded","metadata":{"error_type":"rate_limit_exceeded"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
        "Throttled(None, Model)",
    ),
    (
        "openrouter",
        r#"data: {"error":{"code":"server_error","message":"Provider disconnected"},"choices":[]}"#,
        "Upstream(500)",
    ),
    (
        "openrouter",
        r#"data: {"error":{"code":502,"message":"down","metadata":{"error_type":"provider_unavailable"}}}"#,
        "Upstream(502)",
    ),
    (
        "openrouter",
        r#"data: {"error":{"code":400,"message":"flagged","metadata":{"error_type":"content_policy_violation"}}}"#,
        "Filtered",
    ),
    (
        "openai",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
        "Overloaded(None)",
    ),
    (
        "openai",
        r#"data:{"error":{"message":"Overloaded","type":"server_error","code":"server_is_overloaded"}}"#,
        "Overloaded(None)",
    ),
    (
        "openai",
        r#"{"error":{"message":"no money","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
        "OutOfCredit(None)",
    ),
    (
        "openai",
        r#"data: {"type":"error","code":"rate_limit_exceeded","message":"Please try again in 2s.","param":null,"sequence_number":0}"#,
        "Throttled(Some(2s), Model)",
    ),
    (
        "openai",
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"oops\"},\"output\":[]}}",
        "Upstream(500)",
    ),
    ("openai", r#"data: {"error":{"message":"bad","type":"invalid_request_error","code":null}}"#, "Invalid(400)"),
    (
        "deepseek",
        "\n\n\n{\"error\":{\"message\":\"Insufficient Balance\",\"code\":\"payment_required\"}}",
        "OutOfCredit(None)",
    ),
    ("xai", r#"{"code":"internal","error":"something broke"}"#, "Upstream(500)"),
    (
        "vllm",
        r#"data: {"object":"error","message":"This model's maximum context length is 10","code":400}"#,
        "Invalid(400)",
    ),
    ("openai", r#"{"error":{"message":"wrong key","code":"invalid_api_key"}}"#, "KeyRejected"),
];

#[test]
fn an_error_in_the_first_frame_is_classified_like_a_status() {
    for (id, frame, kind) in FRAMES {
        let fault = first(id, &format!("{frame}\n\n")).unwrap_or_else(|| panic!("an answer: {frame}"));
        assert_eq!(format!("{:?}", fault.kind), *kind, "{frame}");
        assert!(fault.said.is_none(), "a frame is no body: {frame}");
        assert!(fault.status() >= 400, "{frame}");
    }
}

#[test]
fn an_answer_is_never_taken_for_an_error() {
    let table = [
        r#"data: {"choices":[],"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"error: \"error\""}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"content":"x"}}],"error":null}"#,
        r#"data: {"type":"response.created","response":{"id":"r","error":null,"output":[]}}"#,
        r#"{"id":"r","object":"response","status":"completed","error":null,"output":[{"type":"message"}]}"#,
        r#"{"id":"r","status":"failed","error":{"code":"server_error","message":"half"},"output":[{"type":"message"}]}"#,
        r#"{"error":{},"data":[]}"#,
        r#"{"error":"","choices":[]}"#,
        "data: [DONE]",
        ": OPENROUTER PROCESSING error",
        "data: {\"error\":",
        "",
    ];
    for frame in table {
        assert!(first("openai", frame).is_none(), "{frame}");
    }
}
