//! Tokens counted here, against the figures that OpenAI publishes for its own models.

use bytes::Bytes;
use keywheel::kit::Usage;
use keywheel::wire::heard::Heard;
use keywheel::wire::tokens::{Unsaid, Vocabulary};
use keywheel::wire::{Endpoint, Json};
use serde_json::{Value, json};

use std::sync::LazyLock;

static WORDS: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::load().expect("it is embedded"));

fn asked(endpoint: Endpoint, body: &Value) -> Usage {
    counted(endpoint, body, &[])
}

fn counted(endpoint: Endpoint, body: &Value, frames: &[&str]) -> Usage {
    let request = Json::parse(Bytes::from(body.to_string())).expect("an object");
    let mut answer = Heard::new(&endpoint);
    frames.iter().for_each(|frame| answer.frame(format!("data: {frame}\n\n").as_bytes()));
    Unsaid { endpoint, size: request.bytes().len() as u64, answer }.count(Some(&request), &WORDS)
}

#[test]
fn texts_have_the_tokens_that_the_cookbook_prints() {
    // OpenAI's cookbook, "How to count tokens with tiktoken", section 5, the lines for o200k_base
    for (text, tokens) in [("antidisestablishmentarianism", 6), ("2 + 2 = 4", 7), ("お誕生日おめでとう", 8)] {
        assert_eq!(WORDS.count(text), tokens, "{text}");
    }
    assert_eq!((WORDS.count(""), WORDS.count("hello")), (0, 1));
}

#[test]
fn a_chat_has_the_tokens_that_its_vendor_bills() {
    // the same page, section 6: gpt-4o and gpt-4o-mini bill 124 prompt tokens
    let body = json!({"messages": [
        {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
        {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
        {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
        {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
        {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
        {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
    ]});
    assert_eq!(asked(Endpoint::Chat, &body).input, 124);
}

#[test]
fn tools_have_the_tokens_that_their_vendor_bills() {
    // the same page, section 7: gpt-4o and gpt-4o-mini bill 101 prompt tokens
    let tool = json!({"type": "function", "function": {
        "name": "get_current_weather", "description": "Get the current weather in a given location",
        "parameters": {"type": "object", "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]}},
            "required": ["location"]}}});
    let body = json!({"tools": [tool], "messages": [
        {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
        {"role": "user", "content": "What's the weather like in San Francisco?"}]});
    assert_eq!(asked(Endpoint::Chat, &body).input, 101);
    let flat = json!({"type": "function", "name": "f", "parameters": {"properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}});
    let nested = asked(Endpoint::Responses, &json!({"input": "hi", "tools": [flat]})).input;
    assert!(nested > asked(Endpoint::Responses, &json!({"input": "hi"})).input + 12 + 7 + 6, "{nested}");
}

#[test]
fn pictures_sound_and_files_are_guessed_and_never_read_as_text() {
    let chat = |part: Value| asked(Endpoint::Chat, &json!({"messages": [{"role": "user", "content": [part]}]}));
    let text = chat(json!({"type": "text", "text": ""})).input;
    let data = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(100_000));
    let large = json!({"type": "image_url", "image_url": {"url": data}});
    let small = json!({"type": "image_url", "image_url": {"url": data, "detail": "low"}});
    assert_eq!((chat(large).input - text, chat(small).input - text), (765, 85));
    let item = |detail: &str| json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": data, "detail": detail}]}]});
    let [large, small] = ["high", "low"].map(|detail| asked(Endpoint::Responses, &item(detail)).input);
    assert_eq!((large - text, small - text), (765, 85));
    let sound = chat(json!({"type": "input_audio", "input_audio": {"data": "UklGR".repeat(12_800), "format": "wav"}}));
    assert_eq!((sound.input - text, sound.audio_in), (0, 10));
    let file = chat(json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "x".repeat(1600)}}));
    assert_eq!(file.input - text, 100);
}

#[test]
fn prompts_may_be_texts_lists_and_tokens() {
    for (endpoint, name) in [(Endpoint::Completions, "prompt"), (Endpoint::Embeddings, "input")] {
        let of = |prompt: Value| asked(endpoint.clone(), &json!({ name: prompt })).input;
        assert_eq!(of(json!("antidisestablishmentarianism")), 6);
        assert_eq!(of(json!(["hello", "hello"])), 2);
        assert_eq!((of(json!([1, 2, 3])), of(json!([[1, 2], [3]]))), (3, 3));
    }
    let kept = json!({"input": [{"role": "assistant", "content": [{"type": "reasoning", "encrypted_content": "x".repeat(9000)}]}]});
    assert!(asked(Endpoint::Responses, &kept).input < 12);
}

#[test]
fn text_reasoning_and_tool_calls_of_a_stream_are_counted_however_it_is_cut_into_deltas() {
    let words = "The quick brown fox \"jumps\" over\nthe lazy dog: お誕生日おめでとう 🎉 ".repeat(20);
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    for size in [1, 3, 7, 1000] {
        let letters: Vec<char> = words.chars().collect();
        let delta = |name: &str, text: &[char]| {
            json!({"choices": [{"delta": {name: text.iter().collect::<String>()}}]}).to_string()
        };
        let frames: Vec<String> = ["content", "reasoning_content"]
            .iter()
            .flat_map(|name| letters.chunks(size).map(move |text| delta(name, text)))
            .collect();
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        let usage = counted(Endpoint::Chat, &body, &frames);
        assert_eq!((usage.output, usage.reasoning), (WORDS.count(&words), WORDS.count(&words)), "{size}");
    }
}

#[test]
fn long_and_hostile_texts_are_counted_in_time_and_nearly_as_in_one_piece() {
    let text = "fn main() { println!(\"{}\", 2 + 2); } // and then some words of a comment\n".repeat(5_000);
    let line = WORDS.count(&text[..text.len() / 5_000]);
    let (count, by_line) = (WORDS.count(&text), line * 5_000);
    assert!(count.abs_diff(by_line) * 100 < by_line, "{count} and {by_line}: cut into pieces within 1 %");
    let began = std::time::Instant::now();
    for hostile in ["a", " ", "\n", "!?", "a \t\n", "中", "\u{301}", "'s", "0"] {
        let text = hostile.repeat(400_000 / hostile.len());
        assert!(WORDS.count(&text) > 0);
    }
    assert!(WORDS.count(&"word ".repeat(2 << 20)) >= 2 << 20, "the beginning stands for the rest");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
